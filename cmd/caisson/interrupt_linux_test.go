package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/internal/enginetest"
)

func TestInterrupt(t *testing.T) {
	tests := []struct {
		name   string
		script string
		act    func(p *process) error
		status int
	}{
		{"interrupt", "echo ready; sleep 300", sends(syscall.SIGINT), 130},
		{"terminate-one-that-ignores-it", "trap '' INT TERM HUP; echo ready; sleep 300", sends(syscall.SIGTERM), 143},
		{"interrupt-twice", "echo ready; sleep 300", sends(syscall.SIGINT, syscall.SIGINT), 130},
		{"reader-goes-away", "echo ready; exec yes", func(p *process) error { return p.stdout.Close() }, 141},
	}
	for _, scheme := range []string{"docker", "podman"} {
		for i, tt := range tests {
			t.Run(scheme+"/"+tt.name, func(t *testing.T) {
				label := fmt.Sprintf("interrupt=%d.%d", os.Getpid(), i)
				objects := func() []string { return enginetest.Objects(t, scheme, core.LabelPrefix+".label."+label) }
				p := start(t, enginetest.URL(t, scheme), "--label", label, "-c", tt.script)
				p.expect(t, "ready")
				require.NotEmpty(t, objects(), "the sandbox while it runs")
				require.NoError(t, tt.act(p))
				require.Equal(t, tt.status, p.wait(t), "stderr: %s", p.stderr.String())
				require.Empty(t, objects(), "left on the engine")
			})
		}
	}
}

// A sandbox ends without anybody's help when nothing is left that could remove it.
func TestKilled(t *testing.T) {
	t.Setenv(shortLease, "1")
	for _, scheme := range []string{"docker", "podman"} {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel() // it waits
			label := fmt.Sprintf("killed=%d", os.Getpid())
			objects := func() []string { return enginetest.Objects(t, scheme, core.LabelPrefix+".label."+label) }
			p := start(t, enginetest.URL(t, scheme), "--label", label, "-c", "echo ready; sleep 300")
			p.expect(t, "ready")
			time.Sleep(core.MinLease + 2*time.Second) // it renews the lease
			require.NotEmpty(t, objects(), "the sandbox while it runs")
			require.NoError(t, p.cmd.Process.Kill())
			require.Equal(t, -1, p.wait(t))
			require.Eventually(t, func() bool { return len(objects()) == 0 }, core.MinLease+30*time.Second, 200*time.Millisecond, "left on the engine")
		})
	}
}

func TestKeep(t *testing.T) {
	for _, scheme := range []string{"docker", "podman"} {
		t.Run(scheme, func(t *testing.T) {
			label := fmt.Sprintf("keep=%d", os.Getpid())
			objects := func() []string { return enginetest.Objects(t, scheme, core.LabelPrefix+".label."+label) }
			p := start(t, enginetest.URL(t, scheme), "--keep", "--label", label, "-c", "echo ready")
			p.expect(t, "ready")
			require.Equal(t, 0, p.wait(t), "stderr: %s", p.stderr.String())
			require.NotEmpty(t, objects(), "the sandbox that is kept")
			id := strings.Fields(strings.TrimPrefix(p.stderr.String(), "caisson: the sandbox "))[0]
			enginetest.Container(t, scheme, http.MethodGet, id, "json") // which fails for one that is not there
			_, command, found := strings.Cut(p.stderr.String(), "remove it with: caisson ")
			require.True(t, found, "stderr: %s", p.stderr.String())
			gc := exec.Command(os.Args[0], strings.Fields(command)...)
			gc.Env = append(os.Environ(), beMain+"=1")
			out, err := gc.CombinedOutput()
			require.NoError(t, err, "gc: %s", out)
			require.Contains(t, string(out), "sandbox")
			require.Empty(t, objects(), "left on the engine")
		})
	}
}

// sends returns what sends these signals to a process.
func sends(signals ...os.Signal) func(p *process) error {
	return func(p *process) error {
		for _, sig := range signals {
			if err := p.cmd.Process.Signal(sig); err != nil {
				return err
			}
		}
		return nil
	}
}

// process is a caisson run that goes on.
type process struct {
	cmd    *exec.Cmd
	stdout io.ReadCloser
	stderr strings.Builder
}

// start starts caisson run on a driver.
func start(t *testing.T, url string, args ...string) *process {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	p := &process{cmd: exec.Command(self, append([]string{"run", "--driver", url, "--image", enginetest.Image()}, args...)...)}
	p.cmd.Env = append(os.Environ(), beMain+"=1")
	p.cmd.Stderr = &p.stderr
	p.cmd.WaitDelay = time.Second
	p.stdout, err = p.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.cmd.Start())
	t.Cleanup(func() {
		if p.cmd.ProcessState == nil { // the test failed: let it remove its sandbox
			_ = p.cmd.Process.Signal(syscall.SIGTERM)
			p.wait(t)
		}
	})
	return p
}

// expect reads the line want from the standard output.
func (p *process) expect(t *testing.T, want string) {
	t.Helper()
	line, err := bufio.NewReader(p.stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("exit status %d instead of %q: %v; stderr: %s", p.wait(t), want, err, p.stderr.String())
	}
	require.Equal(t, want+"\n", line)
}

// wait returns the exit status.
func (p *process) wait(t *testing.T) int {
	t.Helper()
	const bound = 20 * time.Second // the kill ladder and the removal
	timer := time.AfterFunc(bound, func() { _ = p.cmd.Process.Kill() })
	defer timer.Stop()
	err := p.cmd.Wait()
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		return failed.ExitCode()
	}
	require.NoError(t, err)
	return 0
}
