package kernel

import (
	"runtime"
)

// Fork starts a child that has copies of all that p has and runs main. It returns EAGAIN when there are too many.
func (p *Process) Fork(main Program) (*Process, error) {
	p.checkAt(forkCost)
	child := &Process{
		User: p.User, Args: p.Args, Env: p.Env, Dir: p.Dir, Umask: p.Umask, job: p.job,
		files: make(map[int]*descriptor, len(p.files)), parent: p,
	}
	for fd, d := range p.files {
		if fd < private {
			child.files[fd] = d.hold()
		}
	}
	p.kernel.mu.Lock()
	child.group, child.session = p.group, p.session
	child.actions = p.actions
	for sig, a := range child.actions {
		if a == Catch {
			child.actions[sig] = Default
		}
	}
	p.kernel.mu.Unlock()
	err := p.kernel.start(child, main)
	if err != nil {
		p.check()
		return nil, err
	}
	runtime.Gosched() // so that children get on, however many are started
	return child, nil
}

// Wait waits for the child with that pid, or any for -1, and takes it out of
// the books. It returns ECHILD if there is none. If interruptible is set, a
// signal that is caught ends it with EINTR.
func (p *Process) Wait(pid int, interruptible bool) (int, Status, error) {
	for {
		p.check()
		p.kernel.mu.Lock()
		dead, any := p.deadChild(pid)
		interrupted := interruptible && len(p.caught) > 0
		if dead != nil && !interrupted {
			p.kernel.reap(dead)
		}
		news := p.news.next()
		p.kernel.mu.Unlock()
		switch {
		case interrupted && any:
			return 0, Status{}, EINTR
		case dead != nil:
			p.bear(dead)
			return dead.PID, dead.status, nil
		case !any:
			return 0, Status{}, ECHILD
		}
		select {
		case <-news:
		case <-p.killed:
		}
		p.back()
	}
}

// TryWait is Wait for a child that has ended already; it returns EAGAIN if it has not.
func (p *Process) TryWait(pid int) (Status, error) {
	p.check()
	p.kernel.mu.Lock()
	dead, any := p.deadChild(pid)
	if dead != nil {
		p.kernel.reap(dead)
	}
	p.kernel.mu.Unlock()
	switch {
	case dead != nil:
		p.bear(dead)
		return dead.status, nil
	case any:
		return Status{}, EAGAIN
	default:
		return Status{}, ECHILD
	}
}

// bear takes over what is left of a child that was waited for.
func (p *Process) bear(dead *Process) {
	p.kernel.uninstallProcess(dead)
	p.used += dead.used
	p.peak = max(p.peak, dead.peak)
}

// deadChild returns a child that has ended, and whether there are children to wait for at all.
func (p *Process) deadChild(pid int) (dead *Process, any bool) {
	for _, child := range p.children {
		if pid != -1 && child.PID != pid {
			continue
		}
		any = true
		if child.ended && (dead == nil || child.PID < dead.PID) {
			dead = child
		}
	}
	return dead, any
}
