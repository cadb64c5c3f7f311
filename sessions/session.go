package sessions

import (
	"context"
	"io"
	"sync"
	"time"

	"github.com/caisson-dev/caisson/core"
)

// Session is the sandbox of one user. It is a core.Backend, and has the
// optional verbs that the driver declares. Once it has ended, all its calls
// return ErrStopped, or ErrLost if the sandbox was lost; it never comes back,
// but GetOrCreate returns the one that took its place.
type Session struct {
	id        string
	manager   *Manager
	sandbox   *core.Sandbox
	sandboxID string
	runtime   *core.Runtime
	workspace string // its name on the engine; empty if the files end with the sandbox
	link      string // another name of it; empty if there is none
	connected func() bool

	copied bool // the files were, to the host; only who ends the session uses it

	mu     sync.Mutex
	ended  error         // why calls are refused; nil while the session lives
	reason Reason        // what the session is ended for, once that has begun; see close
	calls  int           // under way
	quiet  chan struct{} // closed when calls is 0; nil unless someone waits for that
	used   time.Time     // the end of the last call, or when the session was last asked for
	seen   time.Time     // when the sandbox last answered
	doubt  bool          // the sandbox may be gone
	idle   time.Duration // its own IdleTimeout; 0 means the manager's
}

var (
	_ core.Backend  = (*Session)(nil)
	_ core.Declarer = (*Session)(nil)
)

// trusted is how long a sandbox that answered is taken to live where the driver's Backend does not know.
const trusted = 5 * time.Second

// ID returns the id that the session was asked for by.
func (s *Session) ID() string { return s.id }

// Sandbox returns the driver's id of the sandbox, or an empty string if the driver tells none.
func (s *Session) Sandbox() string { return s.sandboxID }

// Runtime returns the runtime. It must not be changed.
func (s *Session) Runtime() *core.Runtime { return s.runtime }

// LastUsed returns when the last call ended, or the session was last asked for; now if a call is under way.
func (s *Session) LastUsed() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.calls > 0 {
		return time.Now()
	}
	return s.used
}

// Execute runs a command; see core.Backend.
func (s *Session) Execute(ctx context.Context, cmd *core.Command) (*core.Result, error) {
	if err := s.begin("execute"); err != nil {
		return nil, err
	}
	began := time.Now()
	res, err := s.sandbox.Execute(ctx, cmd)
	s.finish(err)
	s.manager.telemetry.executed(ctx, res, err, time.Since(began))
	return res, err
}

// Upload writes a file; see core.Backend.
func (s *Session) Upload(ctx context.Context, path string, src io.Reader, opts *core.UploadOptions) error {
	return s.use("upload", func() error { return s.sandbox.Upload(ctx, path, src, opts) })
}

// Read opens a file; see core.Backend. The session is in use until the reader is closed or at its end.
func (s *Session) Read(ctx context.Context, path string, opts *core.ReadOptions) (io.ReadCloser, error) {
	if err := s.begin("read"); err != nil {
		return nil, err
	}
	r, err := s.sandbox.Read(ctx, path, opts)
	if err != nil {
		s.finish(err)
		return nil, err
	}
	return &reader{ReadCloser: r, finish: sync.OnceFunc(func() { s.finish(nil) })}, nil
}

// Stop ends the session as Manager.Release does, files and all, unless another
// sandbox has taken its place already.
func (s *Session) Stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*core.StopTimeout)
	defer cancel()
	_, err := s.manager.end(ctx, s.id, s, ReasonReleased)
	return err
}

// Capabilities returns what the driver declared.
func (s *Session) Capabilities() []core.Capability { return s.sandbox.Capabilities() }

// begin notes that a call begins, or refuses it.
func (s *Session) begin(op string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended != nil {
		return &core.Error{Code: core.CodeOf(s.ended), Op: op, Sandbox: s.sandboxID, Err: s.ended}
	}
	s.calls++
	return nil
}

// finish notes that a call has ended.
func (s *Session) finish(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls--
	s.used = time.Now()
	switch core.CodeOf(err) {
	case core.ErrLost, core.ErrUnavailable, core.ErrIndeterminate, core.ErrConflict, core.ErrTimeout, core.ErrProtocol,
		core.ErrPluginExited, core.ErrInternal:
		s.doubt = true
	case core.ErrCanceled, core.ErrInvalid: // nobody may have asked the sandbox
	default:
		s.seen = s.used
	}
	if s.calls == 0 && s.quiet != nil {
		close(s.quiet)
		s.quiet = nil
	}
}

func (s *Session) use(op string, do func() error) error {
	if err := s.begin(op); err != nil {
		return err
	}
	err := do()
	s.finish(err)
	return err
}

// claim returns whether the session can be handed out, and notes that it is. It
// is an error if it has another runtime than is wanted.
func (s *Session) claim(want *request) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended != nil || s.doubt || !s.answers() {
		return false, nil
	}
	if want.explicit && !sameRuntime(want.runtime, s.runtime) {
		return false, core.Errorf(core.ErrConflict, "get",
			"the session lives with another runtime (%v, not %v); release or hibernate it first, or ask for no runtime", s.runtime, want.runtime)
	}
	if want.idle != 0 {
		s.idle = want.idle
	}
	s.used = time.Now()
	return true, nil
}

// answers reports whether the sandbox is known to live, without asking it.
func (s *Session) answers() bool {
	if s.connected != nil {
		return s.connected()
	}
	return s.calls > 0 || time.Since(s.seen) < trusted
}

// close refuses calls from now on. Those under way go on. It returns what the
// session is ended for: the first reason that was given, since whoever tries
// again what has failed does not know what was wanted, unless it is released,
// after which nobody may find its files.
func (s *Session) close(refusal error, why Reason) Reason {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended == nil {
		s.ended = refusal
	}
	if s.reason == "" || why == ReasonReleased {
		s.reason = why
	}
	return s.reason
}

// expire closes the session if it has been idle for longer than most, its own
// limit or standard, the first that is set. It reports whether there is something to end.
func (s *Session) expire(most, standard time.Duration) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended != nil {
		return true // what failed to end before
	}
	limit := standard
	if s.idle != 0 {
		limit = s.idle
	}
	if most > 0 {
		limit = most
	}
	if limit < 0 || s.calls > 0 || time.Since(s.used) <= limit {
		return false
	}
	s.ended, s.reason = core.ErrStopped, ReasonIdle
	return true
}

// drain waits until no call is under way.
func (s *Session) drain(ctx context.Context) {
	s.mu.Lock()
	if s.calls == 0 {
		s.mu.Unlock()
		return
	}
	if s.quiet == nil {
		s.quiet = make(chan struct{})
	}
	quiet := s.quiet
	s.mu.Unlock()
	select {
	case <-quiet:
	case <-ctx.Done():
	}
}

// check asks the sandbox whether it lives. It is no use of the session.
func (s *Session) check(ctx context.Context) error {
	s.mu.Lock()
	ended := s.ended
	s.mu.Unlock()
	if ended != nil {
		return ended
	}
	if err := probe(ctx, s.sandbox); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.doubt, s.seen = false, time.Now()
	return nil
}

// reader ends its call with its own end.
type reader struct {
	io.ReadCloser
	finish func()
}

func (r *reader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	if err != nil {
		r.finish()
	}
	return n, err
}

func (r *reader) Close() error {
	err := r.ReadCloser.Close()
	r.finish()
	return err
}
