package core_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
)

// stub is a driver of which tests say what its methods do.
type stub struct {
	name    string
	caps    []core.Capability
	backend core.Backend
	infoErr error
	// begin is called by Start, if it is set.
	begin func(ctx context.Context) error

	starts, closed atomic.Int64
}

func (d *stub) Info(context.Context) (*core.Info, error) {
	if d.infoErr != nil {
		return nil, d.infoErr
	}
	return &core.Info{Driver: d.name, Capabilities: d.caps}, nil
}

func (d *stub) Prepare(context.Context, *core.Runtime, *core.PrepareOptions) (*core.Prepared, error) {
	return &core.Prepared{}, nil
}

func (d *stub) Start(ctx context.Context, _ *core.Spec) (core.Backend, error) {
	d.starts.Add(1)
	if d.begin != nil {
		if err := d.begin(ctx); err != nil {
			return nil, err
		}
	}
	return d.backend, nil
}

func (d *stub) Close() error { d.closed.Add(1); return nil }

// stubBackend notes what reaches it and answers with err.
type stubBackend struct {
	err   error
	hold  chan struct{} // Execute waits for it, if it is set
	stops atomic.Int64

	mu    sync.Mutex
	paths []string
}

func (b *stubBackend) Execute(ctx context.Context, _ *core.Command) (*core.Result, error) {
	if b.hold != nil {
		select {
		case <-b.hold:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return &core.Result{Reason: core.Exited}, b.err
}

func (b *stubBackend) Upload(_ context.Context, path string, _ io.Reader, opts *core.UploadOptions) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.paths = append(b.paths, path)
	if opts == nil {
		return errors.New("no options")
	}
	return b.err
}

func (b *stubBackend) Read(_ context.Context, path string, opts *core.ReadOptions) (io.ReadCloser, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.paths = append(b.paths, path)
	if opts == nil {
		return nil, errors.New("no options")
	}
	return io.NopCloser(io.MultiReader(strings.NewReader("text"), &failingReader{b.err})), nil
}

func (b *stubBackend) Stop(context.Context) error { b.stops.Add(1); return nil }

type failingReader struct{ err error }

func (r *failingReader) Read([]byte) (int, error) {
	if r.err == nil {
		return 0, io.EOF
	}
	return 0, r.err
}

func start(t *testing.T, d *stub, change ...func(*core.Spec)) *core.Sandbox {
	t.Helper()
	sb, err := core.Start(t.Context(), d, spec(change...))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, sb.Stop(context.Background())) })
	return sb
}

func lazy(s *core.Spec) { s.Lazy = true }

func TestDriversSeeCleanArguments(t *testing.T) {
	b := &stubBackend{}
	sb := start(t, &stub{backend: b})
	require.NoError(t, sb.Upload(t.Context(), "./a//b/../c", strings.NewReader(""), nil))
	r, err := sb.Read(t.Context(), "/x/./y", nil)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	require.Equal(t, []string{"a/c", "/x/y"}, b.paths)
	for name, call := range map[string]func() error{
		"path":     func() error { return sb.Upload(t.Context(), "../x", strings.NewReader(""), nil) },
		"work dir": func() error { return sb.Upload(t.Context(), ".", strings.NewReader(""), nil) },
		"source":   func() error { return sb.Upload(t.Context(), "x", nil, nil) },
		"mode": func() error {
			return sb.Upload(t.Context(), "x", strings.NewReader(""), &core.UploadOptions{Mode: 0o4755})
		},
		"read path":    func() error { _, err := sb.Read(t.Context(), "a\x00", nil); return err },
		"read offset":  func() error { _, err := sb.Read(t.Context(), "x", &core.ReadOptions{Offset: -1}); return err },
		"read limit":   func() error { _, err := sb.Read(t.Context(), "x", &core.ReadOptions{Limit: -1}); return err },
		"read maximum": func() error { _, err := sb.Read(t.Context(), "x", &core.ReadOptions{MaxSize: -1}); return err },
		"command":      func() error { _, err := sb.Execute(t.Context(), nil); return err },
	} {
		require.ErrorIs(t, call(), core.ErrInvalid, name)
	}
	require.Len(t, b.paths, 2, "an invalid call reached the driver")
}

