package conformance

import (
	"context"
	"fmt"
	"net"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/caisson-dev/caisson/core"
)

// counting is a driver that counts the calls of another.
type counting struct {
	core.Driver
	info, prepared, started atomic.Int64
}

func (d *counting) Info(ctx context.Context) (*core.Info, error) {
	d.info.Add(1)
	return d.Driver.Info(ctx)
}

func (d *counting) Prepare(ctx context.Context, rt *core.Runtime, opts *core.PrepareOptions) (*core.Prepared, error) {
	d.prepared.Add(1)
	return d.Driver.Prepare(ctx, rt, opts)
}

func (d *counting) Start(ctx context.Context, spec *core.Spec) (core.Backend, error) {
	d.started.Add(1)
	return d.Driver.Start(ctx, spec)
}

func (d *counting) starts() int64 { return d.started.Load() }
func (d *counting) calls() int64  { return d.info.Load() + d.prepared.Load() + d.started.Load() }

// interrupted is a driver whose caller gives up after some time in Start.
type interrupted struct {
	core.Driver
	after  time.Duration
	cancel context.CancelFunc
}

func (d *interrupted) Start(ctx context.Context, spec *core.Spec) (core.Backend, error) {
	if d.after == 0 {
		d.cancel()
	} else {
		defer time.AfterFunc(d.after, d.cancel).Stop()
	}
	return d.Driver.Start(ctx, spec)
}

// startCut starts a sandbox of which the caller gives up after some time. It stops one that was quicker.
func (e *Env) startCut(after time.Duration, spec *core.Spec) error {
	e.Helper()
	ctx, cancel := context.WithCancel(e.Context())
	defer cancel()
	sb, err := e.run.start(ctx, &interrupted{Driver: e.Driver(), after: after, cancel: cancel}, spec)
	if err == nil {
		want(e, "stop", sb.Stop(e.Context()), nil)
	}
	return err
}

// needCensus skips the case if the harness cannot say what is left.
func (e *Env) needCensus() {
	e.Helper()
	if e.run.harness.Census == nil {
		e.Skipf("the harness has no census")
	}
}

// owner returns an owner of the case's own, which the census at the end of the run counts too.
func (e *Env) owner() string {
	owner := "conformance-" + e.Marker
	e.run.mu.Lock()
	defer e.run.mu.Unlock()
	e.run.owners[owner] = true
	return owner
}

// counted starts a sandbox under an owner of its own, so that the census can tell it from others.
func (e *Env) counted() (sb Sandbox, owner string) {
	e.Helper()
	e.needCensus()
	owner = e.owner()
	return e.Own(func(s *core.Spec) { s.Owner = owner }), owner
}

// census reports what is left of the sandboxes of an owner. It gives an engine a moment to clear up.
func (e *Env) census(owner string) {
	e.Helper()
	var left []string
	for range 20 {
		var err error
		left, err = e.run.harness.Census(e.Context(), owner)
		if err != nil {
			e.broken("take the census", err)
		}
		if len(left) == 0 {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	e.Errorf("census: expected nothing left, got %q", left)
}

// baseline runs f and reports goroutines that are left of it.
func (e *Env) baseline(done string, f func()) {
	e.Helper()
	const slack = 5
	before := runtime.NumGoroutine()
	f()
	after := 0
	for range 50 {
		if after = runtime.NumGoroutine(); after <= before+slack {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	e.Errorf("goroutines after %s: expected about the %d of before, got %d", done, before, after)
}

// missingImage returns a reference that the engine cannot have.
func (e *Env) missingImage() string {
	e.Helper()
	if image := e.run.harness.MissingImage; image != "" {
		return image
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		e.broken("find a port that nothing serves", err)
	}
	defer l.Close()
	return fmt.Sprintf("%s/conformance/missing:%s", l.Addr(), e.Marker)
}
