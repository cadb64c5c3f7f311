package saboteur

import (
	"context"

	"github.com/caisson-dev/caisson/core"
)

// keeper is a driver with every optional interface, which those of this module are.
type keeper interface {
	core.Driver
	core.Attacher
	core.Joiner
	core.Collector
	core.Workspacer
	core.Linker
}

// driver is a driver with some wrong methods.
type driver struct {
	keeper
	m *methods
}

func (d *driver) Info(ctx context.Context) (*core.Info, error) {
	if d.m.info != nil {
		return d.m.info(ctx, d.keeper)
	}
	return d.keeper.Info(ctx)
}

func (d *driver) Prepare(ctx context.Context, rt *core.Runtime, opts *core.PrepareOptions) (*core.Prepared, error) {
	if d.m.prepare != nil {
		return d.m.prepare(ctx, d.keeper, rt, opts)
	}
	return d.keeper.Prepare(ctx, rt, opts)
}

func (d *driver) Start(ctx context.Context, spec *core.Spec) (core.Backend, error) {
	start := core.Driver.Start
	if d.m.start != nil {
		start = func(g core.Driver, ctx context.Context, spec *core.Spec) (core.Backend, error) {
			return d.m.start(ctx, g, spec)
		}
	}
	return d.wrap(start(d.keeper, ctx, spec))
}

func (d *driver) wrap(b core.Backend, err error) (core.Backend, error) {
	if err != nil {
		return nil, err
	}
	return &backend{good: b.(good), m: d.m}, nil
}

func (d *driver) Close() error {
	if d.m.close != nil {
		return d.m.close(d.keeper)
	}
	return d.keeper.Close()
}

func (d *driver) Sandboxes(ctx context.Context, owner string) ([]core.Record, error) {
	if d.m.sandboxes != nil {
		return d.m.sandboxes(ctx, d.keeper, owner)
	}
	return d.keeper.Sandboxes(ctx, owner)
}

func (d *driver) Attach(ctx context.Context, id string, spec *core.Spec) (core.Backend, error) {
	attach := keeper.Attach
	if d.m.attach != nil {
		attach = func(k keeper, ctx context.Context, id string, spec *core.Spec) (core.Backend, error) {
			return d.m.attach(ctx, k, id, spec)
		}
	}
	return d.wrap(attach(d.keeper, ctx, id, spec))
}

func (d *driver) Join(ctx context.Context, owner, id string) (core.Backend, error) {
	if d.m.join != nil {
		return d.m.join(ctx, d.keeper, owner, id)
	}
	return d.keeper.Join(ctx, owner, id)
}

func (d *driver) Collect(ctx context.Context, o *core.CollectOptions) ([]core.Leftover, error) {
	if d.m.collect != nil {
		return d.m.collect(ctx, d.keeper, *o)
	}
	return d.keeper.Collect(ctx, o)
}

func (d *driver) RemoveWorkspace(ctx context.Context, owner, workspace string) error {
	if d.m.unkeep != nil {
		return d.m.unkeep(ctx, d.keeper, owner, workspace)
	}
	return d.keeper.RemoveWorkspace(ctx, owner, workspace)
}

func (d *driver) Link(ctx context.Context, owner, name, target string) error {
	if d.m.link != nil {
		return d.m.link(ctx, d.keeper, owner, name, target)
	}
	return d.keeper.Link(ctx, owner, name, target)
}

func (d *driver) Links(ctx context.Context, owner string) (map[string]string, error) {
	if d.m.links != nil {
		return d.m.links(ctx, d.keeper, owner)
	}
	return d.keeper.Links(ctx, owner)
}
