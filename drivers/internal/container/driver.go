package container

import (
	"context"
	"errors"
	"io"
	"slices"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/caisson-dev/caisson/core"
)

// ErrNoAnswer is the cause of a context that ended because the engine took too
// long, rather than because the caller wants no more.
var ErrNoAnswer = errors.New("no answer in time")

// within bounds what an engine is asked.
func within(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, d, ErrNoAnswer)
}

// ended returns the error for a context that has ended, from within or not.
func ended(ctx context.Context) error {
	if errors.Is(context.Cause(ctx), ErrNoAnswer) {
		return core.Errorf(core.ErrTimeout, "", "the engine gives %w", ErrNoAnswer)
	}
	return core.Ended(ctx)
}

// Await calls do, which does not look at the context, on a goroutine, and returns
// its result or why ctx has ended. A connection that comes too late is closed.
func Await[C io.Closer](ctx context.Context, do func() (C, error)) (C, error) {
	type answer struct {
		conn C
		err  error
	}
	answered := make(chan answer, 1)
	go func() {
		conn, err := do()
		answered <- answer{conn, err}
	}()
	select {
	case a := <-answered:
		return a.conn, a.err
	case <-ctx.Done():
		go func() {
			if a := <-answered; a.err == nil {
				_ = a.conn.Close()
			}
		}()
		var none C
		return none, context.Cause(ctx)
	}
}

// Bounds of what an engine may take.
const (
	pingTimeout   = 5 * time.Second
	firstTimeout  = 10 * time.Second // for the first answer that a start needs
	layerTimeout  = 2 * time.Minute
	startTimeout  = time.Minute
	removeTimeout = 10 * time.Second
	// startsAtOnce is how many sandboxes an engine is asked to start at a time. More
	// do not start sooner, and make it too slow to answer anything else.
	startsAtOnce = 8
)

// Driver is a core.Driver over an Engine.
type Driver struct {
	scheme   string
	engine   Engine
	layers   singleflight.Group // by tag
	infos    singleflight.Group // an engine takes long for many questions at once
	pulls    flights[struct{}]  // by reference
	builds   flights[*built]    // by tag
	guards   guards
	starting chan struct{} // a slot for each start under way
	holder   string        // of claims: this process
}

var _ core.Driver = (*Driver)(nil)

// New returns the driver of an engine. It owns the engine.
func New(scheme string, engine Engine) *Driver {
	return &Driver{scheme: scheme, engine: patient{engine}, starting: make(chan struct{}, startsAtOnce), holder: token()}
}

// Info describes the engine; see core.Driver.
func (d *Driver) Info(ctx context.Context) (*core.Info, error) {
	asked := d.infos.DoChan("", func() (any, error) {
		whole := context.WithoutCancel(ctx)
		if err := d.engine.Ping(whole); err != nil { // a dead engine is to be told from a busy one
			return nil, err
		}
		return d.engine.Info(whole)
	})
	mine, cancel := within(ctx, pingTimeout+Patience) // whatever has become of the question
	defer cancel()
	var answer singleflight.Result
	select {
	case answer = <-asked:
	case <-mine.Done():
		return nil, d.fail("info", ended(mine))
	}
	if answer.Err != nil {
		return nil, d.fail("info", answer.Err)
	}
	shared := *answer.Val.(*core.Info) //nolint:errcheck,forcetypeassert // what the function above returned
	info := &shared
	info.Driver, info.LeaseGrace = d.scheme, leaseGrace
	info.Capabilities = append(core.FileCapabilities(), core.CapInfo, core.CapImages, core.CapBuild, core.CapNetwork, core.CapIsolation)
	for weakening, capability := range map[core.Weakening]core.Capability{
		core.WeakenMemory: core.CapLimitMemory, core.WeakenCPU: core.CapLimitCPU, core.WeakenPIDs: core.CapLimitPIDs,
	} {
		if !slices.Contains(info.Isolation.Missing, weakening) {
			info.Capabilities = append(info.Capabilities, capability)
		}
	}
	slices.Sort(info.Capabilities)
	return info, nil
}

// Prepare makes the runtime's image present, with the helper in it; see core.Driver.
func (d *Driver) Prepare(ctx context.Context, rt *core.Runtime, opts *core.PrepareOptions) (*core.Prepared, error) {
	if opts == nil {
		opts = new(core.PrepareOptions)
	}
	if err := rt.Validate(); err != nil {
		return nil, d.fail("prepare", err)
	}
	rt = rt.WithDefaults()
	p, err := d.prepare(ctx, rt, rt.User, opts)
	if err != nil {
		return nil, d.fail("prepare", err)
	}
	return &core.Prepared{Image: p.tag, ID: p.ID, Built: p.built}, nil
}

// Start starts a sandbox; see core.Driver.
func (d *Driver) Start(ctx context.Context, spec *core.Spec) (core.Backend, error) {
	img, err := d.prepare(ctx, spec.Runtime, user(spec), &core.PrepareOptions{Progress: spec.Progress})
	if err != nil {
		return nil, d.fail("start", err)
	}
	select {
	case d.starting <- struct{}{}:
		defer func() { <-d.starting }()
	case <-ctx.Done():
		return nil, d.fail("start", core.Ended(ctx))
	}
	b, err := d.launch(ctx, spec, img)
	if err == nil {
		return b, nil
	}
	if core.CodeOf(err) == core.ErrLost { // as when the engine cannot run the image's programs
		if wrong := d.runnable(ctx, spec.Runtime, img.Image); core.CodeOf(wrong) == core.ErrUnsupported {
			err = wrong
		}
	}
	return nil, d.fail("start", err)
}

// Close releases the connection; see core.Driver.
func (d *Driver) Close() error {
	d.guards.close()
	return d.engine.Close()
}

// fail gives an error its place.
func (d *Driver) fail(op string, err error) error {
	e := core.Complete(err, core.Error{Driver: d.scheme})
	e.Op = op
	return e
}
