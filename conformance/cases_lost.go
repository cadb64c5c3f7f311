package conformance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/caisson-dev/caisson/core"
)

// What a caller may conclude when a call is cut off: by the loss of the
// sandbox, or by the end of its context.
func lossCases() []Case {
	return []Case{
		{ID: "execute/once", Title: "a command whose sandbox is lost is never run again", Level: Extended, Run: once},
		{ID: "errors/one-outcome", Title: "a command that was running when its sandbox was lost is lost or indeterminate, not both, and never unavailable", Level: Extended, Run: oneOutcome},
		{ID: "errors/cause", Title: "a context that was cancelled for a reason of the caller's own is still a cancelled one, for every call", Level: Core, Run: ownCause},
	}
}

// loser returns what ends a sandbox behind the driver's back, or skips the case.
func (e *Env) loser() func(id string) {
	e.Helper()
	if e.run.harness.Lose == nil {
		e.Skipf("the harness has no way to end a sandbox behind the driver's back")
	}
	return func(id string) {
		e.Helper()
		if err := e.run.harness.Lose(e.Context(), id); err != nil {
			e.broken("end the sandbox", err)
		}
	}
}

func once(e *Env) {
	lose, attacher := e.loser(), optional[core.Attacher](e)
	use := workspace(e, "w")
	sb := e.Own(use)
	run := e.execute(e.Context(), sb, core.Shell("echo x >> ran; sleep 300"))
	e.started(sb, "ran", "x\n")
	lose(only(e, attacher, sb.Spec().Owner).ID)
	if e.ended(run, 10*time.Second, "the running Execute") {
		wantCode(e, "the running Execute", run.err, core.ErrLost, core.ErrIndeterminate)
	}
	want(e, "stop", sb.Stop(e.Context()), nil)
	want(e, "what it wrote", e.sh(e.Own(use), "cat ran"), "x\n")
}

func oneOutcome(e *Env) {
	lose := e.loser()
	sb := e.Own()
	id := e.describe(sb).ID
	run := e.execute(e.Context(), sb, core.Shell("echo up > up; sleep 300"))
	e.started(sb, "up", "up\n")
	lose(id)
	if !e.ended(run, 10*time.Second, "the running Execute") {
		return
	}
	var is []core.Code
	for _, code := range []core.Code{core.ErrLost, core.ErrIndeterminate, core.ErrUnavailable} {
		if errors.Is(run.err, code) {
			is = append(is, code)
		}
	}
	want(e, fmt.Sprintf("error %v is one of %q: %q", run.err, []core.Code{core.ErrLost, core.ErrIndeterminate}, is), len(is) == 1 && is[0] != core.ErrUnavailable, true)
}

// ownCause cancels calls that are under way, and one of Start as the driver begins.
func ownCause(e *Env) {
	sb := e.Sandbox()
	dir := e.Dir(sb)
	own := errors.New("the caller has changed its mind")

	ctx, cancel := context.WithCancelCause(e.Context())
	run := e.execute(ctx, sb, core.Shell("echo up > "+dir+"/up; sleep 300"))
	e.started(sb, dir+"/up", "up\n")
	cancel(own)
	if e.ended(run, 5*time.Second, "the cancelled command") {
		wantError(e, "execute", run.err, context.Canceled)
	}
	_, err := sb.Execute(ctx, core.Shell("true"))
	wantError(e, "execute with a context that has ended", err, context.Canceled)

	ctx, cancel = context.WithCancelCause(e.Context())
	_, ended := slowUpload(e, ctx, sb, dir+"/file", nil)
	cancel(own)
	wantError(e, "upload", e.outcome(ended, "upload whose context ended"), context.Canceled)
	wantError(e, "upload with a context that has ended", sb.Upload(ctx, dir+"/file", strings.NewReader("x"), nil), context.Canceled)

	e.sh(sb, "head -c 67108864 /dev/zero > "+dir+"/big")
	ctx, cancel = context.WithCancelCause(e.Context())
	r, _ := e.opened(ctx, sb, dir+"/big", nil)
	cancel(own)
	_, err = io.Copy(io.Discard, r)
	wantError(e, "the reader", err, context.Canceled)
	_, err = sb.Read(ctx, dir+"/big", nil)
	wantError(e, "read with a context that has ended", err, context.Canceled)
	e.sh(sb, "rm "+dir+"/big")

	_, err = e.run.start(ctx, e.Driver(), e.Spec())
	wantError(e, "start with a context that has ended", err, context.Canceled)
	ctx, cancel = context.WithCancelCause(e.Context())
	defer cancel(nil)
	other, err := e.run.start(ctx, &interrupted{Driver: e.Driver(), cancel: func() { cancel(own) }}, e.Spec())
	wantError(e, "start", err, context.Canceled)
	if err == nil {
		_ = other.Stop(e.Context()) // which is wrong already
	}
}
