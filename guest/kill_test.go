package guest_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/guest"
	"github.com/caisson-dev/caisson/guest/protocol"
)

// One restart ends all the commands that wait to be ended, and each has timed out.
func TestTimeoutsThatOneRestartEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sandbox{serve: deaf}
		b := s.start(t)
		type end struct {
			res *core.Result
			err error
		}
		ends := make(chan end, 4)
		for _, timeout := range []time.Duration{time.Second, time.Second, 1500 * time.Millisecond, 1900 * time.Millisecond} {
			go func() {
				res, err := b.Execute(t.Context(), &core.Command{Shell: "x", Timeout: timeout})
				ends <- end{res, err}
			}()
		}
		for range cap(ends) {
			e := <-ends
			require.NoError(t, e.err)
			require.Equal(t, core.TimedOut, e.res.Reason)
			require.Equal(t, core.NoExitCode, e.res.ExitCode)
			require.True(t, e.res.Restarted)
		}
		require.EqualValues(t, 1, s.restarts.Load())
	})
}

// A runner that is killed while it ends a command has not kept it from timing out: the next one sweeps.
func TestRunnerThatDiesOfAKill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sandbox{serve: deaf}
		b := s.start(t)
		time.AfterFunc(1500*time.Millisecond, s.die)
		res, err := b.Execute(t.Context(), &core.Command{Shell: "x", Timeout: time.Second})
		require.NoError(t, err)
		require.Equal(t, core.TimedOut, res.Reason)
		require.False(t, res.Restarted)
		require.EqualValues(t, 2, s.opens.Load())

		time.AfterFunc(1500*time.Millisecond, s.die)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = b.Execute(ctx, core.Shell("x"))
		require.Equal(t, core.ErrCanceled, core.CodeOf(err))
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

// The ladder's rungs have their times, however slow the engine is: a second, a
// restart of five, a removal of five, and a second for a writer of the caller's.
func TestKillLadderOfAnEngineThatDoesNotAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sandbox{serve: deaf}
		hang := func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		}
		stopping := false
		b, err := guest.NewBackend(t.Context(), &guest.Options{
			Driver: "test", ID: "x", Open: s.open, Restart: hang, Alive: hang,
			Remove: func(ctx context.Context) error {
				if stopping {
					s.die()
					return nil
				}
				return hang(ctx)
			},
		})
		require.NoError(t, err)
		start := time.Now()
		res, err := b.Execute(t.Context(), &core.Command{
			Shell: "x", Timeout: 10 * time.Second,
			Stdout: writerFunc(func(p []byte) (int, error) { time.Sleep(time.Minute); return len(p), nil }),
		})
		require.Equal(t, core.ErrLost, core.CodeOf(err))
		require.Contains(t, err.Error(), "nor could it be removed")
		require.Equal(t, core.TimedOut, res.Reason)
		require.LessOrEqual(t, time.Since(start), (10+1+5+5+1)*time.Second)
		stopping = true
		require.NoError(t, b.Stop(t.Context()))
		time.Sleep(time.Minute) // until the writer is done
		for _, c := range s.conns {
			c.Close()
		}
	})
}

// A runner beside others, in a sandbox that is not its own, cannot be helped by
// a restart. That is said, and neither the sandbox nor the handle is given up.
func TestRunnerInASandboxOfAnotherThatIsDeaf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sandbox{}
		s.serve = func(call *protocol.Call, op protocol.Op, p []byte) {
			if s.opens.Load() == 1 {
				deaf(call, op, p)
			} else {
				polite(call, op, p)
			}
		}
		b, err := guest.NewBackend(t.Context(), &guest.Options{
			Driver: "test", ID: "x", Open: s.open, Remove: func(context.Context) error { s.removes.Add(1); return nil },
		})
		require.NoError(t, err)
		res, err := b.Execute(t.Context(), &core.Command{Shell: "x", Timeout: time.Second})
		require.Equal(t, core.ErrResource, core.CodeOf(err))
		require.NotErrorIs(t, err, core.ErrLost)
		require.Contains(t, err.Error(), "could not be ended")
		require.Equal(t, core.TimedOut, res.Reason)
		require.False(t, res.Restarted)
		require.Equal(t, "early", res.Stdout.String())
		require.Zero(t, s.removes.Load())
		res, err = b.Execute(t.Context(), core.Shell("next"))
		require.NoError(t, err)
		require.Equal(t, 3, res.ExitCode)
		require.NoError(t, b.Stop(t.Context()))
		for _, c := range s.conns {
			c.Close()
		}
	})
}
