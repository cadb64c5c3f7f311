package fake

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/caisson-dev/caisson/core"
)

var _ core.Collector = (*Driver)(nil)

func newWorkspace(key storage) *workspace {
	return &workspace{leftover: core.Leftover{
		Kind: core.LeftoverWorkspace, ID: digest(key.owner, key.name), Owner: key.owner, Workspace: key.name, Created: time.Now(),
	}}
}

// Collect removes what nobody will remove any more; see core.Collector. A
// sandbox whose lease has ended is gone at once, so only those of an owner are found.
func (d *Driver) Collect(ctx context.Context, opts *core.CollectOptions) ([]core.Leftover, error) {
	if err := d.reach(ctx, "collect"); err != nil {
		return nil, err
	}
	if opts == nil {
		opts = new(core.CollectOptions)
	}
	var removed []core.Leftover
	var failed []error
	for _, s := range d.leftSandboxes(opts) {
		if !opts.DryRun {
			if err := s.remove(ctx); err != nil {
				failed = append(failed, err)
				continue
			}
		}
		removed = append(removed, s.leftover())
	}
	if opts.Workspaces {
		removed = append(removed, d.leftWorkspaces(opts, removed)...)
	}
	return removed, errors.Join(failed...)
}

func (s *sandbox) leftover() core.Leftover {
	return core.Leftover{Kind: core.LeftoverSandbox, ID: s.id, Owner: s.spec.Owner, Workspace: s.spec.Workspace, Created: s.created}
}

func (d *Driver) leftSandboxes(opts *core.CollectOptions) []*sandbox {
	d.mu.Lock()
	var found []*sandbox
	for _, s := range d.sandboxes {
		if opts.Owner != "" && s.spec.Owner == opts.Owner {
			found = append(found, s)
		}
	}
	d.mu.Unlock()
	found = slices.DeleteFunc(found, func(s *sandbox) bool { return saved(opts, s.leftover()) })
	slices.SortFunc(found, func(a, b *sandbox) int { return cmp.Compare(a.id, b.id) })
	return found
}

// leftWorkspaces returns the workspaces that no sandbox uses, beside those that are collected as well, and removes them.
func (d *Driver) leftWorkspaces(opts *core.CollectOptions, sandboxes []core.Leftover) []core.Leftover {
	d.mu.Lock()
	var found []core.Leftover
	for key, w := range d.workspaces {
		used := w.user != nil && !slices.Contains(sandboxes, w.user.leftover())
		if opts.Owner != "" && key.owner == opts.Owner && !used {
			found = append(found, w.leftover)
		}
	}
	d.mu.Unlock()
	found = slices.DeleteFunc(found, func(l core.Leftover) bool { return saved(opts, l) })
	slices.SortFunc(found, func(a, b core.Leftover) int { return cmp.Compare(a.Workspace, b.Workspace) })
	if !opts.DryRun {
		d.mu.Lock()
		defer d.mu.Unlock()
		found = slices.DeleteFunc(found, func(l core.Leftover) bool {
			key := storage{l.Owner, l.Workspace}
			if w := d.workspaces[key]; w == nil || w.user != nil {
				return true // removed or in use meanwhile
			}
			delete(d.workspaces, key)
			return false
		})
	}
	return found
}

// saved reports whether opts keeps a leftover.
func saved(opts *core.CollectOptions, l core.Leftover) bool {
	return time.Since(l.Created) < cmp.Or(opts.MinAge, core.DefaultMinAge) || opts.Keep != nil && opts.Keep(l)
}
