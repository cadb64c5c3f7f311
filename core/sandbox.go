package core

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// StopTimeout bounds Sandbox.Stop, which does its work even if its context has ended.
const StopTimeout = 15 * time.Second

// Sandbox is what users hold: a Backend that checks every argument before the
// driver sees it, starts on first use if it is lazy, stops once, and gives
// every error the same form.
type Sandbox struct {
	driver Driver
	spec   *Spec

	starting chan struct{} // holds a token while nobody starts the sandbox

	mu      sync.Mutex // guards what a start sets
	name    string     // the driver's
	caps    []Capability
	backend Backend

	stopping atomic.Bool
	closed   context.Context // ends when Stop is called, so that a start under way ends too
	close    context.CancelFunc

	stopMu  sync.Mutex // held while stopping; guards stopped
	stopped bool
}

var (
	_ Backend  = (*Sandbox)(nil)
	_ Declarer = (*Sandbox)(nil)
)

// Start makes a sandbox from spec on driver. It returns ErrInvalid for a spec
// that cannot be started anywhere, before any engine call. Unless spec.Lazy is
// set the sandbox is running when Start returns. The caller must Stop it. The
// spec must not be changed afterwards.
func Start(ctx context.Context, driver Driver, spec *Spec) (*Sandbox, error) {
	if driver == nil {
		return nil, Errorf(ErrInvalid, "start", "driver is nil")
	}
	if err := spec.Validate(); err != nil {
		return nil, annotate(err, "start", "")
	}
	s := newSandbox(ctx, driver, spec)
	if spec.Lazy {
		return s, nil
	}
	if err := s.Start(ctx); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// newSandbox returns one that has no Backend yet.
func newSandbox(ctx context.Context, driver Driver, spec *Spec) *Sandbox {
	s := &Sandbox{driver: driver, spec: spec.WithDefaults(), starting: make(chan struct{}, 1)}
	s.starting <- struct{}{}
	s.closed, s.close = context.WithCancel(context.WithoutCancel(ctx))
	return s
}

// Start starts a lazy sandbox that has not been used yet. On a running one it does nothing.
func (s *Sandbox) Start(ctx context.Context) error {
	_, err := s.ready(ctx, "start")
	return err
}

// Execute runs one command; see Backend.
func (s *Sandbox) Execute(ctx context.Context, cmd *Command) (*Result, error) {
	if err := cmd.Validate(); err != nil {
		return nil, s.fail("execute", "", err)
	}
	b, err := s.ready(ctx, "execute")
	if err != nil {
		return nil, err
	}
	res, err := b.Execute(ctx, cmd)
	return res, s.fail("execute", "", err)
}

// Upload writes a file; see Backend.
func (s *Sandbox) Upload(ctx context.Context, path string, src io.Reader, opts *UploadOptions) error {
	clean, err := CleanFilePath(path)
	switch {
	case err != nil:
		return s.fail("upload", path, err)
	case src == nil:
		return s.fail("upload", path, invalidf("src is nil"))
	case opts == nil:
		opts = new(UploadOptions)
	case opts.Mode&^0o777 != 0:
		return s.fail("upload", path, invalidf("mode %#o: use permission bits only", opts.Mode))
	}
	b, err := s.ready(ctx, "upload")
	if err != nil {
		return err
	}
	return s.fail("upload", path, b.Upload(ctx, clean, src, opts))
}

// Read opens a file; see Backend.
func (s *Sandbox) Read(ctx context.Context, path string, opts *ReadOptions) (io.ReadCloser, error) {
	clean, err := CleanFilePath(path)
	switch {
	case err != nil:
		return nil, s.fail("read", path, err)
	case opts == nil:
		opts = new(ReadOptions)
	case opts.Offset < 0 || opts.Limit < 0 || opts.MaxSize < 0:
		return nil, s.fail("read", path, invalidf("offset, limit and maximum size must not be negative"))
	}
	b, err := s.ready(ctx, "read")
	if err != nil {
		return nil, err
	}
	r, err := b.Read(ctx, clean, opts)
	if err != nil {
		return nil, s.fail("read", path, err)
	}
	return &sandboxReader{ReadCloser: r, sandbox: s, path: path}, nil
}

// Stop ends and removes the sandbox; see Backend. It goes on even if ctx has
// ended, for StopTimeout at most, so that a cancelled caller leaks nothing. One
// that failed may be called again. A sandbox that was never started makes no engine call.
func (s *Sandbox) Stop(ctx context.Context) error {
	s.stopping.Store(true)
	s.close()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), StopTimeout)
	defer cancel()
	s.stopMu.Lock()
	defer s.stopMu.Unlock()
	if s.stopped {
		return nil
	}
	select {
	case <-s.starting: // after a start under way, which close has cancelled
		defer func() { s.starting <- struct{}{} }()
	case <-ctx.Done():
		return s.fail("stop", "", &Error{Code: ErrTimeout, Err: errors.New("a start under way does not end")})
	}
	if b := s.Unwrap(); b != nil {
		if err := b.Stop(ctx); err != nil {
			e := annotate(err, "stop", "")
			if e.Code == ErrCanceled && ctx.Err() != nil { // nobody has cancelled it: it took too long
				e = &Error{Code: ErrTimeout, Op: "stop", Err: e}
			}
			return s.place(e)
		}
	}
	s.stopped = true
	return nil
}

