package container

import (
	"context"
	"strings"
	"time"

	"github.com/caisson-dev/caisson/core"
)

var (
	_ core.Attacher   = (*Driver)(nil)
	_ core.Workspacer = (*Driver)(nil)
)

// Sandboxes lists the sandboxes of an owner; see core.Attacher.
func (d *Driver) Sandboxes(ctx context.Context, owner string) ([]core.Record, error) {
	var of []string
	if owner != "" { // an engine may hold up a list for what happens to any container in it
		of = append(of, labelOwner+"="+owner)
	}
	containers, err := d.sandboxes(ctx, of...)
	if err != nil {
		return nil, d.fail("list", err)
	}
	var records []core.Record
	for i := range containers {
		if r := record(&containers[i]); owner == "" || r.Owner == owner {
			records = append(records, *r)
		}
	}
	return records, nil
}

// sandboxes lists the sandboxes that have every label.
func (d *Driver) sandboxes(ctx context.Context, labels ...string) ([]Status, error) {
	return d.engine.Containers(ctx, append(labels, core.LabelPrefix+"="+kindSandbox)...)
}

// record reads the labels of a sandbox. One that cannot be read is zero.
func record(c *Status) *core.Record {
	r := &core.Record{
		ID: c.Name, Owner: c.Labels[labelOwner], Workspace: c.Labels[labelWorkspace], SpecDigest: c.Labels[labelSpec],
		Running: c.State == Running, Labels: make(map[string]string), Created: c.Created,
	}
	r.Lease, _ = time.ParseDuration(c.Labels[labelLease])
	for k, v := range c.Labels {
		if key, ok := strings.CutPrefix(k, labelUser); ok {
			r.Labels[key] = v
		}
	}
	return r
}

// Attach takes over a running sandbox; see core.Attacher.
func (d *Driver) Attach(ctx context.Context, id string, spec *core.Spec) (core.Backend, error) {
	b, err := d.attach(ctx, id, spec)
	if err != nil {
		return nil, d.fail("attach", err)
	}
	return b, nil
}

func (d *Driver) attach(ctx context.Context, id string, spec *core.Spec) (core.Backend, error) {
	status, err := d.engine.Inspect(ctx, id)
	if core.CodeOf(err) == core.ErrNotFound {
		return nil, core.Errorf(core.ErrLost, "", "there is no sandbox %s", id)
	}
	if err != nil {
		return nil, err
	}
	r := record(status)
	switch {
	case status.Labels[core.LabelPrefix] != kindSandbox:
		return nil, core.Errorf(core.ErrConflict, "", "%s is not a sandbox of ours", id)
	case spec.Owner == "" || r.Owner != spec.Owner || r.Workspace != spec.Workspace:
		return nil, core.Errorf(core.ErrConflict, "", "the sandbox is another owner's or has another workspace")
	case r.SpecDigest != digest(spec) || r.Lease != spec.Lease:
		return nil, core.Errorf(core.ErrConflict, "", "the sandbox was started from another spec")
	}
	img, err := d.engine.Image(ctx, status.Image)
	if err != nil {
		return nil, err
	}
	s := &sandbox{
		driver: d, spec: spec, container: plan(spec, status.Image), id: status.ID, created: status.Created,
		starter: status.Labels[labelStart],
	}
	if s.container.Name = id; spec.Workspace == "" && s.container.Volume != "" {
		s.container.Volume = id
	}
	if err := s.alive(ctx); err != nil {
		return nil, err
	}
	holder, err := s.holder(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.claim(ctx, holder); err != nil {
		return nil, err
	}
	return s.backend(ctx, img)
}

// RemoveWorkspace removes a workspace's files; see core.Workspacer.
func (d *Driver) RemoveWorkspace(ctx context.Context, owner, workspace string) error {
	err := d.isWorkspace(ctx, owner, workspace, true)
	if err == nil {
		err = d.engine.RemoveVolume(ctx, workspaceName(owner, workspace))
	}
	if err != nil && core.CodeOf(err) != core.ErrNotFound {
		return d.fail("remove workspace", err)
	}
	return nil
}

// isWorkspace looks at the volume that has the name of a workspace. It returns
// ErrNotFound if there is none, and ErrConflict if it is something else, as a
// link is unless those count as well.
func (d *Driver) isWorkspace(ctx context.Context, owner, workspace string, links bool) error {
	v, err := d.engine.Volume(ctx, workspaceName(owner, workspace))
	switch {
	case err != nil:
		return err
	case !isThe(v.Labels, workspaceLabels(owner, workspace)):
		return core.Errorf(core.ErrConflict, "", "the volume %s is none of ours", v.Name)
	case v.Labels[labelTarget] != "" && !links:
		return core.Errorf(core.ErrConflict, "", "the workspace is a link")
	}
	return nil
}