func TestErrorsGetTheirPlace(t *testing.T) {
	b := &stubBackend{err: fs.ErrNotExist}
	sb := start(t, &stub{name: "stub", backend: b})
	err := sb.Upload(t.Context(), "a/b", strings.NewReader(""), nil)
	own, ok := errors.AsType[*core.Error](err)
	require.True(t, ok)
	require.Equal(t, "stub upload a/b not_found", strings.Join([]string{own.Driver, own.Op, own.Path, string(own.Code)}, " "))
	require.ErrorIs(t, err, fs.ErrNotExist)

	r, err := sb.Read(t.Context(), "a/b", nil)
	require.NoError(t, err)
	_, err = io.ReadAll(r)
	require.ErrorIs(t, err, core.ErrNotFound)
	require.ErrorContains(t, err, `stub: read: "a/b"`)

	b.err = &core.Error{Code: core.ErrConflict, Op: "own", Driver: "own", Path: "own"}
	require.ErrorContains(t, sb.Upload(t.Context(), "x", strings.NewReader(""), nil), `own: own: "own": conflict`, "what an error says itself stays")
	res, err := sb.Execute(t.Context(), core.Shell("true"))
	require.ErrorIs(t, err, core.ErrConflict)
	require.NotNil(t, res, "a result beside an error is passed on")
}

func TestStartOfALazySandboxIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &stub{backend: &stubBackend{}, begin: func(context.Context) error { time.Sleep(time.Second); return nil }}
		sb := start(t, d, lazy)
		require.Zero(t, d.starts.Load())
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				if _, err := sb.Execute(t.Context(), core.Shell("true")); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		require.EqualValues(t, 1, d.starts.Load())
	})
}

func TestFailedLazyStartIsTriedAgain(t *testing.T) {
	fails := true
	d := &stub{backend: &stubBackend{}}
	d.begin = func(context.Context) error {
		if fails {
			return core.ErrUnavailable
		}
		return nil
	}
	sb := start(t, d, lazy)
	require.ErrorIs(t, sb.Start(t.Context()), core.ErrUnavailable)
	fails = false
	require.NoError(t, sb.Start(t.Context()))
	require.EqualValues(t, 2, d.starts.Load())
	_, err := core.Start(t.Context(), &stub{begin: func(context.Context) error { return core.ErrResource }}, spec())
	require.ErrorIs(t, err, core.ErrResource)
	_, err = core.Start(t.Context(), nil, spec())
	require.ErrorIs(t, err, core.ErrInvalid)
}

func TestWaiterHonoursItsOwnContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &stub{backend: &stubBackend{}, begin: func(ctx context.Context) error {
			select {
			case <-time.After(time.Hour):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}}
		sb := start(t, d, lazy)
		go func() { _ = sb.Start(context.Background()) }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begun := time.Now()
		_, err := sb.Execute(ctx, core.Shell("true"))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, time.Second, time.Since(begun))
	})
}

// TestStopDuringALazyStart: the start ends at once, and nothing of it is left.
func TestStopDuringALazyStart(t *testing.T) {
	for name, obeys := range map[string]bool{"a driver that heeds its context": true, "a driver that has started it already": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := &stubBackend{}
				d := &stub{backend: b, begin: func(ctx context.Context) error {
					select {
					case <-time.After(5 * time.Second):
					case <-ctx.Done():
						if obeys {
							return ctx.Err()
						}
					}
					return nil
				}}
				sb := start(t, d, lazy)
				ended := make(chan error)
				go func() {
					_, err := sb.Execute(context.Background(), core.Shell("true"))
					ended <- err
				}()
				synctest.Wait()
				stopped := make(chan error)
				go func() { stopped <- sb.Stop(context.Background()) }()
				err := <-ended
				require.NoError(t, <-stopped)
				if obeys {
					require.ErrorIs(t, err, core.ErrStopped)
					require.Zero(t, b.stops.Load())
				} else {
					require.EqualValues(t, 1, b.stops.Load(), "what was started is stopped")
				}
				_, err = sb.Execute(context.Background(), core.Shell("true"))
				require.ErrorIs(t, err, core.ErrStopped)
				require.EqualValues(t, 1, d.starts.Load())
			})
		})
	}
}

