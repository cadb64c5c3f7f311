package guest_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/guest"
	"github.com/caisson-dev/caisson/guest/protocol"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sandbox is a scripted one: its runner does what the test says, so that the
// host's side can be shown every way in which a runner fails.
type sandbox struct {
	serve    func(*protocol.Call, protocol.Op, []byte)
	alive    atomic.Pointer[core.Error]
	opens    atomic.Int32
	restarts atomic.Int32
	removes  atomic.Int32
	restart  error
	slow     time.Duration // before each piece that the runner reads

	mu    sync.Mutex
	conns []*protocol.Conn
}

func (s *sandbox) open(context.Context) (io.ReadWriteCloser, error) {
	s.opens.Add(1)
	host, inside := net.Pipe()
	s.greet(protocol.NewConn(slowConn{inside, s.slow}, s.serve))
	return host, nil
}

// greet begins as a runner does.
func (s *sandbox) greet(conn *protocol.Conn) {
	s.mu.Lock()
	s.conns = append(s.conns, conn)
	s.mu.Unlock()
	go func() {
		if _, err := conn.Hello(nil); err == nil {
			_ = conn.SendHello(protocol.MarshalAnswer(&protocol.Facts{Arch: "amd64", UID: 1000, GID: 1000}, nil))
		}
	}()
}

// slowConn takes a time for each piece that it reads.
type slowConn struct {
	net.Conn
	pause time.Duration
}

func (c slowConn) Read(p []byte) (int, error) {
	time.Sleep(c.pause)
	return c.Conn.Read(p)
}

// die ends the runner as a kill of its process does.
func (s *sandbox) die() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		c.Fail(io.EOF)
	}
}

func (s *sandbox) start(t *testing.T) core.Backend {
	t.Helper()
	b, err := guest.NewBackend(t.Context(), &guest.Options{
		Driver: "test", ID: "0123456789abcdef", Open: s.open,
		Restart: func(context.Context) error { s.restarts.Add(1); s.die(); return s.restart },
		Remove:  func(context.Context) error { s.removes.Add(1); s.die(); return nil },
		Alive: func(context.Context) error {
			if e := s.alive.Load(); e != nil {
				return e
			}
			return nil
		},
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, b.Stop(context.Background()))
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, c := range s.conns {
			c.Close()
		}
	})
	return b
}

// deaf never ends a call, whatever the host says.
func deaf(call *protocol.Call, _ protocol.Op, _ []byte) {
	_ = call.Send(protocol.Stdout, []byte("early"))
	<-call.Over() // the connection ended
}

func polite(call *protocol.Call, _ protocol.Op, _ []byte) {
	_ = call.Send(protocol.Stdout, []byte("out"))
	exit := &protocol.Exit{Reason: core.Exited, Code: 3}
	_ = call.End(protocol.MarshalAnswer(exit, nil))
}

func TestTimeoutRestartsASandboxWhoseRunnerIsDeaf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sandbox{}
		s.serve = func(call *protocol.Call, op protocol.Op, p []byte) {
			if s.restarts.Load() == 0 {
				deaf(call, op, p)
			} else {
				polite(call, op, p)
			}
		}
		b := s.start(t)
		other := make(chan error, 1)
		go func() {
			res, err := b.Execute(t.Context(), core.Shell("other"))
			if res == nil || !res.Restarted || res.Reason != core.Unknown {
				err = errors.Join(err, errors.New("the other command's result does not say Restarted"))
			}
			other <- err
		}()
		synctest.Wait()
		start := time.Now()
		res, err := b.Execute(t.Context(), &core.Command{Shell: "x", Timeout: time.Second})
		require.NoError(t, err)
		require.Equal(t, core.TimedOut, res.Reason)
		require.Equal(t, core.NoExitCode, res.ExitCode)
		require.True(t, res.Restarted)
		require.Equal(t, "early", res.Stdout.String())
		require.LessOrEqual(t, time.Since(start), 4*time.Second)
		require.EqualValues(t, 1, s.restarts.Load())
		err = <-other
		require.ErrorIs(t, err, core.ErrIndeterminate)
		require.NotContains(t, err.Error(), "does not say")

		res, err = b.Execute(t.Context(), core.Shell("next"))
		require.NoError(t, err)
		require.Equal(t, 3, res.ExitCode)
		require.EqualValues(t, 2, s.opens.Load())
	})
}

func TestSandboxThatCannotRestartIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sandbox{serve: deaf, restart: errors.New("no")}
		b := s.start(t)
		res, err := b.Execute(t.Context(), &core.Command{Shell: "x", Timeout: time.Second})
		require.ErrorIs(t, err, core.ErrLost)
		require.Equal(t, core.TimedOut, res.Reason)
		require.EqualValues(t, 1, s.removes.Load())
		_, err = b.Execute(t.Context(), core.Shell("next"))
		require.ErrorIs(t, err, core.ErrLost)
	})
}

