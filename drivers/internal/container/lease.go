package container

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/caisson-dev/caisson/core"
)

// leaseGrace is how much longer than its lease a sandbox lives that nobody
// renews. Many starts at once make an engine take seconds for a start or a signal.
const leaseGrace = 15 * time.Second

// lease renews a sandbox's lease while this process lives. Between two
// heartbeats it is a timer and no goroutine, since there are hundreds of them.
type lease struct {
	ctx    context.Context // of heartbeats
	cancel context.CancelFunc
	every  time.Duration
	beat   func(context.Context) error

	mu    sync.Mutex
	over  bool
	timer *time.Timer
	beats sync.WaitGroup // under way
}

// end stops the renewal and waits for it. A nil lease has none.
func (l *lease) end() {
	if l == nil {
		return
	}
	l.stop()
	l.cancel()
	l.beats.Wait()
}

func (l *lease) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
	l.timer.Stop()
}

// renew sends a heartbeat and sees to the next one.
func (l *lease) renew() {
	l.mu.Lock()
	if l.over {
		l.mu.Unlock()
		return
	}
	l.timer.Reset(l.every)
	l.beats.Add(1)
	l.mu.Unlock()
	defer l.beats.Done()
	ctx, done := within(l.ctx, max(l.every, leaseGrace/3)) // four may be under way
	defer done()
	if core.CodeOf(l.beat(ctx)) == core.ErrNotFound {
		l.stop() // the sandbox is gone; its next call says so
	}
}

// heartbeat is the signal that PID 1 takes for one. It costs no exec, and the workload, being another user, cannot send it.
const heartbeat = "SIGUSR1"

// renewing starts the renewal of the lease.
func (s *sandbox) renewing(ctx context.Context) *lease {
	l := &lease{
		every: s.spec.Lease / 4, // one or two may fail
		beat:  func(ctx context.Context) error { return s.driver.engine.Signal(ctx, s.id, heartbeat) },
	}
	l.ctx, l.cancel = context.WithCancel(context.WithoutCancel(ctx))
	l.mu.Lock()
	defer l.mu.Unlock() // before the timer is set it must not be used
	l.timer = time.AfterFunc(l.every, l.renew)
	return l
}

// claim makes this process the one that holds the sandbox. It returns
// ErrConflict if another one does, unless that is the process named by from.
func (s *sandbox) claim(ctx context.Context, from string) error {
	args := []string{"renew", "-claim", s.driver.holder}
	if from != "" {
		args = append(args, "-from", from)
	}
	held, err := s.keeper(ctx, args...)
	if err != nil {
		return err
	}
	if held != s.driver.holder {
		return &core.Error{Code: core.ErrConflict, Err: errTaken}
	}
	return nil
}

var errTaken = errors.New("another process has taken the sandbox over")

// keeper runs a request to PID 1 and returns who holds the sandbox; empty if nobody has claimed it.
func (s *sandbox) keeper(ctx context.Context, args ...string) (holder string, err error) {
	ctx, cancel := within(ctx, Patience)
	defer cancel()
	rw, err := s.driver.engine.Exec(ctx, s.id, keeper(s.spec), append([]string{guestPath}, args...))
	if err != nil {
		return "", err
	}
	defer rw.Close()
	defer context.AfterFunc(ctx, func() { _ = rw.Close() })()
	const most = 4 << 10 // far more than it says
	answer, err := io.ReadAll(io.LimitReader(rw, most))
	for line := range strings.Lines(string(answer)) {
		if holder, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "claim "); ok {
			return holder, nil // a refused claim is an error of the program, but an answer
		}
	}
	if ctx.Err() != nil {
		return "", ended(ctx)
	}
	if err == nil {
		err = io.ErrUnexpectedEOF
	}
	return "", core.Errorf(core.ErrUnavailable, "", "the sandbox's keeper does not answer: %w", err)
}

// keeperPatience is how long who attaches waits for the keeper of a sandbox that
// the engine says is running, as it also does while it removes one.
const keeperPatience = 2 * time.Second

// holder asks who holds the sandbox. If it is ending the answer is why.
func (s *sandbox) holder(ctx context.Context) (string, error) {
	for began := time.Now(); ; {
		holder, err := s.keeper(ctx, "status")
		if core.CodeOf(err) != core.ErrUnavailable {
			return holder, err
		}
		if gone := s.alive(ctx); gone != nil {
			return "", gone
		}
		if time.Since(began) > keeperPatience {
			return "", err
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return "", core.Ended(ctx)
		}
	}
}
