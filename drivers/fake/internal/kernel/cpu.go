package kernel

import (
	"sync"
	"time"
)

// cpu shares out processor time like the kernel's bandwidth control: in each
// period all processes together may compute for so long, then they wait.
//
// What a process computes is the time between its system calls. Go may have
// other things to do in between, so that much of one stretch is not counted.
// On the other hand a call counts as what it costs at least; without that a
// loop would never end where the clock stands still while anybody computes, as
// it does in package testing/synctest.
type cpu struct {
	share float64 // processors; 0 is without bound

	mu    sync.Mutex
	start time.Time // of the period
	used  time.Duration
}

const (
	cpuPeriod  = 100 * time.Millisecond
	maxStretch = time.Millisecond

	callCost = 2 * time.Microsecond
	byteCost = 2 * time.Nanosecond // of what is written
	forkCost = 50 * time.Microsecond
)

// charge counts d and returns how long the process has to wait.
func (c *cpu) charge(d time.Duration, now time.Time) time.Duration {
	if c.share <= 0 {
		return 0
	}
	budget := time.Duration(c.share * float64(cpuPeriod))
	c.mu.Lock()
	defer c.mu.Unlock()
	if periods := now.Sub(c.start) / cpuPeriod; periods > 0 {
		c.used = max(c.used-periods*budget, 0)
		c.start = c.start.Add(periods * cpuPeriod)
	}
	c.used += d
	if c.used <= budget {
		return 0
	}
	periods := (c.used-budget)/budget + 1
	return c.start.Add(periods * cpuPeriod).Sub(now)
}

// compute counts what the process has computed since its last call, at least
// the cost of the call that begins, and waits if that is too much.
func (p *Process) compute(cost time.Duration) {
	now := time.Now()
	d := max(min(now.Sub(p.since), maxStretch), cost)
	p.since = now
	p.used += d
	wait := p.kernel.cpu.charge(d, now)
	if wait <= 0 {
		return
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-p.killed:
	}
	p.since = time.Now()
}