// TestStopRacesWithUse: whatever the order, at most one start, one stop for it, and no sandbox left.
func TestStopRacesWithUse(t *testing.T) {
	for range 200 {
		b := &stubBackend{}
		d := &stub{backend: b}
		sb, err := core.Start(t.Context(), d, spec(lazy))
		require.NoError(t, err)
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				if _, err := sb.Execute(t.Context(), core.Shell("true")); err != nil && !errors.Is(err, core.ErrStopped) {
					t.Error(err)
				}
			})
			all.Go(func() {
				if err := sb.Stop(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		require.LessOrEqual(t, d.starts.Load(), int64(1))
		require.Equal(t, d.starts.Load(), b.stops.Load())
	}
}

func TestStopGoesOnWithoutItsCaller(t *testing.T) {
	b := &stubBackend{}
	sb := start(t, &stub{backend: b})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, sb.Stop(ctx))
	require.NoError(t, sb.Stop(ctx))
	require.EqualValues(t, 1, b.stops.Load())
}

// slowStop is a Backend whose Stop goes on until its context ends.
type slowStop struct{ stubBackend }

func (b *slowStop) Stop(ctx context.Context) error {
	<-ctx.Done()
	return core.Ended(ctx)
}

func TestStopThatTakesTooLongIsATimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sb, err := core.Start(t.Context(), &stub{backend: new(slowStop)}, &core.Spec{Runtime: &core.Runtime{Image: "debian"}})
		require.NoError(t, err)
		began := time.Now()
		err = sb.Stop(t.Context())
		require.Equal(t, core.StopTimeout, time.Since(began))
		require.Equal(t, core.ErrTimeout, core.CodeOf(err))
	})
}

func TestCallsUnderWayAreStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &stubBackend{hold: make(chan struct{}), err: core.ErrLost}
		sb := start(t, &stub{backend: b})
		ended := make(chan error)
		go func() {
			_, err := sb.Execute(context.Background(), core.Shell("true"))
			ended <- err
		}()
		synctest.Wait()
		require.NoError(t, sb.Stop(t.Context()))
		close(b.hold)
		err := <-ended
		require.ErrorIs(t, err, core.ErrStopped)
		require.ErrorIs(t, err, core.ErrLost, "the cause is kept")
	})
}

// patient is a Backend that takes a command's timeout seriously.
type patient struct{ stubBackend }

func (b *patient) Execute(_ context.Context, cmd *core.Command) (*core.Result, error) {
	time.Sleep(cmd.Timeout)
	return &core.Result{Reason: core.TimedOut, Duration: cmd.Timeout}, nil
}

func TestTheStartOfALazySandboxIsNoTimeOfTheCommand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &stub{backend: new(patient), begin: func(ctx context.Context) error {
			select {
			case <-time.After(time.Hour):
				return nil
			case <-ctx.Done():
				return core.Ended(ctx)
			}
		}}
		began := time.Now()
		res, err := start(t, d, lazy).Execute(t.Context(), &core.Command{Shell: "true", Timeout: time.Second})
		require.NoError(t, err)
		require.Equal(t, time.Hour+time.Second, time.Since(began))
		require.Equal(t, time.Second, res.Duration)

		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err = start(t, d, lazy).Execute(ctx, &core.Command{Shell: "true", Timeout: time.Second})
		require.ErrorIs(t, err, context.DeadlineExceeded, "the context bounds the start")
	})
}

func TestUnusedLazySandboxMakesNoCall(t *testing.T) {
	d := &stub{backend: &stubBackend{}, infoErr: errors.New("called")}
	sb := start(t, d, lazy)
	require.NoError(t, sb.Stop(t.Context()))
	require.Zero(t, d.starts.Load())
	require.Nil(t, sb.Unwrap())
	require.ErrorIs(t, sb.Start(t.Context()), core.ErrStopped)
}
