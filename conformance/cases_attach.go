package conformance

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/caisson-dev/caisson/core"
)

// What lets sessions outlive a process: sandboxes that are found again and taken
// over. A driver without these optional interfaces skips them.
func attachCases() []Case {
	return []Case{
		{ID: "attach/listed", Title: "the sandboxes of an owner are listed, with what they were started with, until they are stopped", Level: Extended, Run: listed},
		{ID: "attach/takes-over", Title: "a sandbox that is attached to has its files and its own /tmp", Level: Extended, Run: takesOver},
		{ID: "attach/one-holder", Title: "a process that another has taken a sandbox from gets ErrConflict, and its Stop leaves the sandbox", Level: Extended, Run: oneHolder},
		{ID: "attach/unnoticed", Title: "a process that has not noticed yet that another has taken its sandbox leaves it as well", Level: Extended, Run: func(e *Env) {
			attacher := optional[core.Attacher](e)
			other := e.another()
			sb, owner := attachable(e)
			e.sh(sb, "echo kept > file")
			second := attach(e, other, only(e, attacher, owner).ID, sb)
			want(e, "stop at once by the process before", sb.Stop(e.Context()), nil)
			want(e, "the sandbox", e.sh(second, "cat file"), "kept\n")
		}},
		{ID: "attach/other-spec", Title: "a sandbox that was started from another spec is not attached to, and lives on", Level: Extended, Run: func(e *Env) {
			refused(e, core.ErrConflict, func(s *core.Spec) { s.Limits.PIDs = core.MinPIDs + 7 })
		}},
		{ID: "attach/other-owner", Title: "a sandbox of another owner is not attached to, and lives on", Level: Extended, Run: func(e *Env) {
			refused(e, core.ErrConflict, func(s *core.Spec) { s.Owner += "-other" })
		}},
		{ID: "attach/gone", Title: "attaching to a sandbox that was stopped is ErrLost", Level: Extended, Run: func(e *Env) {
			attacher := optional[core.Attacher](e)
			sb, owner := attachable(e)
			id := only(e, attacher, owner).ID
			want(e, "stop", sb.Stop(e.Context()), nil)
			_, err := core.Attach(e.Context(), e.Driver(), id, sb.Spec())
			wantCode(e, "attach", err, core.ErrLost)
		}},
		{ID: "attach/join", Title: "who joins a sandbox works in it beside the process that has it, and leaves it there", Level: Extended, Run: joins},
		{ID: "attach/join-cut", Title: "who leaves halfway through an upload or an input has sent no whole one", Level: Extended, Run: joinCut},
		{ID: "lease/renewed", Title: "a sandbox outlives its lease while its process lives", Level: Gold, Timeout: 2 * time.Minute, Waits: true, Run: func(e *Env) {
			sb := e.Own(func(s *core.Spec) { s.Lease = core.MinLease })
			pause(e, core.MinLease+e.run.info.LeaseGrace+time.Second)
			want(e, "a second after the lease and the driver's grace", e.sh(sb, "echo alive"), "alive\n")
		}},
	}
}

// optional returns the driver as a T, or skips the case.
func optional[T any](e *Env) T {
	e.Helper()
	t, ok := core.AsDriver[T](e.Driver())
	if !ok {
		e.Skipf("the driver does not implement %T", &t)
	}
	return t
}

// attachable starts a sandbox of an owner of its own.
func attachable(e *Env) (sb Sandbox, owner string) {
	e.Helper()
	owner = e.owner()
	return e.Own(func(s *core.Spec) {
		s.Owner, s.Labels = owner, map[string]string{"purpose": "a = b, \"c\" ü"}
	}), owner
}

// only returns the record of the one sandbox that an owner has.
func only(e *Env, attacher core.Attacher, owner string) *core.Record {
	e.Helper()
	records, err := attacher.Sandboxes(e.Context(), owner)
	if err != nil || len(records) != 1 {
		e.Fatalf("sandboxes of the owner: expected one, got %v, %v", records, err)
	}
	return &records[0]
}

func listed(e *Env) {
	attacher := optional[core.Attacher](e)
	owner, use := e.owner(), func(*core.Spec) {}
	if _, ok := core.AsDriver[core.Workspacer](e.Driver()); ok {
		use = workspace(e, "listed/ü")
	}
	sb := e.Own(func(s *core.Spec) {
		use(s)
		s.Owner, s.Lease, s.Labels = owner, time.Minute, map[string]string{"purpose": "a = b, \"c\" ü"}
	})
	r := only(e, attacher, owner)
	want(e, "owner", r.Owner, owner)
	want(e, "workspace", r.Workspace, sb.Spec().Workspace)
	want(e, "lease", r.Lease, time.Minute)
	want(e, "running", r.Running, true)
	want(e, "labels", maps.Equal(r.Labels, sb.Spec().Labels), true)
	want(e, "created within the last minutes", time.Since(r.Created).Abs() < 10*time.Minute, true)
	all, err := attacher.Sandboxes(e.Context(), "")
	want(e, "list of all owners", err, nil)
	want(e, "it is among all", slices.ContainsFunc(all, func(a core.Record) bool { return a.ID == r.ID }), true)
	others, err := attacher.Sandboxes(e.Context(), owner+"-other")
	want(e, "list of another owner", err, nil)
	want(e, "sandboxes of another owner", len(others), 0)
	want(e, "stop", sb.Stop(e.Context()), nil)
	left, err := attacher.Sandboxes(e.Context(), owner)
	want(e, "list", err, nil)
	want(e, "sandboxes after Stop", len(left), 0)
}

