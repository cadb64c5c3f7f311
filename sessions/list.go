package sessions

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/caisson-dev/caisson/core"
)

// Info is what an engine knows of a session.
type Info struct {
	ID        string
	Workspace string    // the name of its workspace, as in core.Record
	Sandbox   string    // the driver's id; empty if the session hibernates
	Running   bool      // false also for a sandbox that has stopped by itself
	Created   time.Time // the sandbox, or the workspace of a session that hibernates; Docker tells of that when it was last changed
	Lease     time.Duration
}

// List returns the sessions of an owner, live ones and those that hibernate,
// sorted by id. It asks the engine, so any process may ask, beside that which has the sessions.
func List(ctx context.Context, driver core.Driver, owner string) ([]Info, error) {
	attacher, ok := core.AsDriver[core.Attacher](driver)
	if !ok {
		return nil, core.Errorf(core.ErrUnsupported, "list", "the driver cannot list sandboxes")
	}
	if owner == "" {
		return nil, invalidf("list: the owner is empty")
	}
	records, err := attacher.Sandboxes(ctx, owner)
	if err != nil {
		return nil, err
	}
	m := &Manager{owner: owner}
	m.linker, _ = core.AsDriver[core.Linker](driver)
	claims, err := m.claims(ctx)
	if err != nil {
		return nil, err
	}
	found := make(map[string]Info)
	for i := range records {
		r := &records[i]
		if id := sessionOf(r.Workspace, claims); id != "" {
			found[id] = Info{ID: id, Workspace: r.Workspace, Sandbox: r.ID, Running: r.Running, Created: r.Created, Lease: r.Lease}
		}
	}
	if err := addHibernating(ctx, driver, owner, claims, found); err != nil {
		return nil, err
	}
	list := make([]Info, 0, len(found))
	for _, info := range found {
		list = append(list, info)
	}
	slices.SortFunc(list, func(a, b Info) int { return cmp.Compare(a.ID, b.ID) })
	return list, nil
}

// Owners returns those who have a sandbox on the engine at present, sorted.
func Owners(ctx context.Context, driver core.Driver) ([]string, error) {
	attacher, ok := core.AsDriver[core.Attacher](driver)
	if !ok {
		return nil, core.Errorf(core.ErrUnsupported, "list", "the driver cannot list sandboxes")
	}
	records, err := attacher.Sandboxes(ctx, "")
	if err != nil {
		return nil, err
	}
	owners := make(map[string]bool)
	for i := range records {
		if owner := records[i].Owner; owner != "" {
			owners[owner] = true
		}
	}
	return slices.Sorted(maps.Keys(owners)), nil
}

// sessionOf returns the id of the session whose workspace it is, or an empty string.
func sessionOf(workspace string, claims map[string]string) string {
	if id := claims[workspace]; id != "" {
		return id
	}
	id, _ := idOf(workspace)
	return id
}

// addHibernating adds the sessions of which there is no more than a workspace.
func addHibernating(ctx context.Context, driver core.Driver, owner string, claims map[string]string, found map[string]Info) error {
	collector, ok := core.AsDriver[core.Collector](driver)
	if !ok {
		return nil
	}
	all, err := collector.Collect(ctx, &core.CollectOptions{Owner: owner, Workspaces: true, MinAge: anyAge, DryRun: true})
	if err != nil {
		return err
	}
	names := linked(claims)
	for _, l := range all {
		if names[l.Workspace] { // a name only; the workspace comes too
			continue
		}
		id := sessionOf(l.Workspace, claims)
		if _, live := found[id]; !live && id != "" && l.Kind == core.LeftoverWorkspace {
			found[id] = Info{ID: id, Workspace: l.Workspace, Created: l.Created}
		}
	}
	return nil
}

// linked returns the names by which sessions find the workspaces that they have claimed.
func linked(claims map[string]string) map[string]bool {
	names := make(map[string]bool, len(claims))
	for _, id := range claims {
		names[workspaceOf(id)] = true
	}
	return names
}
