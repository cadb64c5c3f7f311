package kernel

import (
	"iter"
	"slices"
)

// Kill sends a signal to a process, to the group -pid, to the own group for 0,
// or for -1 to everyone who may be signalled but the caller. Signal 0 only looks.
func (p *Process) Kill(pid int, sig Signal) error {
	p.check()
	p.kernel.mu.Lock()
	err := p.kill(pid, sig)
	p.kernel.mu.Unlock()
	p.check()
	return err
}

func (p *Process) kill(pid int, sig Signal) error {
	if pid > 0 {
		target := p.kernel.procs[pid]
		switch {
		case target == nil:
			return ESRCH
		case !p.maySignal(target):
			return EPERM
		}
		target.signal(sig)
		return nil
	}
	var found, allowed bool
	for _, target := range p.kernel.procs {
		switch {
		case pid == -1 && (target == p || target == p.kernel.init):
			continue
		case pid == 0 && target.group != p.group:
			continue
		case pid < -1 && target.group != -pid:
			continue
		}
		found = true
		if p.maySignal(target) {
			allowed = true
			target.signal(sig)
		}
	}
	switch {
	case !found:
		return ESRCH
	case !allowed:
		return EPERM
	}
	return nil
}

func (p *Process) maySignal(target *Process) bool {
	return p.User.UID == 0 || p.User.UID == target.User.UID
}

// signal delivers a signal. The kernel's lock is held.
func (p *Process) signal(sig Signal) {
	if p.ended || p.dying || sig == 0 {
		return
	}
	if p == p.kernel.init {
		return // it handles none, and the kernel spares an init what it does not handle
	}
	switch {
	case sig == SIGKILL:
		p.terminate(sig)
		return
	case sig == SIGSTOP:
		p.stop()
		return
	case sig == SIGCONT:
		p.resume()
	case p.stopped:
		if !slices.Contains(p.held, sig) {
			p.held = append(p.held, sig)
		}
		return
	}
	switch {
	case p.actions[sig] == Ignore:
	case p.actions[sig] == Catch:
		if !slices.Contains(p.caught, sig) {
			p.caught = append(p.caught, sig)
		}
		p.news.fire()
	case sig.harmless():
	case sig.stops():
		p.stop()
	default:
		p.terminate(sig)
	}
}

// terminate makes the process end in the call that it is in or makes next. The kernel's lock is held.
func (p *Process) terminate(sig Signal) {
	if !p.dying {
		p.dying = true
		p.status.Signal = sig
		close(p.killed)
		if p.onKill != nil {
			p.onKill()
		}
	}
}

// OnKill has f called as soon as the process is killed, at once if it was
// already. F must neither wait nor make calls of the kernel.
func (p *Process) OnKill(f func()) {
	p.kernel.mu.Lock()
	defer p.kernel.mu.Unlock()
	p.onKill = f
	if p.dying {
		f()
	}
}

func (p *Process) stop() {
	p.stopped = true
	p.paused.Store(true)
}

func (p *Process) resume() {
	if !p.stopped {
		return
	}
	p.stopped = false
	p.paused.Store(false)
	p.resumed.fire()
	held := p.held
	p.held = nil
	for _, sig := range held {
		p.signal(sig)
	}
}

// SetAction says what the process does about a signal from now on. A Caught
// signal waits for Process.Caught. Nothing can be done about KILL and STOP.
func (p *Process) SetAction(sig Signal, a Action) {
	p.kernel.mu.Lock()
	defer p.kernel.mu.Unlock()
	if sig > 0 && sig <= maxSignal && sig != SIGKILL && sig != SIGSTOP {
		p.actions[sig] = a
	}
}

// Caught returns the signals that were caught since it was last called.
func (p *Process) Caught() []Signal {
	p.kernel.mu.Lock()
	defer p.kernel.mu.Unlock()
	caught := p.caught
	p.caught = nil
	return caught
}

// Crash kills the process. It may be called from any goroutine.
func (p *Process) Crash() {
	p.kernel.mu.Lock()
	defer p.kernel.mu.Unlock()
	p.terminate(SIGKILL)
}

// KillUser kills every process of a user but init, and waits until they are gone.
func (k *Kernel) KillUser(u User) {
	k.killAll(func(p *Process) bool { return p.User == u && p != k.init })
}

// killAll kills the processes that which, called with the lock held, picks, until none is left.
func (k *Kernel) killAll(which func(*Process) bool) {
	for {
		k.mu.Lock()
		var left []*Process
		for _, p := range k.procs {
			if !p.ended && which(p) {
				p.terminate(SIGKILL)
				left = append(left, p)
			}
		}
		k.mu.Unlock()
		if len(left) == 0 {
			return
		}
		for _, p := range left {
			<-p.over
		}
	}
}

func sortedKeys(keys iter.Seq[int]) []int { return slices.Sorted(keys) }