func takesOver(e *Env) {
	attacher := optional[core.Attacher](e)
	sb, owner := attachable(e)
	e.sh(sb, "echo kept > file; echo kept > /tmp/file")
	second := attach(e, e.Driver(), only(e, attacher, owner).ID, sb)
	want(e, "files", e.sh(second, "cat file /tmp/file"), "kept\nkept\n")
	want(e, "stop", second.Stop(e.Context()), nil)
	left, err := attacher.Sandboxes(e.Context(), owner)
	want(e, "list", err, nil)
	want(e, "sandboxes after Stop", len(left), 0)
}

// attach takes a sandbox over and stops it at the end of the case.
func attach(e *Env, d core.Driver, id string, sb Sandbox) *core.Sandbox {
	e.Helper()
	second, err := core.Attach(e.Context(), d, id, sb.Spec())
	if err != nil {
		e.Fatalf("attach: %v", err)
	}
	e.Cleanup(func() {
		if err := second.Stop(context.WithoutCancel(e.Context())); err != nil {
			e.Errorf("stop the attached sandbox: %v", err)
		}
	})
	return second
}

func oneHolder(e *Env) {
	attacher := optional[core.Attacher](e)
	other := e.another()
	sb, owner := attachable(e)
	e.sh(sb, "echo kept > file")
	second := attach(e, other, only(e, attacher, owner).ID, sb)
	e.eventually(15*time.Second, "ErrConflict for the process before", func() bool {
		_, err := sb.Execute(e.Context(), core.Shell("true")) // may be indeterminate at first
		return core.CodeOf(err) == core.ErrConflict
	})
	want(e, "stop by the process before", sb.Stop(e.Context()), nil)
	want(e, "the sandbox", e.sh(second, "cat file"), "kept\n")
}

// refused attaches with a spec that does not fit.
func refused(e *Env, code core.Code, change func(*core.Spec)) {
	e.Helper()
	attacher := optional[core.Attacher](e)
	sb, owner := attachable(e)
	spec := *sb.Spec()
	change(&spec)
	second, err := core.Attach(e.Context(), e.Driver(), only(e, attacher, owner).ID, &spec)
	if err == nil {
		_ = second.Stop(e.Context()) // which is wrong already
	}
	wantCode(e, "attach", err, code)
	want(e, "the sandbox", e.sh(sb, "echo alive"), "alive\n")
}

// pause lets time pass, for promises about time.
func pause(e *Env, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-e.Context().Done():
	}
}

// another opens a driver as another process would.
func (e *Env) another() core.Driver {
	e.Helper()
	if e.run.harness.Another == nil {
		e.Skipf("the harness has no driver of another process")
	}
	other, err := e.run.harness.Another(e.Context())
	if err != nil {
		e.broken("open the driver of another process", err)
	}
	e.Cleanup(func() { _ = other.Close() })
	return other
}

func joins(e *Env) {
	optional[core.Joiner](e)
	attacher, other := optional[core.Attacher](e), e.another()
	sb, owner := attachable(e)
	id := only(e, attacher, owner).ID
	e.sh(sb, "echo from the first > file; mkfifo ready")
	run := e.execute(e.Context(), sb, core.Shell("read line < ready; echo \"got $line\""))
	guest, err := core.Join(e.Context(), other, owner, id)
	if err != nil {
		e.Fatalf("join: %v", err)
	}
	want(e, "files", e.sh(guest, "cat file; echo hello > ready"), "from the first\n")
	want(e, "stop by who joined", guest.Stop(e.Context()), nil)
	if e.ended(run, 15*time.Second, "the call that was under way") && run.err == nil {
		want(e, "what it heard", string(run.res.Stdout.Bytes()), "got hello\n")
	}
	want(e, "error of the call that was under way", run.err, nil)
	want(e, "the sandbox", e.sh(sb, "cat file"), "from the first\n")
	_, err = core.Join(e.Context(), other, owner+"-other", id)
	wantCode(e, "join as another owner", err, core.ErrConflict)
	want(e, "stop", sb.Stop(e.Context()), nil)
	_, err = core.Join(e.Context(), other, owner, id)
	wantCode(e, "join what is gone", err, core.ErrLost)
}

// joinCut has a process leave as one does that is killed: its streams are cut.
// What came through them by then must not be taken for all of it.
func joinCut(e *Env) {
	optional[core.Joiner](e)
	attacher, other := optional[core.Attacher](e), e.another()
	sb, owner := attachable(e)
	dir := e.Dir(sb)
	guest, err := core.Join(e.Context(), other, owner, only(e, attacher, owner).ID)
	if err != nil {
		e.Fatalf("join: %v", err)
	}
	_, uploaded := overwrite(e, e.Context(), guest, dir+"/file", nil)
	input := newStalled([]byte("half"), nil)
	e.Cleanup(input.release)
	run := e.execute(e.Context(), guest, &core.Command{Shell: "cd " + dir + "; cat > half; : > whole", Stdin: input})
	e.eventually(15*time.Second, "the first half of the input in the sandbox", func() bool {
		return e.exec(sb, core.Program("test", "-s", dir+"/half")).Success()
	})
	want(e, "stop by who joined", guest.Stop(e.Context()), nil)
	wantCode(e, "its upload", e.outcome(uploaded, "upload"), core.ErrStopped)
	if e.ended(run, 15*time.Second, "its command") {
		wantCode(e, "its command", run.err, core.ErrStopped)
	}
	holds(e, sb, dir, "file\nhalf\n")
	want(e, "content of the file", string(e.read(sb, dir+"/file", nil)), "old")
}
