package container

import (
	"context"

	"github.com/caisson-dev/caisson/core"
)

var _ core.Linker = (*Driver)(nil)

// Link keeps another name of a workspace as a volume of that name, in which
// nothing is; see core.Linker.
func (d *Driver) Link(ctx context.Context, owner, name, target string) error {
	labels := workspaceLabels(owner, name)
	labels[labelTarget] = target
	labels[labelStart] = token() // else a link that is there already looks as if it were made by this call
	if err := d.engine.ReserveVolume(ctx, workspaceName(owner, name), labels); err != nil {
		return d.fail("link", err)
	}
	return nil
}

// Links lists the links of an owner; see core.Linker.
func (d *Driver) Links(ctx context.Context, owner string) (map[string]string, error) {
	volumes, err := d.engine.Volumes(ctx, core.LabelPrefix+"="+kindWorkspace)
	if err != nil {
		return nil, d.fail("links", err)
	}
	links := make(map[string]string)
	for _, v := range volumes {
		if target := v.Labels[labelTarget]; target != "" && v.Labels[labelOwner] == owner {
			links[v.Labels[labelWorkspace]] = target
		}
	}
	return links, nil
}