func TestCancelReturnsThePartialResultAndTheContextsError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sandbox{serve: func(call *protocol.Call, _ protocol.Op, _ []byte) {
			_ = call.Send(protocol.Stderr, []byte("partial"))
			<-call.Context().Done()
			_ = call.End(protocol.MarshalAnswer(&protocol.Exit{Reason: core.Canceled, Code: core.NoExitCode}, nil))
		}}
		b := s.start(t)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		res, err := b.Execute(ctx, core.Shell("x"))
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, err, core.ErrCanceled)
		require.Equal(t, "partial", res.Stderr.String())
		require.Equal(t, core.Canceled, res.Reason)
		require.Zero(t, s.restarts.Load())
	})
}

func TestRunnerThatDiesLeavesAnIndeterminateCommandAndAWorkingSandbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sandbox{}
		s.serve = func(call *protocol.Call, op protocol.Op, p []byte) {
			if s.opens.Load() == 1 {
				deaf(call, op, p)
			} else {
				polite(call, op, p)
			}
		}
		b := s.start(t)
		time.AfterFunc(time.Second, s.die)
		res, err := b.Execute(t.Context(), core.Shell("x"))
		require.ErrorIs(t, err, core.ErrIndeterminate)
		require.Equal(t, core.Unknown, res.Reason)
		require.Equal(t, core.NoExitCode, res.ExitCode)
		require.EqualValues(t, 2, s.opens.Load(), "a new runner sweeps at once, not at the next command")
		res, err = b.Execute(t.Context(), core.Shell("next"))
		require.NoError(t, err)
		require.Equal(t, 3, res.ExitCode)
	})
}

func TestSandboxThatIsGoneSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sandbox{serve: deaf}
		b := s.start(t)
		start := time.Now()
		s.alive.Store(&core.Error{Code: core.ErrConflict, Err: errors.New("paused")})
		res, err := b.Execute(t.Context(), &core.Command{Shell: "x", Timeout: time.Minute})
		require.NoError(t, err, "a runner that answers pings is alive, whatever the engine says")
		require.Equal(t, core.TimedOut, res.Reason)
		require.GreaterOrEqual(t, time.Since(start), time.Minute)

		gone := &sandbox{serve: deaf}
		b = gone.start(t)
		gone.alive.Store(&core.Error{Code: core.ErrLost, Err: errors.New("no such container")})
		time.AfterFunc(time.Second, gone.die)
		start = time.Now()
		_, err = b.Execute(t.Context(), core.Shell("x"))
		require.ErrorIs(t, err, core.ErrLost)
		require.LessOrEqual(t, time.Since(start), 5*time.Second)
	})
}

func TestStopEndsCallsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sandbox{serve: deaf}
		b := s.start(t)
		errs := make(chan error, 3)
		go func() { _, err := b.Execute(t.Context(), core.Shell("x")); errs <- err }()
		go func() { _, err := b.Read(t.Context(), "x", nil); errs <- err }()
		go func() { errs <- b.Upload(t.Context(), "x", strings.NewReader("x"), nil) }()
		synctest.Wait()
		var stops sync.WaitGroup
		for range 16 {
			stops.Go(func() { require.NoError(t, b.Stop(t.Context())) })
		}
		stops.Wait()
		_, err := b.Execute(t.Context(), core.Shell("x"))
		require.ErrorIs(t, err, core.ErrStopped)
		// "early" is not how a Read begins, so that call may have ended by itself.
		for range 3 {
			err := <-errs
			require.True(t, errors.Is(err, core.ErrStopped) || errors.Is(err, core.ErrProtocol), "%v", err)
		}
	})
}

