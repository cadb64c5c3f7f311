package sessions

import (
	"slices"
	"time"

	"github.com/caisson-dev/caisson/core"
)

// A pool that cannot start sandboxes tries again after firstRest, and after
// twice that each time that it fails again, at most lastRest.
const (
	firstRest = time.Second
	lastRest  = time.Minute
)

// poke makes the pool look whether there is something to start.
func (p *Pool) poke() {
	select {
	case p.kick <- struct{}{}:
	default:
	}
}

// keep keeps the pool full and sound until it is closed.
func (p *Pool) keep() {
	check := time.NewTicker(p.options.CheckInterval)
	defer check.Stop()
	retry := time.NewTimer(0)
	defer retry.Stop()
	for {
		select {
		case <-p.closing.Done():
			return
		case <-check.C:
			p.check()
		case <-p.kick:
		case <-retry.C:
		}
		if rest := p.refill(); rest > 0 {
			retry.Reset(rest)
		}
	}
}

// refill starts what is missing. It returns how long to wait before the next try, if starts have failed.
func (p *Pool) refill() (rest time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if rest = time.Until(p.resting); rest > 0 || p.closed {
		return rest
	}
	want := min(p.options.Min+len(p.waiters), p.options.Max)
	for range want - len(p.ready) - p.starting {
		p.starting++
		p.work.Go(p.startOne)
	}
	return 0
}

func (p *Pool) startOne() {
	sb, err := p.start(p.closing)
	p.mu.Lock()
	p.starting--
	if err != nil {
		p.failed(err)
		p.mu.Unlock()
		p.poke()
		return
	}
	p.failures = 0
	p.mu.Unlock()
	p.add(warm{sb, time.Now()})
	p.poke()
}

// failed notes that a start has failed, and tells who waits. The lock is held.
func (p *Pool) failed(err error) {
	p.resting = time.Now().Add(min(firstRest<<min(p.failures, 10), lastRest))
	p.failures++
	for _, w := range p.waiters {
		w <- claim{err: err}
	}
	p.waiters = nil
}

// check drops the sandboxes that are too old or do not answer.
func (p *Pool) check() {
	p.mu.Lock()
	ready := slices.Clone(p.ready)
	p.mu.Unlock()
	for _, w := range ready {
		if time.Since(w.since) < p.options.MaxAge && probe(p.closing, w.sandbox) == nil {
			continue
		}
		if p.closing.Err() != nil {
			return
		}
		if p.withdraw(w.sandbox) {
			p.drop(w)
		}
	}
}

// withdraw takes a sandbox out of the pool, unless somebody has claimed it.
func (p *Pool) withdraw(sb *core.Sandbox) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.IndexFunc(p.ready, func(w warm) bool { return w.sandbox == sb })
	if i >= 0 {
		p.ready = slices.Delete(p.ready, i, i+1)
	}
	return i >= 0
}
