package guest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/guest/protocol"
)

// call opens a call. It tries again on a new link only while nothing can have
// been sent. What src holds goes out with the request if it is small; then sent
// is true. With an error there is a link if ctx has ended before anything was sent on that.
func (b *backend) call(ctx context.Context, op protocol.Op, m protocol.Message, src io.Reader) (
	l *link, c *protocol.Call, sent bool, err error,
) {
	var whole []byte
	for {
		switch {
		case b.stopped.Load():
			return nil, nil, false, core.ErrStopped
		case ctx.Err() != nil:
			return nil, nil, false, core.Ended(ctx)
		}
		l, err := b.connect(ctx)
		if err != nil {
			return nil, nil, false, err
		}
		if whole == nil {
			whole = small(src)
		}
		c, err := b.send(ctx, l, op, m, whole)
		switch {
		case err == nil:
			return l, c, whole != nil, nil
		case errors.Is(err, protocol.ErrClosed):
			continue
		case l.Err() == nil && ctx.Err() != nil:
			return l, nil, false, err
		default:
			return nil, nil, false, err
		}
	}
}

// send opens a call on a link. A runner that does not take the request although
// ctx has ended a while ago is treated as one that does not end a command.
// After protocol.ErrClosed nothing was sent.
func (b *backend) send(ctx context.Context, l *link, op protocol.Op, m protocol.Message, whole []byte) (*protocol.Call, error) {
	opened, ended := make(chan struct{}), make(chan error, 1)
	inTime := context.AfterFunc(ctx, func() {
		timer := time.NewTimer(killPatience)
		defer timer.Stop()
		select {
		case <-opened:
			ended <- nil
		case <-timer.C:
			ended <- b.revived(ctx, l)
		}
	})
	c, err := l.Open(ctx, op, m, whole)
	close(opened)
	if !inTime() {
		if stuck := <-ended; stuck != nil {
			return nil, stuck
		}
	}
	switch {
	case err == nil, errors.Is(err, protocol.ErrClosed):
		return c, err
	case errors.Is(err, protocol.ErrCut):
		return nil, b.broken(l.Err())
	case ctx.Err() != nil:
		return nil, core.Ended(ctx)
	default:
		return nil, core.Errorf(core.ErrLimit, "", "%w", err)
	}
}

// unblock is for a call whose context has ended: it revives the sandbox if its
// runner takes nothing of what is sent. It returns nil if the runner does.
func (b *backend) unblock(ctx context.Context, l *link) error {
	if l.Takes(killPatience) {
		return nil
	}
	return b.revived(ctx, l)
}

// revived revives the sandbox, and returns what a call then ends with whose context has ended.
func (b *backend) revived(ctx context.Context, l *link) error {
	err := b.revive(l)
	switch {
	case err == nil:
		return fmt.Errorf("%w (%w)", core.Ended(ctx), errRestarted)
	case core.CodeOf(err) == core.ErrLost:
		return err
	default: // nothing runs that would have to be ended
		return core.Ended(ctx)
	}
}

// small reads src if that cannot block and it is small, else it returns nil.
func small(src io.Reader) []byte {
	var size int
	switch r := src.(type) {
	case *bytes.Reader:
		size = r.Len()
	case *bytes.Buffer:
		size = r.Len()
	case *strings.Reader:
		size = r.Len()
	default:
		return nil
	}
	if size > protocol.MaxWhole {
		return nil
	}
	whole := make([]byte, size)
	_, _ = io.ReadFull(src, whole) // from memory it does not fail
	return whole
}

// await waits for the end of a call and reads its answer.
func (b *backend) await(ctx context.Context, l *link, call *protocol.Call, answer protocol.Message) error {
	select {
	case <-call.Over():
	case <-ctx.Done():
		b.cancel(call)
		return core.Ended(ctx)
	}
	err := call.Answer(answer)
	if err != nil && !call.Ended() && l.Err() != nil {
		return b.broken(err)
	}
	return err
}

// cancel ends a call and gives the runner a moment to clear up.
func (b *backend) cancel(call *protocol.Call) {
	call.Cancel()
	timer := time.NewTimer(killPatience)
	defer timer.Stop()
	select {
	case <-call.Over():
	case <-timer.C:
	}
}