func TestWriterOfTheCaller(t *testing.T) {
	flood := func(call *protocol.Call, _ protocol.Op, _ []byte) {
		chunk := make([]byte, 32<<10)
		go func() {
			<-call.Context().Done()
			call.Break()
		}()
		for call.Send(protocol.Stdout, chunk) == nil {
		}
		_ = call.End(protocol.MarshalAnswer(&protocol.Exit{Reason: core.Canceled, Code: core.NoExitCode}, nil))
	}
	boom := errors.New("boom")
	release := make(chan struct{})
	for name, test := range map[string]struct {
		writer io.Writer
		want   error
	}{
		"fails":  {writerFunc(func([]byte) (int, error) { return 0, boom }), boom},
		"short":  {writerFunc(func(p []byte) (int, error) { return len(p) - 1, nil }), io.ErrShortWrite},
		"panics": {writerFunc(func([]byte) (int, error) { panic("boom") }), core.ErrInvalid},
		"blocks": {writerFunc(func(p []byte) (int, error) { <-release; return len(p), nil }), nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := &sandbox{serve: flood}
			b := s.start(t)
			start := time.Now()
			res, err := b.Execute(t.Context(), &core.Command{Shell: "x", Stdout: test.writer, Timeout: time.Second})
			require.Less(t, time.Since(start), 5*time.Second)
			if test.want == nil {
				require.NoError(t, err)
				require.Equal(t, core.TimedOut, res.Reason)
				close(release)
				return
			}
			require.ErrorIs(t, err, test.want)
			require.Zero(t, s.restarts.Load())
		})
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestUploadWhoseSourceFails(t *testing.T) {
	canceled := make(chan struct{})
	s := &sandbox{serve: func(call *protocol.Call, _ protocol.Op, _ []byte) {
		<-call.Context().Done()
		close(canceled)
		_ = call.End(protocol.MarshalAnswer(nil, core.ErrCanceled))
	}}
	b := s.start(t)
	boom := errors.New("boom")
	err := b.Upload(t.Context(), "x", io.MultiReader(strings.NewReader("abc"), errReader{boom}), nil)
	require.ErrorIs(t, err, boom)
	require.ErrorIs(t, err, core.ErrInvalid)
	<-canceled
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

func TestCheckFailsTheStart(t *testing.T) {
	s := &sandbox{serve: polite}
	_, err := guest.NewBackend(t.Context(), &guest.Options{
		Driver: "test", ID: "id", Open: s.open, Remove: func(context.Context) error { return nil },
		Check: func(f *protocol.Facts) error {
			if f.Seccomp != 2 {
				return core.Errorf(core.ErrUnsupported, "", "no seccomp")
			}
			return nil
		},
	})
	require.ErrorIs(t, err, core.ErrUnsupported)
	for _, c := range s.conns {
		c.Close()
	}
}

// Who finds in an error that nothing happened will try again, so that must not be found in it by any road.
func TestCallThatWasSentIsNeverSaidNotToHaveRun(t *testing.T) {
	calls := map[string]func(context.Context, core.Backend) error{
		"execute": func(ctx context.Context, b core.Backend) error { _, err := b.Execute(ctx, core.Shell("x")); return err },
		"upload": func(ctx context.Context, b core.Backend) error {
			return b.Upload(ctx, "x", strings.NewReader("x"), nil)
		},
		"stream": func(ctx context.Context, b core.Backend) error { return b.Upload(ctx, "x", large(), nil) },
		"read":   func(ctx context.Context, b core.Backend) error { _, err := b.Read(ctx, "x", nil); return err },
		"remove": func(ctx context.Context, b core.Backend) error { return b.(core.Remover).Remove(ctx, "x", false) },
	}
	for name, call := range calls {
		for _, code := range []core.Code{core.ErrUnavailable, core.ErrTimeout, core.ErrConflict} {
			synctest.Test(t, func(t *testing.T) {
				s := &sandbox{serve: func(call *protocol.Call, _ protocol.Op, _ []byte) { <-call.Over() }}
				b := s.start(t)
				time.AfterFunc(time.Second, func() {
					s.alive.Store(&core.Error{Code: code, Err: errors.New("the engine's state")})
					s.die()
				})
				err := call(t.Context(), b)
				require.Equal(t, core.ErrIndeterminate, core.CodeOf(err), "%s with an engine that says %s", name, code)
				require.ErrorIs(t, err, core.ErrIndeterminate)
				require.NotErrorIs(t, err, code, name)
				require.NotErrorIs(t, err, context.DeadlineExceeded, name)
				require.ErrorContains(t, err, "the engine's state", "the cause is kept as text")
			})
		}
	}
}

func TestSlowEngineDoesNotEndACommand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sandbox{serve: func(call *protocol.Call, op protocol.Op, p []byte) {
			time.Sleep(20 * time.Second)
			polite(call, op, p)
		}}
		b := s.start(t)
		s.alive.Store(&core.Error{Code: core.ErrTimeout, Err: errors.New("slow")})
		res, err := b.Execute(t.Context(), core.Shell("x"))
		require.NoError(t, err)
		require.Equal(t, 3, res.ExitCode)
	})
}

func TestCauseOfACancelIsKeptButDoesNotClassIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sandbox{serve: func(call *protocol.Call, _ protocol.Op, _ []byte) {
			<-call.Context().Done()
			_ = call.End(protocol.MarshalAnswer(&protocol.Exit{Reason: core.Canceled, Code: core.NoExitCode}, nil))
		}}
		b := s.start(t)
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(core.ErrNotFound) })
		_, err := b.Execute(ctx, core.Shell("x"))
		require.Equal(t, core.ErrCanceled, core.CodeOf(err))
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, err, core.ErrNotFound)
	})
}

func TestStopThatFailsSaysWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sandbox{serve: deaf}
		failing := &core.Error{Code: core.ErrUnavailable, Err: errors.New("the engine is away")}
		b, err := guest.NewBackend(t.Context(), &guest.Options{
			Driver: "test", ID: "x", Open: s.open,
			Remove: func(context.Context) error {
				if s.removes.Add(1) == 1 {
					return failing
				}
				s.die()
				return nil
			},
		})
		require.NoError(t, err)
		err = b.Stop(context.Background())
		require.Equal(t, core.ErrUnavailable, core.CodeOf(err), "an error that says stopped would be taken for success")
		require.NoError(t, b.Stop(context.Background()))
		for _, c := range s.conns {
			c.Close()
		}
	})
}
