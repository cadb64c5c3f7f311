package sessions

import (
	"context"
	"time"

	"github.com/caisson-dev/caisson/core"
)

// Hooks are functions that a Manager calls, each after the fact and without
// holding a lock, from the goroutine that did the work; a slow one delays that
// work, so none may wait for the session that it is told of, as GetOrCreate and
// Release with that id would. Nil ones are not called.
type Hooks struct {
	Created  func(context.Context, Event) // a session has a new sandbox
	Adopted  func(context.Context, Event) // a session has the sandbox that another process started
	Idle     func(context.Context, Event) // clean-up has ended a session
	Released func(context.Context, Event) // a session has ended in whatever way, after Idle
	Failed   func(context.Context, Event) // a session could not be created, or not be ended
}

// Event is what a hook is told.
type Event struct {
	Session string // its id
	Sandbox string // the driver's id of the sandbox; empty if there is none or it is not known
	// Reason says why the session ended; empty if it did not.
	Reason Reason
	// Kept reports that the files of a session that ended are kept.
	Kept bool
	// Warm reports that a created session got a sandbox of the pool.
	Warm bool
	// Duration is how long it took.
	Duration time.Duration
	// Err is set for Failed.
	Err error
}

// Reason says why a session ended.
type Reason string

// Why sessions end.
const (
	ReasonReleased   Reason = "released"   // Release, or Stop of the session
	ReasonHibernated Reason = "hibernated" // Hibernate
	ReasonIdle       Reason = "idle"       // no call for its IdleTimeout
	ReasonShutdown   Reason = "shutdown"   // Shutdown
	ReasonLost       Reason = "lost"       // the sandbox is gone or another process's; GetOrCreate replaces it
)

func call(ctx context.Context, hook func(context.Context, Event), e Event) {
	if hook != nil {
		hook(ctx, e)
	}
}

// sandboxID returns the driver's id of a sandbox, or an empty string.
func sandboxID(ctx context.Context, sb *core.Sandbox) string {
	informer, ok := core.As[core.Informer](sb, core.CapInfo)
	if !ok {
		return ""
	}
	info, err := informer.Info(ctx)
	if err != nil {
		return ""
	}
	return info.ID
}
