package drivertest

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/internal/enginetest"
)

// hostile are trees that outlive a kill of their root or of its process group. M is their mark.
var hostile = []string{
	`setsid sleep M & sleep M`,
	`(setsid sh -c 'sleep M & exit' &); sleep M`,
	`nohup sleep M >/dev/null 2>&1 & sleep M`,
	`trap '' TERM HUP INT; setsid sh -c "trap '' TERM; sleep M; sleep M" & while :; do sleep M; done`,
	`sleep M & kill -STOP $!; setsid sleep M & kill -STOP $!; sleep M`,
	`f() { while :; do setsid sleep M & sleep 0.02; done; }; f & sleep M`,
	`setsid sh -c 'while :; do (setsid sleep M &); sleep 0.02; done' & sleep M`,
	`exec >/dev/null 2>&1; setsid setsid setsid sh -c 'sleep M & sleep M' & sleep M`,
}

// storm is how many trees are killed.
const storm = 200

func (s *suite) killMeansGone(t *testing.T) {
	sb := s.start(t, func(spec *core.Spec) { spec.Limits.PIDs = 512 })
	slots := make(chan struct{}, 8)
	var all sync.WaitGroup
	for i := range storm {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			if err := killOne(t.Context(), sb, i); err != nil {
				t.Errorf("tree %d: %v", i, err)
			}
		})
	}
	all.Wait()
	require.Equal(t, "0\n", sh(t, sb, `grep -lzx 'slee[p]' /proc/[0-9]*/cmdline 2>/dev/null | wc -l`), "survivors inside")
	require.Empty(t, enginetest.Processes("\x00"+mark(0)[:len(mark(0))-4]), "survivors on the host")
}

// mark is an argument of sleep that no other process has.
func mark(i int) string { return fmt.Sprintf("9%d%04d", os.Getpid(), i) }

// killOne lets one tree run into a timeout or a cancel and looks for survivors.
func killOne(ctx context.Context, sb *core.Sandbox, i int) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := &core.Command{Shell: "echo early; " + strings.ReplaceAll(hostile[i%len(hostile)], "M", mark(i))}
	reason := core.TimedOut
	if i/len(hostile)%2 == 0 {
		cmd.Timeout = time.Second // enough for the first output on a busy machine
	} else {
		reason = core.Canceled
		time.AfterFunc(time.Second, cancel)
	}
	start := time.Now()
	res, err := sb.Execute(ctx, cmd)
	switch {
	case reason == core.TimedOut && err != nil:
		return err
	case reason == core.Canceled && core.CodeOf(err) != core.ErrCanceled:
		return fmt.Errorf("a cancelled command returned %w", err)
	case res.Reason != reason || res.ExitCode != core.NoExitCode:
		return fmt.Errorf("ended as %s with %d", res.Reason, res.ExitCode)
	case res.Restarted:
		return fmt.Errorf("the sandbox had to be restarted")
	case !strings.HasPrefix(res.Stdout.String(), "early"):
		return fmt.Errorf("early output is lost")
	case time.Since(start) > 5*time.Second:
		return fmt.Errorf("took %v", time.Since(start))
	}
	if left := enginetest.Processes("\x00" + mark(i)); len(left) > 0 {
		return fmt.Errorf("survivors: %v", left)
	}
	res, err = sb.Execute(context.WithoutCancel(ctx), core.Program("true"))
	if err != nil || !res.Success() {
		return fmt.Errorf("the next command: %v, %w", res, err)
	}
	return nil
}

// killLadder makes the first rung fail: the workload may stop or kill its runner, which has the same user.
func (s *suite) killLadder(t *testing.T) {
	runner := `$(grep -lz '^runner' /proc/[0-9]*/cmdline 2>/dev/null | cut -d/ -f3 | grep -v "^$$\$")`
	t.Run("runner stopped", func(t *testing.T) {
		sb := s.start(t)
		sh(t, sb, "echo kept > kept; echo gone > /tmp/gone")
		start := time.Now()
		res, err := sb.Execute(t.Context(), &core.Command{Shell: "kill -STOP " + runner + "; sleep 60", Timeout: time.Second})
		require.NoError(t, err)
		require.Less(t, time.Since(start), 7*time.Second)
		require.Equal(t, core.TimedOut, res.Reason)
		require.True(t, res.Restarted)
		require.Equal(t, "kept\n", sh(t, sb, "cat kept; cat /tmp/gone 2>/dev/null; true"))
	})
	t.Run("runner stopped during an upload", func(t *testing.T) {
		sb := s.start(t)
		sh(t, sb, "(sleep 1; kill -STOP "+runner+") >/dev/null 2>&1 &")
		uploaded := make(chan error, 1)
		go func() { uploaded <- sb.Upload(t.Context(), "file", &drip{left: 8 << 20}, nil) }()
		time.Sleep(3 * time.Second) // until the stream is full
		start := time.Now()
		res, err := sb.Execute(t.Context(), &core.Command{Shell: "sleep 60", Timeout: time.Second})
		require.NoError(t, err)
		require.Less(t, time.Since(start), 13*time.Second)
		require.Equal(t, core.TimedOut, res.Reason)
		require.True(t, res.Restarted)
		require.ErrorIs(t, <-uploaded, core.ErrIndeterminate)
		require.Equal(t, "next\n", sh(t, sb, "echo next; ls file 2>/dev/null; true"))
	})
	t.Run("runner killed", func(t *testing.T) {
		sb := s.start(t)
		_, err := sb.Execute(t.Context(), core.Shell("setsid sleep 333 & kill -KILL "+runner+"; sleep 60"))
		require.ErrorIs(t, err, core.ErrIndeterminate)
		require.Equal(t, "0\n", sh(t, sb, `grep -lz '^33[3]' /proc/[0-9]*/cmdline 2>/dev/null | wc -l`), "what a dead runner left is swept")
	})
	t.Run("kill -9 -1", func(t *testing.T) {
		sb := s.start(t)
		_, err := sb.Execute(t.Context(), core.Shell("kill -9 -1; sleep 60"))
		require.ErrorIs(t, err, core.ErrIndeterminate)
		require.Equal(t, "next\n", sh(t, sb, "echo next"))
	})
}

// drip is a source that takes two seconds for 8 MiB.
type drip struct{ left int }

func (d *drip) Read(p []byte) (int, error) {
	n := min(len(p), d.left, 64<<10)
	if n == 0 {
		return 0, io.EOF
	}
	time.Sleep(15 * time.Millisecond)
	d.left -= n
	return n, nil
}
