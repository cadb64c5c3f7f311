package sessions

import (
	"context"
	"time"

	"github.com/caisson-dev/caisson/core"
)

// probeTimeout bounds the question whether a sandbox lives. What runs in it can make it slow.
const probeTimeout = 10 * time.Second

// probe asks a sandbox whether it lives, in the cheapest way that it has.
func probe(ctx context.Context, sb *core.Sandbox) error {
	within, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	var err error
	if stater, ok := core.As[core.Stater](sb, core.CapStat); ok {
		_, err = stater.Stat(within, ".", true)
	} else {
		_, err = sb.Execute(within, core.Shell(":"))
	}
	if err != nil && within.Err() != nil && ctx.Err() == nil {
		return core.Errorf(core.ErrTimeout, "probe", "the sandbox does not answer: %w", err)
	}
	switch core.CodeOf(err) {
	case core.ErrNotFound, core.ErrPermission, core.ErrNotRegular, core.ErrIsDirectory:
		return nil // a strange work directory, but an answer
	default:
		return err
	}
}

// connection returns a function that tells whether a sandbox is connected, or
// nil if that cannot be told without asking it. A Backend that knows has the
// method Connected.
func connection(sb *core.Sandbox) func() bool {
	for b := sb.Unwrap(); b != nil; {
		if c, ok := b.(interface{ Connected() bool }); ok {
			return c.Connected
		}
		w, ok := b.(interface{ Unwrap() core.Backend })
		if !ok {
			break
		}
		b = w.Unwrap()
	}
	return nil
}
