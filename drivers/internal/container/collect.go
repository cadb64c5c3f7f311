package container

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/runtimes"
)

var _ core.Collector = (*Driver)(nil)

// Collect removes what nobody will remove any more; see core.Collector.
func (d *Driver) Collect(ctx context.Context, opts *core.CollectOptions) ([]core.Leftover, error) {
	if opts == nil {
		opts = new(core.CollectOptions)
	}
	containers, err := d.sandboxes(ctx)
	if err != nil {
		return nil, d.fail("collect", err)
	}
	now, err := d.engine.Now(ctx) // the clock of whoever asks, or has started a sandbox, may be another
	if err != nil {
		return nil, d.fail("collect", err)
	}
	c := &collection{opts: opts, now: now, inUse: make(map[string]bool)}
	for i := range containers {
		r := record(&containers[i])
		c.inUse[r.ID] = true
		state := containers[i].State
		ended := r.Lease > 0 && (state == Stopped || state == Created) // a paused one has not
		if ended || opts.Owner != "" && r.Owner == opts.Owner {
			c.add(core.Leftover{Kind: core.LeftoverSandbox, ID: r.ID, Owner: r.Owner, Workspace: r.Workspace, Created: r.Created}, func(ctx context.Context, _ string) error { return d.engine.Remove(ctx, containers[i].ID) })
		}
	}
	for _, kind := range []string{kindSandbox, kindWorkspace} {
		volumes, err := d.engine.Volumes(ctx, core.LabelPrefix+"="+kind)
		if err != nil {
			return nil, d.fail("collect", err)
		}
		for _, v := range volumes {
			c.volume(kind, record(&Status{Name: v.Name, Labels: v.Labels, Created: v.Created}), d.engine.RemoveVolume)
		}
	}
	images, err := d.engine.Images(ctx, runtimes.LabelBuild)
	if err != nil {
		return nil, d.fail("collect", err)
	}
	for i := range images {
		if img := &images[i]; unfinished(img, now) {
			c.add(core.Leftover{Kind: core.LeftoverImage, ID: img.ID, Created: img.Created}, d.engine.RemoveImage)
		}
	}
	found, err := c.remove(ctx)
	if err != nil {
		return found, d.fail("collect", err)
	}
	return found, nil
}

// collection is what one Collect has found, sandboxes before the volumes that they use.
type collection struct {
	opts    *core.CollectOptions
	now     time.Time       // the engine's
	inUse   map[string]bool // names of sandboxes that are not collected
	found   []core.Leftover
	removes []func(context.Context, string) error
}

// volume adds the volume of a sandbox that is gone, or a workspace if those are wanted.
func (c *collection) volume(kind string, r *core.Record, remove func(context.Context, string) error) {
	own := c.opts.Owner != "" && r.Owner == c.opts.Owner
	switch {
	case c.inUse[r.ID]:
	case kind == kindSandbox && (own || r.Lease > 0):
		c.add(core.Leftover{Kind: core.LeftoverVolume, ID: r.ID, Owner: r.Owner, Created: r.Created}, remove)
	case kind == kindWorkspace && own && c.opts.Workspaces:
		c.add(core.Leftover{Kind: core.LeftoverWorkspace, ID: r.ID, Owner: r.Owner, Workspace: r.Workspace, Created: r.Created}, remove)
	}
}

func (c *collection) add(l core.Leftover, remove func(context.Context, string) error) {
	age := cmp.Or(c.opts.MinAge, core.DefaultMinAge)
	if c.opts.Owner == "" || l.Owner != c.opts.Owner { // only of their own can somebody know that nothing is being made
		age = max(age, core.DefaultMinAge)
	}
	if c.now.Sub(l.Created) < age || c.opts.Keep != nil && c.opts.Keep(l) {
		return
	}
	c.found, c.removes = append(c.found, l), append(c.removes, remove)
	delete(c.inUse, l.ID)
}

// remove removes what was found, unless it is a dry run.
func (c *collection) remove(ctx context.Context) (removed []core.Leftover, err error) {
	if c.opts.DryRun {
		return c.found, nil
	}
	var failed []error
	for i, l := range c.found {
		err := c.removes[i](ctx, l.ID)
		if l.Kind == core.LeftoverImage && core.CodeOf(err) == core.ErrConflict {
			continue // a later build has made use of it
		}
		if err != nil && core.CodeOf(err) != core.ErrNotFound {
			failed = append(failed, err)
			continue
		}
		removed = append(removed, l)
	}
	return removed, failures(failed)
}

// failures makes one error of those of several objects, in one line.
func failures(failed []error) error {
	if len(failed) == 0 {
		return nil
	}
	first := core.Complete(failed[0], core.Error{})
	if len(failed) > 1 && first.Err != nil {
		first.Err = fmt.Errorf("%w (and %d more)", first.Err, len(failed)-1)
	}
	return first
}
