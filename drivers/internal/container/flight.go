package container

import (
	"context"
	"slices"
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
	news chan struct{} // holds a token while there are events

	mu     sync.Mutex
	events []core.Progress
}

// maxNews is how many events wait for somebody who is slow to hear of them.
const maxNews = 64

// put adds an event, and waits for nobody. Of a pull only the latest counts. What is too much are old lines, else old steps.
func (s *seat) put(ev core.Progress) {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := len(s.events) - 1
	switch {
	case last >= 0 && ev.Kind == core.ProgressPull && s.events[last].Kind == ev.Kind:
		s.events[last] = ev
		return
	case len(s.events) == maxNews:
		old := max(0, slices.IndexFunc(s.events, func(ev core.Progress) bool { return ev.Kind != core.ProgressStep }))
		s.events = slices.Delete(s.events, old, old+1)
	}
	s.events = append(s.events, ev)
	select {
	case s.news <- struct{}{}:
	default:
	}
}

func (s *seat) take() []core.Progress {
	s.mu.Lock()
	defer s.mu.Unlock()
	events := s.events
	s.events = nil
	return events
}

// do returns what work returns. If work for the same key is under way it waits
// for that. The work goes on as long as anybody waits for it, and is cancelled
// when the last one gives up; do then returns only after it has ended. The work
// does not wait for progress, which may even panic.
func (f *flights[T]) do(ctx context.Context, key string, progress func(core.Progress), work func(context.Context, func(core.Progress)) (T, error)) (T, error) {
	fl, s := f.board(ctx, key, work)
	defer func() {
		if f.leave(key, fl, s) {
			<-fl.done
		}
	}()
	tell := func() {
		for _, ev := range s.take() {
			progress(ev)
		}
	}
	for {
		select {
		case <-s.news:
			tell()
		case <-fl.done:
			tell()
			return fl.value, fl.err
		case <-ctx.Done():
			var none T
			return none, core.Ended(ctx)
		}
	}
}

func (f *flights[T]) board(ctx context.Context, key string, work func(context.Context, func(core.Progress)) (T, error)) (*flight[T], *seat) {
	s := &seat{news: make(chan struct{}, 1)}
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

// tell passes an event to everybody who waits.
func (f *flights[T]) tell(fl *flight[T], ev core.Progress) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for s := range fl.seats {
		s.put(ev)
	}
}

// leave gives up a seat and reports whether it was the last one, in which case the work is cancelled.
func (f *flights[T]) leave(key string, fl *flight[T], s *seat) bool {
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
