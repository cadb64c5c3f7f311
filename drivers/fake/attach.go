package fake

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/guest"
)

var (
	_ core.Attacher = (*Driver)(nil)
	_ core.Joiner   = (*Driver)(nil)
)

// Sibling returns a driver on the same engine, as another process has one.
func (d *Driver) Sibling() *Driver { return &Driver{engine: d.engine} }

// Crash ends the process that the driver stands for, as SIGKILL does: its
// streams break, it renews no lease, and it makes no further call. Its
// sandboxes live on until their leases end.
func (d *Driver) Crash() {
	d.crashed.Store(true)
	d.mu.Lock()
	all := d.all()
	d.mu.Unlock()
	for _, s := range all {
		if h := s.held(); h != nil && h.driver == d {
			s.cut()
			if s.spec.Lease > 0 {
				time.AfterFunc(s.spec.Lease, h.expire)
			}
		}
	}
}

// hold is a process's hold of a sandbox, from its Start or Attach until another process attaches.
type hold struct {
	sandbox *sandbox
	driver  *Driver // the process
}

// takeOver makes a process the one that holds the sandbox.
func (s *sandbox) takeOver(d *Driver) *hold {
	h := &hold{s, d}
	s.mu.Lock()
	s.holder = h
	s.mu.Unlock()
	s.cut() // the streams of the one before
	return h
}

func (s *sandbox) held() *hold {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.holder
}

func (h *hold) expire() {
	if h.sandbox.held() == h {
		h.sandbox.lose()
	}
}

// open is guest.Options.Open.
func (h *hold) open(ctx context.Context) (io.ReadWriteCloser, error) {
	if err := h.driver.reach(ctx, "open"); err != nil {
		return nil, err
	}
	if h.sandbox.held() != h {
		return nil, h.driver.errorf(core.ErrConflict, "open", "another process has taken the sandbox over")
	}
	return h.sandbox.open(ctx, true)
}

// remove is guest.Options.Remove. A process that holds the sandbox no longer leaves it to the one that does.
func (h *hold) remove(ctx context.Context) error {
	if h.sandbox.held() != h {
		return nil
	}
	if h.driver.crashed.Load() {
		return h.driver.reach(ctx, "stop")
	}
	return h.sandbox.remove(ctx)
}

// enter makes a sandbox that the engine knows of.
func (d *Driver) enter(spec *core.Spec, image *core.Prepared) (*sandbox, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var w *workspace
	if spec.Workspace != "" {
		var err error
		if w, err = d.claim(spec.Owner, spec.Workspace); err != nil {
			return nil, err
		}
	}
	s := newSandbox(d.engine, spec, image, w)
	d.sandboxes[s.id] = s
	if w != nil {
		w.user = s
	}
	return s, nil
}

// Sandboxes lists the sandboxes of an owner; see core.Attacher.
func (d *Driver) Sandboxes(ctx context.Context, owner string) ([]core.Record, error) {
	if err := d.reach(ctx, "list"); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	var records []core.Record
	for _, s := range d.sandboxes {
		if owner != "" && s.spec.Owner != owner {
			continue
		}
		records = append(records, core.Record{
			ID: s.id, Owner: s.spec.Owner, Workspace: s.spec.Workspace, Labels: maps.Clone(s.spec.Labels),
			Created: s.created, Lease: s.spec.Lease, Running: true, SpecDigest: specDigest(s.spec),
		})
	}
	slices.SortFunc(records, func(a, b core.Record) int { return cmp.Compare(a.ID, b.ID) })
	return records, nil
}

// specDigest identifies what a sandbox was asked to be.
func specDigest(spec *core.Spec) string {
	rt := *spec.Runtime
	return digest(rt.Image, rt.BaseImage, fmt.Sprintf("%q", rt.Packages), string(rt.PackageManager), fmt.Sprintf("%q", rt.SetupCommands),
		rt.WorkDir, rt.User, string(spec.Profile), string(spec.Network), fmt.Sprint(spec.Limits), fmt.Sprintf("%q", rt.Env), rt.Source.String())
}

// Attach takes over a sandbox; see core.Attacher.
func (d *Driver) Attach(ctx context.Context, id string, spec *core.Spec) (core.Backend, error) {
	if err := d.reach(ctx, "attach"); err != nil {
		return nil, err
	}
	d.mu.Lock()
	s := d.sandboxes[id]
	d.mu.Unlock()
	switch {
	case s == nil:
		return nil, d.errorf(core.ErrLost, "attach", "there is no sandbox %s", id)
	case spec.Owner == "" || s.spec.Owner != spec.Owner || s.spec.Workspace != spec.Workspace:
		return nil, d.errorf(core.ErrConflict, "attach", "the sandbox is another owner's or has another workspace")
	case specDigest(s.spec) != specDigest(spec) || s.spec.Lease != spec.Lease:
		return nil, d.errorf(core.ErrConflict, "attach", "the sandbox was started from another spec")
	}
	return s.backend(ctx, d)
}

// Join opens a sandbox beside the process that has it; see core.Joiner.
func (d *Driver) Join(ctx context.Context, owner, id string) (core.Backend, error) {
	if err := d.reach(ctx, "join"); err != nil {
		return nil, err
	}
	d.mu.Lock()
	s := d.sandboxes[id]
	d.mu.Unlock()
	switch {
	case s == nil:
		return nil, d.errorf(core.ErrLost, "join", "there is no sandbox %s", id)
	case owner == "" || s.spec.Owner != owner:
		return nil, d.errorf(core.ErrConflict, "join", "the sandbox is another owner's")
	}
	config := s.config
	config.Env = environment(&core.Spec{Runtime: &core.Runtime{WorkDir: config.WorkDir}})
	return guest.NewBackend(ctx, &guest.Options{
		Driver: scheme, ID: s.id, Config: config,
		Open: func(ctx context.Context) (io.ReadWriteCloser, error) {
			if err := d.reach(ctx, "open"); err != nil {
				return nil, err
			}
			return s.open(ctx, false)
		},
		Alive: s.alive, Remove: func(context.Context) error { return nil }, // it stays
		Info: s.info(),
	})
}

// Owned returns the ids of an owner's sandboxes, sorted; everyone's if owner is
// empty. It asks no engine, so it answers whatever faults are on.
func (d *Driver) Owned(owner string) []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var ids []string
	for id, s := range d.sandboxes {
		if owner == "" || s.spec.Owner == owner {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}
