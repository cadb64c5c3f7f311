package sessions

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/caisson-dev/caisson/core"
)

// Defaults of PoolOptions.
const (
	DefaultPoolMin    = 2
	DefaultPoolMaxAge = time.Hour
	DefaultPoolCheck  = 30 * time.Second
)

// Exhausted says what Claim does when no warm sandbox is ready.
type Exhausted string

// What a Claim can do without a warm sandbox.
const (
	ExhaustedStart Exhausted = "start" // the default: start a sandbox and wait for that
	ExhaustedWait  Exhausted = "wait"  // wait until the pool has one
	ExhaustedFail  Exhausted = "fail"  // return ErrLimit
)

// PoolOptions says how many warm sandboxes a Pool keeps. The zero value and nil are the defaults.
type PoolOptions struct {
	// Runtimes are those for which a Manager keeps a pool; none means its
	// DefaultRuntime. A Pool of its own does not look at it.
	Runtimes []*core.Runtime
	// Min is how many sandboxes are kept ready; 0 means DefaultPoolMin.
	Min int
	// Max is how many may be ready or starting, when more claims wait than Min;
	// 0 means twice Min.
	Max int
	// MaxAge is when a sandbox that nobody has claimed is replaced by a fresh one; 0 means DefaultPoolMaxAge.
	MaxAge time.Duration
	// CheckInterval is how often those that are ready are asked whether they live; 0 means DefaultPoolCheck.
	CheckInterval time.Duration
	// Exhausted is what happens when none is ready; empty means ExhaustedStart.
	Exhausted Exhausted
}

func (o *PoolOptions) withDefaults() (*PoolOptions, error) {
	c := PoolOptions{}
	if o != nil {
		c = *o
	}
	for _, d := range []struct {
		field    *time.Duration
		standard time.Duration
	}{{&c.MaxAge, DefaultPoolMaxAge}, {&c.CheckInterval, DefaultPoolCheck}} {
		if *d.field <= 0 {
			*d.field = d.standard
		}
	}
	if c.Min == 0 {
		c.Min = DefaultPoolMin
	}
	if c.Max == 0 {
		c.Max = 2 * c.Min
	}
	if c.Exhausted == "" {
		c.Exhausted = ExhaustedStart
	}
	switch {
	case c.Min < 0 || c.Max < c.Min:
		return nil, invalidf("pool: Min %d and Max %d: use 0 < Min <= Max", c.Min, c.Max)
	case !slices.Contains([]Exhausted{ExhaustedStart, ExhaustedWait, ExhaustedFail}, c.Exhausted):
		return nil, invalidf("pool: Exhausted %q: use start, wait or fail", c.Exhausted)
	}
	return &c, nil
}

// Pool keeps sandboxes of one kind warm, so that getting one takes no start. Its
// methods may be called from many goroutines at once.
type Pool struct {
	options *PoolOptions
	start   func(context.Context) (*core.Sandbox, error)
	discard func(context.Context, *core.Sandbox) error

	closing context.Context // ends with Close, and starts with it
	cancel  context.CancelFunc
	kick    chan struct{}  // tells that there may be something to start
	work    sync.WaitGroup // what runs in the background

	mu       sync.Mutex
	ready    []warm // oldest first
	starting int
	waiters  []chan claim // oldest first
	closed   bool
	failures int // starts in a row
	resting  time.Time
}

// warm is a sandbox that nobody has claimed.
type warm struct {
	sandbox *core.Sandbox
	since   time.Time
}

// claim is what a waiter gets.
type claim struct {
	sandbox *core.Sandbox
	err     error
}

// NewPool returns a pool of sandboxes that are started from spec on driver, both
// of which must stay as they are. The caller must call Close.
func NewPool(driver core.Driver, spec *core.Spec, o *PoolOptions) (*Pool, error) {
	if driver == nil {
		return nil, invalidf("driver is nil")
	}
	if err := spec.Validate(); err != nil {
		return nil, err
	}
	if spec.Workspace != "" {
		return nil, invalidf("pool: Spec.Workspace: one sandbox at a time can have a workspace")
	}
	return newPool(o, func(ctx context.Context) (*core.Sandbox, error) {
		eager := *spec
		eager.Lazy = false
		return core.Start(ctx, driver, &eager)
	}, func(ctx context.Context, sb *core.Sandbox) error { return sb.Stop(ctx) })
}

func newPool(o *PoolOptions, start func(context.Context) (*core.Sandbox, error), discard func(context.Context, *core.Sandbox) error) (*Pool, error) {
	options, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	p := &Pool{options: options, start: start, discard: discard, kick: make(chan struct{}, 1)}
	p.closing, p.cancel = context.WithCancel(context.Background())
	p.work.Go(p.keep)
	p.poke()
	return p, nil
}

// Ready returns how many sandboxes can be claimed at once.
func (p *Pool) Ready() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.ready)
}

