package conformance

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caisson-dev/caisson/core"
)

// Files that outlive their sandbox, and what is collected in the end. A driver
// without these optional interfaces skips them.
func workspaceCases() []Case {
	return []Case{
		{ID: "workspace/kept", Title: "the files of a workspace are there for the next sandbox, those elsewhere are not", Level: Extended, Run: func(e *Env) {
			use := workspace(e, "w")
			sb := e.Own(use)
			e.sh(sb, "mkdir d; echo kept > d/file; echo lost > /tmp/file; echo kept > /uploads/file; chmod 640 d/file")
			want(e, "stop", sb.Stop(e.Context()), nil)
			want(e, "the next sandbox", e.sh(e.Own(use), "cat d/file /uploads/file; test ! -e /tmp/file && ls -l d/file | cut -c 1-10"), "kept\nkept\n-rw-r-----\n")
		}},
		{ID: "workspace/one-sandbox", Title: "one sandbox at a time has a workspace, and a start that is refused does it no harm", Level: Extended, Run: func(e *Env) {
			use := workspace(e, "w")
			sb := e.Own(use)
			e.sh(sb, "echo kept > file")
			spec := e.Spec()
			use(spec)
			second, err := e.run.start(e.Context(), e.Driver(), spec)
			if err == nil {
				_ = second.Stop(e.Context()) // which is wrong already
			}
			wantCode(e, "start of a second one", err, core.ErrConflict)
			want(e, "the first", e.sh(sb, "cat file"), "kept\n")
		}},
		{ID: "workspace/names", Title: "workspaces with other names or owners have files of their own, whatever the names look like", Level: Extended, Run: func(e *Env) {
			names := []string{"w", "W", "../w", "w/", "w\n", "ẅ"}
			var all []Sandbox
			for _, name := range names {
				sb := e.Own(workspace(e, name))
				want(e, "files to begin with", e.sh(sb, "ls"), "")
				e.sh(sb, "echo x > file")
				all = append(all, sb)
			}
			want(e, "sandboxes", len(all), len(names))
		}},
		{ID: "workspace/survives-loss", Title: "a sandbox that was lost is replaced by one with its files", Level: Extended, Run: survivesLoss},
		{ID: "workspace/removed", Title: "a workspace is removed when no sandbox uses it, and removing none is no error", Level: Extended, Run: func(e *Env) {
			keeper := optional[core.Workspacer](e)
			use := workspace(e, "w")
			sb := e.Own(use)
			owner := sb.Spec().Owner
			e.sh(sb, "echo kept > file")
			wantCode(e, "remove while it is used", keeper.RemoveWorkspace(e.Context(), owner, "w"), core.ErrConflict)
			want(e, "remove another's", keeper.RemoveWorkspace(e.Context(), owner+"-other", "w"), nil)
			want(e, "its files", e.sh(sb, "cat file"), "kept\n")
			want(e, "stop", sb.Stop(e.Context()), nil)
			want(e, "remove", keeper.RemoveWorkspace(e.Context(), owner, "w"), nil)
			want(e, "remove again", keeper.RemoveWorkspace(e.Context(), owner, "w"), nil)
			want(e, "files after it", e.sh(e.Own(use), "ls"), "")
		}},
		{ID: "workspace/links", Title: "another name of a workspace is remembered, once, until it is removed", Level: Extended, Run: links},
		// They look at all that is on the engine, which it may be busy with.
		{ID: "collect/selects", Title: "what is collected is an owner's, old enough and not to be kept, and nothing if it is a dry run", Level: Extended, Run: collects},
		{ID: "collect/others-starts", Title: "who collects all that an owner has, however young, disturbs no start of another's", Level: Extended, Run: othersStarts},
		{ID: "collect/workspaces", Title: "workspaces are collected only if that is asked for", Level: Extended, Run: collectsWorkspaces},
	}
}

// workspace returns what makes a spec use a workspace, whose files are removed at the end of the case.
func workspace(e *Env, name string) func(*core.Spec) {
	e.Helper()
	keeper := optional[core.Workspacer](e)
	owner := e.owner()
	e.Cleanup(func() {
		if err := keeper.RemoveWorkspace(context.WithoutCancel(e.Context()), owner, name); err != nil {
			e.Errorf("remove the workspace %q: %v", name, err)
		}
	})
	return func(s *core.Spec) { s.Owner, s.Workspace = owner, name }
}

func survivesLoss(e *Env) {
	lose, attacher := e.loser(), optional[core.Attacher](e)
	use := workspace(e, "w")
	sb := e.Own(use)
	e.sh(sb, "echo kept > file")
	lose(only(e, attacher, sb.Spec().Owner).ID)
	want(e, "stop", sb.Stop(e.Context()), nil)
	want(e, "the next sandbox", e.sh(e.Own(use), "cat file"), "kept\n")
}

