package main_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/runtimes"
)

// relayed is a request but for its last piece.
const relayed = "POST /build HTTP/1.1\r\nHost: engine\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n"

// TestRelayOfAnUnfinishedRequest is for a process that is killed before the engine has begun.
func TestRelayOfAnUnfinishedRequest(t *testing.T) {
	for name, sent := range map[string]string{"nothing": "", "a part": relayed} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			socket := filepath.Join(t.TempDir(), "engine.sock")
			l, err := net.Listen("unix", socket)
			require.NoError(t, err)
			defer l.Close()
			cmd := exec.Command(binary, "relay", socket)
			cmd.Stdin = strings.NewReader(sent)
			late := time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Kill() })
			defer late.Stop()
			require.NoError(t, cmd.Run())
		})
	}
}

// TestRelay plays Podman to a relay whose process is killed at some point of a build.
func TestRelay(t *testing.T) {
	const steps = `{"stream":"` + runtimes.GuardLine + `0123456789ab\n"}`
	step := func(command string) string { // as the engine announces it
		event, _ := json.Marshal(map[string]string{"stream": "STEP 1: RUN " + command + "\n"})
		return string(event) + "\n"
	}
	removed := []string{"DELETE /v4.0.0/libpod/containers/0123456789ab?force=true"}
	for _, tt := range []struct {
		name          string
		before, after string // what the engine says before and after the process is killed
		want          []string
	}{
		{"when the steps run", step("true") + steps + "\n", "", removed},
		{"before", step("true"), steps + "\n", removed},
		{"in the middle of the line", step("true") + steps[:20], steps[20:] + "\n", removed},
		{"and none runs", step(runtimes.GuardLine + "$name"), step("error"), nil},
		{"and a command says what a step says", step(runtimes.GuardLine + "ba9876543210"), step(`"stream":"`+runtimes.GuardLine+"ba9876543210\n") + steps + "\n", removed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			socket := filepath.Join(t.TempDir(), "engine.sock")
			l, err := net.Listen("unix", socket)
			require.NoError(t, err)
			var mu sync.Mutex
			var got []string
			killed, ended := make(chan struct{}), make(chan struct{}, 1)
			asked := func(what string) {
				mu.Lock()
				defer mu.Unlock()
				got = append(got, what)
			}
			server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodDelete {
					asked(r.Method + " " + r.URL.String())
					ended <- struct{}{}
					return
				}
				_, _ = io.Copy(io.Discard, r.Body)
				w.Header().Set("Content-Length", strconv.Itoa(len(tt.before+tt.after)))
				_, _ = io.WriteString(w, tt.before)
				_ = http.NewResponseController(w).Flush()
				<-killed
				_, _ = io.WriteString(w, tt.after)
				_ = http.NewResponseController(w).Flush()
				select { // Podman says something when a step ends
				case <-ended:
				case <-r.Context().Done():
					asked("the connection is cut")
				case <-time.After(time.Second):
				}
			})}
			go func() { _ = server.Serve(l) }()
			defer server.Close()
			cmd := exec.Command(binary, "relay", socket)
			in, err := cmd.StdinPipe()
			require.NoError(t, err)
			out, err := cmd.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			_, err = io.WriteString(in, relayed+"0\r\n\r\n")
			require.NoError(t, err)
			lines := bufio.NewReader(out)
			for said := ""; !strings.Contains(said, "STEP 1"); {
				said, err = lines.ReadString('\n')
				require.NoError(t, err)
			}
			require.NoError(t, in.Close())
			require.NoError(t, out.Close())
			close(killed)
			late := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
			defer late.Stop()
			require.NoError(t, cmd.Wait())
			mu.Lock()
			defer mu.Unlock()
			require.Equal(t, tt.want, got)
		})
	}
}
