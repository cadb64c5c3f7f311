package container

import (
	"context"
	"sync"

	"github.com/caisson-dev/caisson/core"
)

// flights runs work once for all who want it at the same time. The zero value is ready to use.
type flights[T any] struct {
	mu      sync.Mutex
	running map[string]*flight[T]
}

type flight[T any] struct {
	done   chan struct{} // closed when value and err are set
	value  T
	err    error
	cancel context.CancelFunc
	seats  map[*seat]struct{} // of those who wait, guarded by flights.mu
}

// seat is where one who waits hears of progress, in the goroutine that asked.
type seat struct {
	events chan core.Progress
	gone   chan struct{} // closed when nobody listens any more
}

// do returns what work returns. If work for the same key is under way it waits
// for that. The work goes on as long as anybody waits for it, and is cancelled
// when the last one gives up; do then returns only after it has ended.
func (f *flights[T]) do(ctx context.Context, key string, progress func(core.Progress), work func(context.Context, func(core.Progress)) (T, error)) (T, error) {
	fl, s := f.board(ctx, key, work)
	for {
		select {
		case ev := <-s.events:
			progress(ev)
		case <-fl.done:
			f.leave(key, fl, s)
			return fl.value, fl.err
		case <-ctx.Done():
			if f.leave(key, fl, s) {
				<-fl.done
			}
			var none T
			return none, core.Ended(ctx)
		}
	}
}

func (f *flights[T]) board(ctx context.Context, key string, work func(context.Context, func(core.Progress)) (T, error)) (*flight[T], *seat) {
	s := &seat{events: make(chan core.Progress), gone: make(chan struct{})}
	f.mu.Lock()
	defer f.mu.Unlock()
	if fl := f.running[key]; fl != nil {
		fl.seats[s] = struct{}{}
		return fl, s
	}
	// Whoever asked first may give up; the others still want it.
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	fl := &flight[T]{done: make(chan struct{}), cancel: cancel, seats: map[*seat]struct{}{s: {}}}
	if f.running == nil {
		f.running = make(map[string]*flight[T])
	}
	f.running[key] = fl
	go func() {
		defer cancel()
		fl.value, fl.err = work(ctx, func(ev core.Progress) { f.tell(fl, ev) })
		f.mu.Lock()
		f.land(key, fl)
		f.mu.Unlock()
		close(fl.done)
	}()
	return fl, s
}

// tell passes an event to everybody who waits, one after the other.
func (f *flights[T]) tell(fl *flight[T], ev core.Progress) {
	f.mu.Lock()
	seats := make([]*seat, 0, len(fl.seats))
	for s := range fl.seats {
		seats = append(seats, s)
	}
	f.mu.Unlock()
	for _, s := range seats {
		select {
		case s.events <- ev:
		case <-s.gone:
		}
	}
}

// leave gives up a seat and reports whether it was the last one, in which case the work is cancelled.
func (f *flights[T]) leave(key string, fl *flight[T], s *seat) bool {
	close(s.gone)
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(fl.seats, s)
	if len(fl.seats) > 0 {
		return false
	}
	f.land(key, fl) // whoever comes now starts anew
	fl.cancel()
	return true
}

func (f *flights[T]) land(key string, fl *flight[T]) {
	if f.running[key] == fl {
		delete(f.running, key)
	}
}