// Spec returns the specification with its defaults filled in. It must not be changed.
func (s *Sandbox) Spec() *Spec { return s.spec }

// Capabilities returns what the driver declared; nil until the sandbox is started.
func (s *Sandbox) Capabilities() []Capability {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.caps
}

// Unwrap returns the driver's Backend, or nil until the sandbox is started.
func (s *Sandbox) Unwrap() Backend {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.backend
}

// ready returns the driver's Backend, started if need be.
func (s *Sandbox) ready(ctx context.Context, op string) (Backend, error) {
	if s.stopping.Load() {
		return nil, s.place(&Error{Code: ErrStopped, Op: op})
	}
	if b := s.Unwrap(); b != nil {
		return b, nil
	}
	select {
	case <-s.starting:
		defer func() { s.starting <- struct{}{} }()
	case <-ctx.Done():
		return nil, s.fail(op, "", Ended(ctx))
	}
	if s.stopping.Load() { // while this call waited
		return nil, s.place(&Error{Code: ErrStopped, Op: op})
	}
	if b := s.Unwrap(); b != nil {
		return b, nil
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(s.closed, func() { cancel(&Error{Code: ErrStopped}) })()
	b, err := s.driver.Start(ctx, s.spec)
	if err != nil {
		return nil, s.fail(op, "", err)
	}
	if err := s.take(ctx, b); err != nil {
		return nil, s.fail(op, "", err)
	}
	return b, nil
}

// take makes a driver's Backend that of the sandbox, or stops it if that cannot be.
func (s *Sandbox) take(ctx context.Context, b Backend) error {
	caps, err := s.declared(ctx, b)
	if err == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.backend, s.caps = b, caps
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), StopTimeout)
	defer cancel()
	if stopErr := b.Stop(ctx); stopErr != nil {
		return fmt.Errorf("%w, and it cannot be stopped: %w", err, stopErr)
	}
	return err
}

// declared returns the driver's capabilities. A Backend that knows them saves a call to the engine.
func (s *Sandbox) declared(ctx context.Context, b Backend) ([]Capability, error) {
	if d, ok := b.(Declarer); ok {
		return d.Capabilities(), nil
	}
	info, err := s.driver.Info(ctx)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.name = info.Driver
	return info.Capabilities, nil
}

// fail gives an error its final form: with its place, and as ErrStopped if Stop has been called meanwhile.
func (s *Sandbox) fail(op, path string, err error) error {
	if err == nil {
		return nil
	}
	e := annotate(err, op, path)
	if s.stopping.Load() && e.Code != ErrStopped {
		e = &Error{Code: ErrStopped, Op: op, Path: path, Err: e}
	}
	return s.place(e)
}

func (s *Sandbox) place(e *Error) *Error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.Driver == "" {
		e.Driver = s.name
	}
	return e
}

// annotate completes an error with what was done, and with which file.
func annotate(err error, op, path string) *Error { return Complete(err, Error{Op: op, Path: path}) }

type sandboxReader struct {
	io.ReadCloser
	sandbox *Sandbox
	path    string
}

func (r *sandboxReader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	if err != nil && err != io.EOF { //nolint:errorlint // io.EOF is never wrapped
		err = r.sandbox.fail("read", r.path, err)
	}
	return n, err
}
