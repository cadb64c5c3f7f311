package guest

import (
	"context"
	"errors"
	"io"

	"github.com/caisson-dev/caisson/core"
)

// What ends the calls on a link beside one that the runner does not end.
var (
	errRestarted = errors.New("the sandbox was restarted to end another command")
	errDeaf      = errors.New("the sandbox's runner did not end another command")
)

// owns reports whether the runner is alone in its sandbox, so that the next one kills what one before it left.
func (b *backend) owns() bool { return b.opts.Restart != nil }

// broken turns the error that a link ended with into what it means for a call
// that was sent. A cause is text there: wrapped, an engine's would say that nothing happened.
func (b *backend) broken(err error) error {
	switch {
	case b.stopped.Load():
		return core.ErrStopped
	case b.lost.Load():
		return core.ErrLost
	case errors.Is(err, errRestarted):
		return core.Errorf(core.ErrIndeterminate, "", "%s", err.Error())
	}
	gone := b.alive(context.Background())
	switch {
	case core.CodeOf(gone) == core.ErrLost, core.CodeOf(gone) == core.ErrStopped:
		return gone
	case gone != nil: // paused, or the engine does not answer: neither says that nothing ran
		err = gone
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("the sandbox's runner ended")
	}
	return core.Errorf(core.ErrIndeterminate, "", "it may have run: %s", err.Error())
}

// revive ends every process of the sandbox when its runner could not: it
// restarts the sandbox, and removes it if that takes too long or fails. It
// returns nil if the sandbox lives, else an ErrLost. A sandbox that is another's
// is left alone: only the link ends, and the ErrResource says that this may not be all.
func (b *backend) revive(l *link) error {
	if !b.owns() {
		l.Fail(errDeaf)
		return core.Errorf(core.ErrResource, "", "its processes could not be ended by its own runner, and the sandbox is another's")
	}
	ctx, cancel := context.WithTimeout(context.Background(), restartTimeout)
	defer cancel()
	if done, err := b.tryRestart(ctx, l); done {
		return err
	}
	b.lost.Store(true)
	b.disconnect(core.ErrLost)
	ctx, cancel = context.WithTimeout(context.Background(), removeTimeout)
	defer cancel()
	if err := b.opts.Remove(ctx); err != nil { // Stop tries again
		return core.Errorf(core.ErrLost, "", "its processes could not be ended, nor could it be removed: %w", err)
	}
	return core.Errorf(core.ErrLost, "", "its processes could not be ended, so the sandbox was removed")
}

// tryRestart restarts the sandbox, unless another call has done so or is about
// to. It reports false if that did not work.
func (b *backend) tryRestart(ctx context.Context, l *link) (done bool, err error) {
	select {
	case <-b.opening: // so that nobody connects meanwhile
		defer func() { b.opening <- struct{}{} }()
	case <-ctx.Done():
		return false, nil
	}
	b.mu.Lock()
	first := b.link == l
	b.mu.Unlock()
	switch {
	case b.lost.Load():
		return true, core.ErrLost
	case !first || b.stopped.Load():
		return true, nil
	}
	l.Fail(errRestarted)
	if b.opts.Restart(ctx) != nil {
		b.lost.Store(true)
		return false, nil
	}
	b.disconnect(errRestarted)
	return true, nil
}
