package fake

import (
	"context"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/drivers/fake/internal/kernel"
)

var (
	_ core.Workspacer = (*Driver)(nil)
	_ core.Linker     = (*Driver)(nil)
)

// storage names a workspace.
type storage struct{ owner, name string }

// workspace is a work directory that outlives its sandbox, or a link to one.
type workspace struct {
	leftover core.Leftover
	user     *sandbox       // whose work directory it is at present; nil if nobody's
	volume   *kernel.Volume // nil until a sandbox has used it
	tree     *kernel.Tree
	target   string // of a link
}

// claim returns the workspace for a sandbox to come, or ErrConflict while another uses it. The lock is held.
func (e *engine) claim(owner, name string) (*workspace, error) {
	key := storage{owner, name}
	w := e.workspaces[key]
	switch {
	case w == nil:
		w = newWorkspace(key)
		e.workspaces[key] = w
	case w.user != nil || w.target != "":
		return nil, e.errorf(core.ErrConflict, "start", "the workspace is in use")
	}
	return w, nil
}

// mountWorkspace gives a sandbox the files of its workspace and reports whether there were any before.
func (s *sandbox) mountWorkspace(dir string) bool {
	w := s.workspace
	switch {
	case w == nil:
		return false
	case w.tree == nil:
		w.volume = s.work
		w.tree, _ = s.fs.Tree(dir) // which was just made
		return false
	}
	s.work = w.volume
	return s.fs.Mount(dir, w.tree) == nil
}

// RemoveWorkspace removes a workspace or a link; see core.Workspacer.
func (d *Driver) RemoveWorkspace(ctx context.Context, owner, name string) error {
	if err := d.reach(ctx, "remove workspace"); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	key := storage{owner, name}
	if w := d.workspaces[key]; w != nil && w.user != nil {
		return d.errorf(core.ErrConflict, "remove workspace", "a sandbox uses it")
	}
	delete(d.workspaces, key)
	return nil
}

// Link gives a workspace another name; see core.Linker.
func (d *Driver) Link(ctx context.Context, owner, name, target string) error {
	if err := d.reach(ctx, "link"); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	key := storage{owner, name}
	if d.workspaces[key] != nil {
		return d.errorf(core.ErrConflict, "link", "there is a workspace of that name")
	}
	w := newWorkspace(key)
	w.target = target
	d.workspaces[key] = w
	return nil
}

// Links returns the links of an owner; see core.Linker.
func (d *Driver) Links(ctx context.Context, owner string) (map[string]string, error) {
	if err := d.reach(ctx, "links"); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	links := make(map[string]string)
	for key, w := range d.workspaces {
		if key.owner == owner && w.target != "" {
			links[key.name] = w.target
		}
	}
	return links, nil
}
