package drivertest

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
)

// bombs use up what a sandbox has. Its neighbour and this process must not
// notice, and the sandbox's next command works, or says that there is no room for it or that the sandbox is lost.
func (s *suite) bombs(t *testing.T) {
	neighbour := s.start(t)
	for _, bomb := range []struct{ name, script string }{
		{"fork", `f() { f | f & }; f; sleep 60`},
		{"fork that ignores signals", `trap '' TERM HUP INT; b() { setsid sh -c 'trap "" TERM; while :; do (while :; do sleep 1; done) & done' & }; b; b; b; sleep 60`},
		{"memory", `exec python3 -c 'x = []
while True: x.append(bytearray(1 << 20))'`},
		{"memory in pieces", `python3 -c 'x = "a" * (1 << 30)'; tail /dev/zero; sleep 60`},
		{"disk", `cat /dev/zero > /tmp/full; cat /dev/zero > /dev/shm/full; head -c 2000000000 /dev/zero > big; rm -f big; sleep 60`},
		{"output", `yes & yes >&2`},
	} {
		t.Run(bomb.name, func(t *testing.T) {
			sb := s.start(t)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			res, err := sb.Execute(t.Context(), &core.Command{Shell: bomb.script, Timeout: 3 * time.Second})
			if err != nil {
				require.ErrorIs(t, err, core.ErrIndeterminate, "the kernel may have taken the runner")
			} else {
				t.Logf("%s, exit code %d, restarted %v", res.Reason, res.ExitCode, res.Restarted)
			}
			require.Less(t, time.Since(start), 12*time.Second)
			runtime.ReadMemStats(&after)
			require.Less(t, int64(after.HeapInuse)-int64(before.HeapInuse), int64(32<<20))
			require.Equal(t, "fine\n", sh(t, neighbour, "echo fine"))
			next, err := sb.Execute(t.Context(), &core.Command{Shell: "rm -f /tmp/full /dev/shm/full; echo next", Timeout: 10 * time.Second})
			switch {
			case core.CodeOf(err) == core.ErrResource:
				t.Log("what the bomb left in the background fills the sandbox, which says so")
			case err != nil:
				require.ErrorIs(t, err, core.ErrLost)
			default:
				require.Equal(t, "next\n", next.Stdout.String(), next.Reason)
			}
		})
	}
	t.Run("out of memory is said", func(t *testing.T) {
		sb := s.start(t, func(spec *core.Spec) { spec.Limits.Memory = 64 << 20 })
		for _, script := range []string{`exec python3 -c 'x = bytearray(1 << 30)'`, `python3 -c 'x = bytearray(1 << 30)'`} {
			res, err := sb.Execute(t.Context(), core.Shell(script))
			require.NoError(t, err)
			require.Equal(t, core.OutOfMemory, res.Reason)
			require.Equal(t, "next\n", sh(t, sb, "echo next"))
		}
	})
}

// victims are commands: the kernel prefers them to what keeps the sandbox when memory runs out.
func (s *suite) victims(t *testing.T) {
	sb := s.start(t)
	for range 20 {
		require.Equal(t, "1000\n", sh(t, sb, "for i in 1 2 3 4 5; do grep -qx 1000 /proc/self/oom_score_adj && break; sleep 0.1; done; cat /proc/self/oom_score_adj"))
	}
	require.Equal(t, "500\n", sh(t, sb, "cat /proc/1/oom_score_adj"))
}

func (s *suite) manyAtOnce(t *testing.T) {
	t.Run("100 commands", func(t *testing.T) {
		sb := s.start(t, func(spec *core.Spec) { spec.Limits.PIDs = 512 })
		var all sync.WaitGroup
		for i := range 100 {
			all.Go(func() {
				if err := numbered(t.Context(), sb, i); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	})
	t.Run("50 sandboxes", func(t *testing.T) {
		var all sync.WaitGroup
		for i := range 50 {
			all.Go(func() {
				sb, err := core.Start(t.Context(), s.driver, s.spec())
				if err != nil {
					t.Error(err)
					return
				}
				if err := numbered(t.Context(), sb, i); err != nil {
					t.Error(err)
				}
				if err := sb.Stop(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		require.Empty(t, s.census(t))
	})
}

// numbered runs a command whose every output says which it is.
func numbered(ctx context.Context, sb core.Backend, i int) error {
	script := fmt.Sprintf("for n in 1 2 3 4 5; do echo out %d; echo err %d >&2; done; exit %d", i, i, i)
	res, err := sb.Execute(ctx, core.Shell(script))
	if err != nil {
		return fmt.Errorf("command %d: %w", i, err)
	}
	out, errOut := "", ""
	for range 5 {
		out += fmt.Sprintf("out %d\n", i)
		errOut += fmt.Sprintf("err %d\n", i)
	}
	if res.ExitCode != i || res.Stdout.String() != out || res.Stderr.String() != errOut {
		return fmt.Errorf("command %d: exit code %d, stdout %q, stderr %q", i, res.ExitCode, res.Stdout.Bytes(), res.Stderr.Bytes())
	}
	return nil
}
