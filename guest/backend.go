package guest

import (
	"context"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/guest/protocol"
)

// Options tells how to reach one sandbox. Open and Remove are required.
type Options struct {
	Driver, ID string // for errors and Info
	// Config is what the runner is told: work directory, environment and limits.
	Config protocol.Config
	// Open starts a runner and returns its standard input and output as one
	// stream. It is called again after a stream broke, never twice at once. A
	// Close of the stream unblocks its Read and Write, and ends the runner.
	Open func(ctx context.Context) (io.ReadWriteCloser, error)
	// Restart ends every process of the sandbox at once and keeps its files.
	// It is what helps when the runner does not answer. Nil is for a runner in a
	// sandbox of another: what that runner does not end lives on, which is an
	// ErrResource, and Remove is not called for it.
	Restart func(ctx context.Context) error
	// Remove ends and removes the sandbox. It may be called again and again.
	Remove func(ctx context.Context) error
	// Alive returns nil while the sandbox runs, else an *core.Error that says
	// why it does not: lost, unavailable, conflict. Nil means it is not known.
	Alive func(ctx context.Context) error
	// Check compares what the kernel enforces with what was asked for; an error fails NewBackend.
	Check func(*protocol.Facts) error
	// Info is what the driver knows of the sandbox; the rest comes from the Facts.
	Info core.SandboxInfo
}

// Bounds of what the host waits for.
const (
	helloTimeout   = 20 * time.Second // a runner's greeting
	killPatience   = time.Second      // the confirmation of a kill, before the sandbox is restarted
	restartTimeout = 5 * time.Second  // a restart, before the sandbox is removed
	removeTimeout  = 5 * time.Second  // that removal, before it is left to Stop
	aliveTimeout   = 3 * time.Second  // the engine's word on whether a sandbox runs
	outputPatience = time.Second      // a writer of the caller's, once the command is over
)

// Backend is a core.Backend over a stream to a runner. It has the optional file verbs and Info.
type backend struct {
	opts    *Options
	opening chan struct{} // holds a token while no stream is being opened
	facts   atomic.Pointer[protocol.Facts]
	stopped atomic.Bool
	lost    atomic.Bool
	stopMu  sync.Mutex

	mu   sync.Mutex
	link *link // the present stream; nil if there was none or it broke
}

var (
	_ core.Backend  = (*backend)(nil)
	_ core.Informer = (*backend)(nil)
	_ core.Declarer = (*backend)(nil)
)

// NewBackend opens the stream, greets the runner and checks what it reports.
// On an error the caller still has to remove the sandbox.
func NewBackend(ctx context.Context, o *Options) (core.Backend, error) {
	b := newBackend(o)
	if _, err := b.connect(ctx); err != nil {
		return nil, err
	}
	if o.Check != nil {
		if err := o.Check(b.facts.Load()); err != nil {
			b.disconnect(protocol.ErrClosed)
			return nil, b.fail("start", "", err)
		}
	}
	return b, nil
}

// newBackend returns a backend that opens the stream on first use.
func newBackend(o *Options) *backend {
	b := &backend{opts: o, opening: make(chan struct{}, 1)}
	b.opening <- struct{}{}
	return b
}

// Stop removes the sandbox. Calls under way return ErrStopped.
func (b *backend) Stop(ctx context.Context) error {
	b.stopped.Store(true)
	b.stopMu.Lock()
	defer b.stopMu.Unlock()
	err := b.opts.Remove(ctx)
	b.disconnect(protocol.ErrClosed)
	if err != nil {
		return b.place("stop", "", err)
	}
	return nil
}

// Info describes the sandbox.
func (b *backend) Info(context.Context) (*core.SandboxInfo, error) {
	if b.stopped.Load() {
		return nil, b.fail("info", "", core.ErrStopped)
	}
	info, facts := b.opts.Info, b.facts.Load()
	info.ID, info.WorkDir = b.opts.ID, b.opts.Config.WorkDir
	info.UID, info.GID = facts.UID, facts.GID
	info.Seccomp, info.NoNewPrivs, info.Capabilities = facts.Seccomp == 2, facts.NoNewPrivs, facts.Capabilities
	info.Limits.Memory, info.Limits.CPUs, info.Limits.PIDs = facts.Memory, facts.CPUs, facts.PIDs
	return &info, nil
}

// Capabilities returns those of every guest.
func (b *backend) Capabilities() []core.Capability {
	return append(core.FileCapabilities(), core.CapInfo)
}

// Connected reports whether the stream to the runner stands. While it does the
// sandbox lives; without it the next call connects again, or says what became of the sandbox.
func (b *backend) Connected() bool { return b.current() != nil }

// fail gives an error its driver and sandbox, and the code that says what became of the sandbox.
func (b *backend) fail(op, path string, err error) error {
	if b.stopped.Load() && core.CodeOf(err) != core.ErrStopped {
		err = &core.Error{Code: core.ErrStopped, Err: err}
	}
	return b.place(op, path, err)
}

// place completes an error with where it happened.
func (b *backend) place(op, path string, err error) error {
	e := core.Complete(err, core.Error{Path: path})
	e.Op = op
	if b.opts.Driver != "" {
		e.Driver, e.Sandbox = b.opts.Driver, b.opts.ID
	}
	return e
}
