package main_test

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// listed is a container as an engine lists it.
type listed struct {
	ID     string `json:"Id"`
	Labels map[string]string
	State  string
}

// guarded is an engine that has at most one container, and a guard that stands by.
type guarded struct {
	mu      sync.Mutex
	asked   []string                   // methods and ids
	answer  func(n int) (state string) // of the n-th list, from 1; "" without a container
	refuses bool                       // to remove it
	guard   *exec.Cmd
	stdin   io.WriteCloser
}

const guardedID = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func startGuard(t *testing.T, e *guarded) {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "engine.sock")
	l, err := net.Listen("unix", socket)
	require.NoError(t, err)
	lists := 0
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e.mu.Lock()
		defer e.mu.Unlock()
		if r.Method == http.MethodDelete {
			e.asked = append(e.asked, "DELETE "+strings.TrimPrefix(r.URL.Path, "/containers/")+" "+r.URL.RawQuery)
			if e.refuses {
				w.WriteHeader(http.StatusConflict)
			}
			return
		}
		if r.Method != http.MethodGet || r.URL.Path != "/containers/json" || r.URL.Query().Get("all") != "1" || r.URL.Query().Get("filters") != `{"label":["key=value"]}` {
			e.asked = append(e.asked, r.Method+" "+r.URL.String())
		}
		lists++
		list := []listed{}
		if state := e.answer(lists); state != "" {
			list = append(list, listed{guardedID, map[string]string{"key": "value", "own": `"State":"created","Id":"another"`}, state})
		}
		_ = json.NewEncoder(w).Encode(list)
	})}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	e.guard = exec.Command(binary, "guard", socket, "key=value")
	e.stdin, err = e.guard.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, e.guard.Start())
}

// ends waits for the guard and returns what it did but for lists.
func (e *guarded) ends(t *testing.T) []string {
	t.Helper()
	late := time.AfterFunc(10*time.Second, func() { _ = e.guard.Process.Kill() })
	defer late.Stop()
	require.NoError(t, e.guard.Wait())
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.asked
}

func TestGuard(t *testing.T) {
	always := func(state string) func(int) string { return func(int) string { return state } }
	removed := []string{"DELETE " + guardedID + " v=1"}
	for _, tt := range []struct {
		name   string
		engine *guarded
		want   []string
	}{
		{"made and not started", &guarded{answer: always("created")}, removed},
		{"started", &guarded{answer: always("running")}, nil},
		{"ended", &guarded{answer: always("exited")}, nil},
		{"made later", &guarded{answer: func(n int) string { return []string{"", "", "", "created"}[min(n, 4)-1] }}, removed},
		{"started meanwhile", &guarded{answer: func(n int) string { return []string{"created", "running"}[min(n, 2)-1] }, refuses: true}, removed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			startGuard(t, tt.engine)
			require.NoError(t, tt.engine.stdin.Close())
			require.Equal(t, tt.want, tt.engine.ends(t))
		})
	}
	t.Run("the start is over", func(t *testing.T) {
		t.Parallel()
		lists := 0
		e := &guarded{answer: func(n int) string { lists = n; return "created" }}
		startGuard(t, e)
		_, err := e.stdin.Write([]byte{0})
		require.NoError(t, err)
		require.Empty(t, e.ends(t))
		require.Zero(t, lists)
	})
	t.Run("what ends the process's group", func(t *testing.T) {
		t.Parallel()
		e := &guarded{answer: always("created")}
		startGuard(t, e)
		pid := e.guard.Process.Pid
		require.Eventually(t, func() bool { sid, err := unix.Getsid(pid); return err == nil && sid == pid }, 5*time.Second, 10*time.Millisecond, "a session of its own")
		for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT} {
			require.NoError(t, e.guard.Process.Signal(sig))
		}
		require.NoError(t, e.stdin.Close())
		require.Equal(t, removed, e.ends(t))
	})
}