func links(e *Env) {
	linker, keeper := optional[core.Linker](e), optional[core.Workspacer](e)
	owner := e.owner()
	use := workspace(e, "taken")
	want(e, "stop", e.Own(use).Stop(e.Context()), nil)
	e.Cleanup(func() { _ = keeper.RemoveWorkspace(context.WithoutCancel(e.Context()), owner, "name/ü") })
	want(e, "link", linker.Link(e.Context(), owner, "name/ü", "target"), nil)
	wantCode(e, "link of a name that is one", linker.Link(e.Context(), owner, "name/ü", "another"), core.ErrConflict)
	wantCode(e, "link of a name that is a workspace", linker.Link(e.Context(), owner, "taken", "target"), core.ErrConflict)
	got, err := linker.Links(e.Context(), owner)
	want(e, "links", err, nil)
	want(e, "links are what was written down", maps.Equal(got, map[string]string{"name/ü": "target"}), true)
	got, err = linker.Links(e.Context(), owner+"-other")
	want(e, "links of another owner", err, nil)
	want(e, "number of links of another owner", len(got), 0)
	want(e, "remove", keeper.RemoveWorkspace(e.Context(), owner, "name/ü"), nil)
	got, err = linker.Links(e.Context(), owner)
	want(e, "links after it", err, nil)
	want(e, "number of links after it", len(got), 0)
}

// collect returns the IDs of what Collect finds of the case's own owner.
func collect(e *Env, o core.CollectOptions) []string {
	e.Helper()
	found, err := optional[core.Collector](e).Collect(e.Context(), &o)
	want(e, "collect", err, nil)
	var ids []string
	for _, l := range found {
		if l.Owner == e.owner() && l.Kind != core.LeftoverVolume {
			ids = append(ids, l.ID)
		}
	}
	return ids
}

// anyAge makes everything old enough.
const anyAge = -24 * time.Hour

func collects(e *Env) {
	optional[core.Collector](e)
	attacher := optional[core.Attacher](e)
	sb, owner := attachable(e)
	r := only(e, attacher, owner)
	for what, o := range map[string]core.CollectOptions{
		"of another owner":   {Owner: owner + "-other", MinAge: anyAge},
		"that is too young":  {Owner: owner},
		"that is to be kept": {Owner: owner, MinAge: anyAge, Keep: func(core.Leftover) bool { return true }},
	} {
		want(e, "found "+what, len(collect(e, o)), 0)
	}
	dry := collect(e, core.CollectOptions{Owner: owner, MinAge: anyAge, DryRun: true})
	want(e, "found by a dry run", slices.Equal(dry, []string{r.ID}), true)
	want(e, "the sandbox after it", e.sh(sb, "echo alive"), "alive\n")
	want(e, "removed", slices.Equal(collect(e, core.CollectOptions{Owner: owner, MinAge: anyAge}), []string{r.ID}), true)
	left, err := attacher.Sandboxes(e.Context(), owner)
	want(e, "list", err, nil)
	want(e, "sandboxes after it", len(left), 0)
	want(e, "stop", sb.Stop(e.Context()), nil)
}

func othersStarts(e *Env) {
	optional[core.Collector](e)
	ctx, cancel := context.WithCancel(e.Context())
	var collecting sync.WaitGroup
	var times atomic.Int64
	collecting.Go(func() {
		for ctx.Err() == nil {
			collect(e, core.CollectOptions{Owner: e.owner() + "-gone", Workspaces: true, MinAge: anyAge})
			times.Add(1)
			time.Sleep(time.Millisecond)
		}
	})
	e.Cleanup(func() { cancel(); collecting.Wait() })
	for range 3 {
		sb := e.Own(func(s *core.Spec) { s.Owner, s.Lease = e.owner(), time.Minute })
		began := times.Load()
		e.eventually(30*time.Second, "a collection that has begun after the start", func() bool { return times.Load() > began+1 })
		want(e, "a sandbox that was started meanwhile", e.sh(sb, "echo alive"), "alive\n")
	}
}

func collectsWorkspaces(e *Env) {
	optional[core.Collector](e)
	use := workspace(e, "w")
	sb := e.Own(use)
	owner := sb.Spec().Owner
	e.sh(sb, "echo kept > file")
	want(e, "stop", sb.Stop(e.Context()), nil)
	want(e, "found without asking for workspaces", len(collect(e, core.CollectOptions{Owner: owner, MinAge: anyAge})), 0)
	next := e.Own(use)
	want(e, "the files", e.sh(next, "cat file"), "kept\n")
	save := func(l core.Leftover) bool { return l.Kind == core.LeftoverSandbox }
	want(e, "found of what is in use", len(collect(e, core.CollectOptions{Owner: owner, Workspaces: true, MinAge: anyAge, Keep: save})), 0)
	want(e, "stop", next.Stop(e.Context()), nil)
	want(e, "removed", len(collect(e, core.CollectOptions{Owner: owner, Workspaces: true, MinAge: anyAge})), 1)
	want(e, "files after it", e.sh(e.Own(use), "ls"), "")
}
