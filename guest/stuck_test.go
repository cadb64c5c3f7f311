package guest_test

import (
	"context"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/guest"
	"github.com/caisson-dev/caisson/guest/protocol"
)

// stoppable is a sandbox whose first runner can be stopped, as by SIGSTOP: its
// stream takes one piece more, like a pipe that fills, and then nothing.
type stoppable struct {
	sandbox
	gate gate
}

type gate struct {
	net.Conn
	shut  atomic.Bool
	ended chan struct{}
}

func (g *gate) Read(p []byte) (int, error) {
	n, err := g.Conn.Read(p)
	if g.shut.Load() {
		<-g.ended
		return 0, io.EOF
	}
	return n, err
}

func (g *gate) Close() error {
	err := g.Conn.Close()
	select {
	case <-g.ended:
	default:
		close(g.ended)
	}
	return err
}

func (s *stoppable) open(ctx context.Context) (io.ReadWriteCloser, error) {
	if s.opens.Load() > 0 {
		return s.sandbox.open(ctx)
	}
	s.opens.Add(1)
	host, inside := net.Pipe()
	s.gate = gate{Conn: inside, ended: make(chan struct{})}
	s.greet(protocol.NewConn(&s.gate, s.serve))
	return host, nil
}

// startStopped returns a backend whose runner was stopped after its greeting.
func startStopped(t *testing.T, restart error) (*stoppable, core.Backend) {
	t.Helper()
	s := &stoppable{sandbox: sandbox{serve: polite, restart: restart}}
	b, err := guest.NewBackend(t.Context(), &guest.Options{
		Driver: "test", ID: "x", Open: s.open,
		Restart: func(context.Context) error { s.restarts.Add(1); s.die(); return s.restart },
		Remove:  func(context.Context) error { s.removes.Add(1); s.die(); return nil },
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, b.Stop(context.Background()))
		for _, c := range s.conns {
			c.Close()
		}
	})
	s.gate.shut.Store(true)
	return s, b
}

// large is an upload that no pipe holds.
func large() io.Reader { return io.LimitReader(endless{}, 8<<20) }

func TestTimeoutBehindAnUploadThatTheRunnerDoesNotTake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, b := startStopped(t, nil)
		uploaded := make(chan error, 1)
		go func() { uploaded <- b.Upload(t.Context(), "x", large(), nil) }()
		synctest.Wait()
		start := time.Now()
		res, err := b.Execute(t.Context(), &core.Command{Shell: "x", Timeout: time.Second})
		require.NoError(t, err)
		require.Equal(t, core.TimedOut, res.Reason)
		require.Equal(t, core.NoExitCode, res.ExitCode)
		require.True(t, res.Restarted)
		require.LessOrEqual(t, time.Since(start), 3*time.Second)
		require.ErrorIs(t, <-uploaded, core.ErrIndeterminate)
		res, err = b.Execute(t.Context(), core.Shell("next"))
		require.NoError(t, err)
		require.Equal(t, 3, res.ExitCode)
		require.EqualValues(t, 1, s.restarts.Load())
	})
}

// What was not sent ends with its context, and is no reason to restart anything.
func TestCallsBehindAnUploadThatTheRunnerDoesNotTake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, b := startStopped(t, nil)
		ctx, cancel := context.WithCancel(t.Context())
		uploaded := make(chan error, 1)
		go func() { uploaded <- b.Upload(ctx, "x", large(), nil) }()
		synctest.Wait()
		for name, call := range map[string]func(context.Context) error{
			"stat":   func(ctx context.Context) error { _, err := b.(core.Stater).Stat(ctx, "x", true); return err },
			"read":   func(ctx context.Context) error { _, err := b.Read(ctx, "x", nil); return err },
			"upload": func(ctx context.Context) error { return b.Upload(ctx, "y", strings.NewReader("small"), nil) },
		} {
			start := time.Now()
			within, cancel := context.WithTimeout(t.Context(), time.Second)
			err := call(within)
			cancel()
			require.Equal(t, core.ErrCanceled, core.CodeOf(err), name)
			require.ErrorIs(t, err, context.DeadlineExceeded, name)
			require.Equal(t, time.Second, time.Since(start), name)
			require.Zero(t, s.restarts.Load(), name)
		}
		// The upload's own end is one that the runner does not confirm.
		start := time.Now()
		cancel()
		err := <-uploaded
		require.Equal(t, core.ErrCanceled, core.CodeOf(err))
		require.ErrorIs(t, err, context.Canceled)
		require.LessOrEqual(t, time.Since(start), 2*time.Second)
		require.EqualValues(t, 1, s.restarts.Load())
	})
}

// A call that does not fit into what the stream takes blocks by itself.
func TestRequestThatTheRunnerDoesNotTake(t *testing.T) {
	request := &core.Command{Args: []string{"x", strings.Repeat("x", 1<<20)}, Timeout: time.Second}
	synctest.Test(t, func(t *testing.T) {
		s, b := startStopped(t, nil)
		start := time.Now()
		res, err := b.Execute(t.Context(), request)
		require.NoError(t, err)
		require.Equal(t, core.TimedOut, res.Reason)
		require.True(t, res.Restarted)
		require.LessOrEqual(t, time.Since(start), 3*time.Second)
		require.EqualValues(t, 1, s.restarts.Load())
	})
	synctest.Test(t, func(t *testing.T) {
		_, b := startStopped(t, nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		_, err := b.(core.Editor).Edit(ctx, "x", "x", strings.Repeat("x", 1<<20), false)
		require.Equal(t, core.ErrCanceled, core.CodeOf(err))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.LessOrEqual(t, time.Since(start), 3*time.Second)
	})
	synctest.Test(t, func(t *testing.T) {
		s, b := startStopped(t, io.ErrNoProgress)
		res, err := b.Execute(t.Context(), request)
		require.Equal(t, core.ErrLost, core.CodeOf(err))
		require.Equal(t, core.TimedOut, res.Reason)
		require.False(t, res.Restarted)
		require.EqualValues(t, 1, s.removes.Load())
	})
}

// A stream that moves, however slowly, is no stuck one.
func TestTimeoutBehindAnUploadThatIsTakenSlowly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sandbox{serve: func(call *protocol.Call, op protocol.Op, p []byte) {
			if op == protocol.OpUpload {
				for _, err := call.Receive(); err == nil; _, err = call.Receive() { //nolint:revive // takes all of it
				}
				_ = call.End(protocol.MarshalAnswer(&protocol.Empty{}, nil))
				return
			}
			polite(call, op, p)
		}}
		s.slow = 900 * time.Millisecond
		b := s.start(t)
		uploaded := make(chan error, 1)
		for range 4 {
			go func() { uploaded <- b.Upload(t.Context(), "x", large(), nil) }()
		}
		time.Sleep(10 * time.Second)
		res, err := b.Execute(t.Context(), &core.Command{Shell: "x", Timeout: time.Second})
		require.NoError(t, err)
		require.Equal(t, core.TimedOut, res.Reason)
		require.False(t, res.Restarted)
		for range 4 {
			require.NoError(t, <-uploaded)
		}
		require.Zero(t, s.restarts.Load())
	})
}
