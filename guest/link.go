package guest

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/guest/protocol"
)

// A link is one stream to a runner and the goroutine that watches over it.
type link struct {
	*protocol.Conn
	watch sync.WaitGroup
}

// Rhythm of the heartbeat. A sandbox whose processors are all taken may answer late, so
// silence alone ends a link only after a long time; a short one makes the host ask the engine.
const (
	heartbeat    = 2 * time.Second
	idleBeats    = 8 // an idle link is pinged every so many beats
	doubtSilence = 4 * time.Second
	deadSilence  = 60 * time.Second
)

// connect returns the present link, or opens one.
func (b *backend) connect(ctx context.Context) (*link, error) {
	if l := b.current(); l != nil {
		return l, nil
	}
	select {
	case <-b.opening:
		defer func() { b.opening <- struct{}{} }()
	case <-ctx.Done():
		return nil, core.Ended(ctx)
	}
	if l := b.current(); l != nil {
		return l, nil
	}
	switch {
	case b.stopped.Load():
		return nil, core.ErrStopped
	case b.lost.Load():
		return nil, core.ErrLost
	}
	return b.open(ctx)
}

// open opens a link. When a sandbox that had a runner has no room for another,
// because what runs in it has taken every process, it is restarted.
func (b *backend) open(ctx context.Context) (*link, error) {
	b.disconnect(protocol.ErrClosed) // waits for what the broken one has left
	l, err := b.dialAgain(ctx)
	if err == nil || b.facts.Load() == nil || b.opts.Restart == nil || !passing(err) || ctx.Err() != nil {
		return l, err
	}
	whole, cancel := context.WithTimeout(context.WithoutCancel(ctx), restartTimeout)
	defer cancel()
	if b.opts.Restart(whole) != nil {
		return nil, err
	}
	return b.dialAgain(ctx)
}

// dialAgain dials until it works or fails for good. A runner can fail to start
// in the moments in which its sandbox starts or ends; nothing is run twice by trying again.
func (b *backend) dialAgain(ctx context.Context) (*link, error) {
	for wait := firstWait; ; wait *= 2 {
		l, err := b.dial(ctx)
		if err == nil || !passing(err) || wait > lastWait {
			return l, err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			if errors.Is(context.Cause(ctx), errTimeout) {
				return nil, err // the command has not begun: this is what kept it from that
			}
			return nil, core.Ended(ctx)
		}
	}
}

// Waits between attempts to start a runner.
const (
	firstWait = 50 * time.Millisecond
	lastWait  = 800 * time.Millisecond
)

// passing reports whether an error can go away by itself.
func passing(err error) bool {
	code := core.CodeOf(err)
	return code == core.ErrUnavailable || code == core.ErrInternal
}

func (b *backend) dial(ctx context.Context) (*link, error) {
	if b.stopped.Load() {
		return nil, core.ErrStopped
	}
	rw, err := b.opts.Open(ctx)
	if err != nil {
		return nil, err
	}
	l := &link{Conn: protocol.NewConn(rw, nil)}
	if err := b.greet(ctx, l); err != nil {
		l.Close()
		if ctx.Err() != nil {
			return nil, core.Ended(ctx)
		}
		return nil, err
	}
	l.watch.Go(func() { b.watch(l) })
	b.mu.Lock()
	b.link = l
	b.mu.Unlock()
	if b.stopped.Load() { // Stop may have looked before the link was there
		b.disconnect(protocol.ErrClosed)
		return nil, core.ErrStopped
	}
	return l, nil
}

// greet sends the configuration and takes the facts.
func (b *backend) greet(ctx context.Context, l *link) error {
	ctx, cancel := context.WithTimeout(ctx, helloTimeout)
	defer cancel()
	defer context.AfterFunc(ctx, func() { l.Fail(protocol.ErrSilent) })()
	if err := l.SendHello(protocol.Marshal(&b.opts.Config)); err != nil {
		return b.noRunner(err)
	}
	hello, err := l.Hello(ctx.Done())
	if err != nil {
		return b.noRunner(err)
	}
	var facts protocol.Facts
	if err := protocol.UnmarshalAnswer(hello, &facts); err != nil {
		return err
	}
	b.facts.CompareAndSwap(nil, &facts)
	return nil
}

// noRunner says why a runner did not greet: because the sandbox is gone, or for a reason of its own.
func (b *backend) noRunner(err error) error {
	if gone := b.alive(context.Background()); gone != nil {
		return gone
	}
	return core.Errorf(core.ErrUnavailable, "", "the sandbox's runner does not start: %w", err)
}

// current returns the link if it lives.
func (b *backend) current() *link {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.link == nil || b.link.Err() != nil {
		return nil
	}
	return b.link
}

// disconnect ends the link, its calls failing with err, and waits for its goroutines.
func (b *backend) disconnect(err error) {
	b.mu.Lock()
	l := b.link
	b.link = nil
	b.mu.Unlock()
	if l != nil {
		l.Fail(err)
		l.Close()
		l.watch.Wait()
	}
}

// watch sends heartbeats, and ends the link when the sandbox is gone or silent for too long.
func (b *backend) watch(l *link) {
	ticker := time.NewTicker(heartbeat)
	defer ticker.Stop()
	for beat := 1; ; beat++ {
		select {
		case <-l.Done():
			return
		case <-ticker.C:
		}
		if !l.Busy() && beat%idleBeats != 0 {
			continue
		}
		silence := l.Silence()
		l.Ping()
		if !l.Busy() || silence < doubtSilence {
			continue
		}
		// An engine that does not answer says nothing about the sandbox.
		if err := b.aliveBehind(l); core.CodeOf(err) == core.ErrLost || core.CodeOf(err) == core.ErrConflict {
			l.Fail(err)
		} else if silence > deadSilence {
			l.Fail(protocol.ErrSilent)
		}
	}
}

// aliveBehind is alive for who watches a link, whose end it does not hold up.
func (b *backend) aliveBehind(l *link) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		defer cancel()
		select {
		case <-l.Done():
		case <-ctx.Done():
		}
	}()
	return b.alive(ctx)
}

func (b *backend) alive(ctx context.Context) error {
	if b.opts.Alive == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, aliveTimeout)
	defer cancel()
	return b.opts.Alive(ctx)
}
