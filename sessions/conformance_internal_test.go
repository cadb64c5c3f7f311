package sessions

import (
	"context"
	"errors"
	"testing"

	"github.com/caisson-dev/caisson/conformance"
	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/drivers/fake"
)

// TestConformance runs the whole suite through sessions, which have to keep every promise of a driver.
func TestConformance(t *testing.T) {
	if testing.Short() {
		t.Skip("the suite takes its time; run without -short")
	}
	d := fake.New(nil)
	conformance.Run(t, &conformance.Harness{
		Name:         "sessions",
		Open:         func(context.Context) (core.Driver, error) { return plain{d}, nil },
		Spec:         core.Spec{Runtime: &core.Runtime{Image: "debian:bookworm"}},
		Start:        startSession,
		MissingImage: "missing/image:latest",
		Census:       func(_ context.Context, owner string) ([]string, error) { return d.Owned(owner), nil },
		Lose:         func(_ context.Context, id string) error { d.Lose(id); return nil },
	})
}

// plain hides that a driver has workspaces and finds sandboxes again: a session
// has both from its manager, and takes no workspace that a specification names.
type plain struct{ core.Driver }

// startSession starts a session that looks like a core.Sandbox, with a manager of its own.
func startSession(ctx context.Context, driver core.Driver, spec *core.Spec) (conformance.Sandbox, error) {
	if p, ok := driver.(plain); ok {
		driver = p.Driver
	}
	if err := spec.Validate(); err != nil || spec.Lazy { // a session is never lazy
		return sandboxOf(core.Start(ctx, driver, spec))
	}
	template := *spec
	o := &Options{DefaultRuntime: spec.Runtime, Owner: spec.Owner, Lease: spec.Lease}
	if o.Lease == 0 {
		o.Lease = NoLease
	}
	template.Runtime, template.Owner, template.Lease, template.Workspace = nil, "", 0, ""
	o.Spec = template
	m, err := New(driver, o)
	if err != nil {
		return nil, err
	}
	s, err := m.GetOrCreate(ctx, newPoolWorkspace(), nil)
	if err != nil {
		_, shutErr := m.Shutdown(ctx)
		return nil, errors.Join(err, shutErr)
	}
	return &suited{s}, nil
}

func sandboxOf(sb *core.Sandbox, err error) (conformance.Sandbox, error) {
	if err != nil {
		return nil, err
	}
	return sb, nil
}

// suited gives a session what only a core.Sandbox has.
type suited struct{ *Session }

func (s *suited) Start(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended
}
func (s *suited) Spec() *core.Spec     { return s.sandbox.Spec() }
func (s *suited) Unwrap() core.Backend { return s.sandbox.Unwrap() }