// Claim returns a sandbox that runs, which is then the caller's, who must Stop
// it. Without a warm one it does what PoolOptions.Exhausted says. It returns
// ErrStopped after Close.
func (p *Pool) Claim(ctx context.Context) (*core.Sandbox, error) {
	defer p.poke()
	sb, err := p.claim(ctx)
	if sb == nil && err == nil {
		return p.start(ctx)
	}
	return sb, err
}

// claim is Claim, but returns nil where that starts a sandbox. The caller pokes
// once it has what it wants: the engine, if it started the next one meanwhile,
// would take longer to hand this one over.
func (p *Pool) claim(ctx context.Context) (*core.Sandbox, error) {
	for {
		w, waiter, err := p.take()
		switch {
		case err != nil:
			return nil, err
		case waiter != nil:
			return p.await(ctx, waiter)
		case w == nil:
			return nil, nil
		}
		if err := probe(ctx, w.sandbox); err == nil {
			return w.sandbox, nil
		}
		if ctx.Err() != nil {
			p.giveBack(w.sandbox)
			return nil, core.Complete(core.Ended(ctx), core.Error{Op: "claim"})
		}
		p.drop(*w)
	}
}

// take takes a sandbox out of the pool. Without one it returns a waiter if the claim is to wait, and else nothing.
func (p *Pool) take() (*warm, chan claim, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, nil, core.Errorf(core.ErrStopped, "claim", "the pool is closed")
	}
	if len(p.ready) > 0 {
		w := p.ready[0]
		p.ready = slices.Delete(p.ready, 0, 1)
		return &w, nil, nil
	}
	switch p.options.Exhausted {
	case ExhaustedFail:
		return nil, nil, core.Errorf(core.ErrLimit, "claim", "no warm sandbox is ready")
	case ExhaustedWait:
		waiter := make(chan claim, 1)
		p.waiters = append(p.waiters, waiter)
		p.poke()
		return nil, waiter, nil
	default:
		return nil, nil, nil
	}
}

// await waits for a sandbox that was promised.
func (p *Pool) await(ctx context.Context, waiter chan claim) (*core.Sandbox, error) {
	select {
	case c := <-waiter:
		return c.sandbox, c.err
	case <-ctx.Done():
	}
	p.mu.Lock()
	i := slices.Index(p.waiters, waiter)
	if i >= 0 {
		p.waiters = slices.Delete(p.waiters, i, i+1)
	}
	p.mu.Unlock()
	if i < 0 { // it was served at the same moment
		if c := <-waiter; c.sandbox != nil {
			p.giveBack(c.sandbox)
		}
	}
	return nil, core.Complete(core.Ended(ctx), core.Error{Op: "claim"})
}

// giveBack returns a sandbox in which nothing has run.
func (p *Pool) giveBack(sb *core.Sandbox) { p.add(warm{sb, time.Now()}) }

// add makes a sandbox ready, or gives it to who waits.
func (p *Pool) add(w warm) {
	p.mu.Lock()
	switch {
	case p.closed:
		p.mu.Unlock()
		p.drop(w)
		return
	case len(p.waiters) > 0:
		p.waiters[0] <- claim{sandbox: w.sandbox}
		p.waiters = slices.Delete(p.waiters, 0, 1)
	default:
		p.ready = append(p.ready, w)
	}
	p.mu.Unlock()
}

// drop ends a sandbox in the background. Nobody can be told of an error; its lease ends what cannot be ended.
func (p *Pool) drop(w warm) {
	end := func() { _ = p.discard(context.WithoutCancel(p.closing), w.sandbox) }
	p.mu.Lock()
	closed := p.closed
	if !closed { // Close waits for it
		p.work.Go(end)
	}
	p.mu.Unlock()
	if closed {
		end()
	}
}

// Close ends every sandbox that nobody has claimed. It returns how many it has
// ended and the errors of the others joined.
func (p *Pool) Close(ctx context.Context) (int, error) {
	p.mu.Lock()
	p.closed = true
	ready, waiters := p.ready, p.waiters
	p.ready, p.waiters = nil, nil
	p.mu.Unlock()
	p.cancel()
	for _, w := range waiters {
		w <- claim{err: core.Errorf(core.ErrStopped, "claim", "the pool is closed")}
	}
	errs := make([]error, len(ready))
	var all sync.WaitGroup
	for i, w := range ready {
		all.Go(func() { errs[i] = p.discard(ctx, w.sandbox) })
	}
	all.Wait()
	quiet := make(chan struct{})
	go func() {
		defer close(quiet)
		p.work.Wait()
	}()
	select {
	case <-quiet:
	case <-ctx.Done():
		errs = append(errs, core.Complete(core.Ended(ctx), core.Error{Op: "close"}))
	}
	n := 0
	for _, err := range errs {
		if err == nil {
			n++
		}
	}
	return n, errors.Join(errs...)
}
