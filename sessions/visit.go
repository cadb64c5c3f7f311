package sessions

import (
	"context"
	"io"
	"time"

	"github.com/caisson-dev/caisson/core"
)

// VisitOptions says what Visit does for a session that has no sandbox.
type VisitOptions struct {
	// Wake is what a sandbox is started from to visit a session that hibernates,
	// with the fields that Options.Spec may have, and a Runtime; nil means that
	// such a visit is ErrStopped.
	Wake *core.Spec
	// Create makes a session that is not there, as a hibernating one that is
	// visited; without it that is ErrNotFound.
	Create bool
}

// Visit opens the sandbox of a session, whichever process has that, for a look
// or a repair. A session that lives stays with its process, which does not
// notice; see core.Joiner. One that hibernates gets a sandbox for the time of the
// visit, unless its process asks for it, which ends the visit with ErrLost.
// The caller must Stop the sandbox, which ends the visit and keeps all files.
func Visit(ctx context.Context, driver core.Driver, owner, id string, o *VisitOptions) (*core.Sandbox, error) {
	if err := checkID(id); err != nil {
		return nil, err
	}
	if o == nil {
		o = new(VisitOptions)
	}
	for n := 1; ; n++ {
		sb, err := visit(ctx, driver, owner, id, o)
		// It can begin or end to live at any moment.
		if code := core.CodeOf(err); code != core.ErrConflict && code != core.ErrLost || n == attempts {
			return sb, err
		}
		if err := pause(ctx, "visit", time.Duration(n)*100*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

func visit(ctx context.Context, driver core.Driver, owner, id string, o *VisitOptions) (*core.Sandbox, error) {
	list, err := List(ctx, driver, owner)
	if err != nil {
		return nil, err
	}
	info := Info{Workspace: workspaceOf(id)}
	found := false
	for _, one := range list {
		if one.ID == id {
			info, found = one, true
		}
	}
	switch {
	case info.Running:
		return core.Join(ctx, driver, owner, info.Sandbox)
	case !found && !o.Create:
		return nil, core.Errorf(core.ErrNotFound, "visit", "there is no session %q of %q", id, owner)
	case o.Wake == nil:
		return nil, core.Errorf(core.ErrStopped, "visit", "the session %q hibernates", id)
	}
	spec := *o.Wake
	spec.Owner, spec.Workspace, spec.Lease = owner, info.Workspace, DefaultLease
	spec.Labels = withLabels(spec.Labels, map[string]string{LabelSession: escape(id)})
	return core.Start(ctx, driver, &spec)
}

// Export writes the files of a sandbox's work directory; see Session.Export.
func Export(ctx context.Context, sb *core.Sandbox, w io.Writer) error { return exportTo(ctx, sb, w) }

// Import reads files into a sandbox's work directory; see Session.Import.
func Import(ctx context.Context, sb *core.Sandbox, r io.Reader) error { return importFrom(ctx, sb, r) }
