package conformance

import (
	"errors"
	"fmt"
	"time"

	"github.com/caisson-dev/caisson/core"
)

// What a caller may conclude when a call is cut off: by the loss of the
// sandbox, or by the end of its context.
func lossCases() []Case {
	return []Case{
		{ID: "execute/once", Title: "a command whose sandbox is lost is never run again", Level: Extended, Run: once},
		{ID: "errors/one-outcome", Title: "a command that was running when its sandbox was lost is lost or indeterminate, not both, and never unavailable", Level: Extended, Run: oneOutcome},
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
