package kernel

import (
	"fmt"
	"io/fs"
	"maps"
	"runtime"
	"strings"
	"sync/atomic"
	"time"
)

// Process is one process. Its methods are system calls: only its own goroutine
// may make them, unless they say otherwise, and a call of a process that was
// killed does not return.
type Process struct {
	PID   int
	User  User
	Args  []string
	Env   []string
	Dir   string // absolute
	Umask fs.FileMode

	kernel  *Kernel
	job     *Job
	files   map[int]*descriptor
	charged int64
	peak    int64         // the most that was charged
	since   time.Time     // it computes
	used    time.Duration // it computed, with the children that it waited for
	reaper  bool          // the children of dead descendants become its own, and are reaped at once
	code    int           // the exit status so far

	killed chan struct{} // closed when it has to end
	over   chan struct{} // closed when it has ended
	paused atomic.Bool   // what stopped says, for a quick look

	// Guarded by the kernel's lock.
	parent         *Process
	children       map[int]*Process
	group, session int
	title          []string
	started        time.Time
	stopped        bool
	resumed        event
	dying, ended   bool
	onKill         func()
	status         Status // once ended
	actions        [maxSignal + 1]Action
	caught         []Signal // and not taken yet
	held           []Signal // that came while it was stopped
	news           event    // a child ended or a signal was caught
}

// Status is how a process ended.
type Status struct {
	Code   int
	Signal Signal // 0 if it exited by itself
}

// Shell returns the status as a shell reports it.
func (s Status) Shell() int {
	if s.Signal != 0 {
		return 128 + int(s.Signal)
	}
	return s.Code
}

// live runs the program and clears up behind it.
func (p *Process) live(main Program) {
	defer p.bury()
	defer func() {
		if r := recover(); r != nil {
			// A program that fails like this must not take the caller's process with it.
			if d := p.files[2]; d != nil {
				_, _ = d.write(p.killed, fmt.Appendf(nil, "%s: internal error: %v\n", p.Args[0], r))
			}
			p.kernel.mu.Lock()
			p.terminate(SIGABRT)
			p.kernel.mu.Unlock()
		}
	}()
	p.code = main(p)
}

// Exit ends the process. It does not return.
func (p *Process) Exit(code int) {
	p.code = code & 0xff
	runtime.Goexit()
}

// bury gives back what a process held and tells its parent.
func (p *Process) bury() {
	k := p.kernel
	p.closeAll()
	k.FS.Take(k.RAM, -p.charged)
	var gone []*Process
	k.mu.Lock()
	if !p.dying {
		p.status.Code = p.code & 0xff
	}
	p.dying, p.ended = true, true
	heir := p.heir()
	for _, child := range p.children {
		if p == k.init {
			break // everything ends with it
		}
		delete(p.children, child.PID)
		child.parent = heir
		heir.children[child.PID] = child
		if child.ended {
			gone = append(gone, child)
			k.reap(child)
		}
	}
	if p.parent == nil || p.parent.reaper || p.parent.ended {
		gone = append(gone, p)
		k.reap(p)
	} else {
		p.parent.signal(SIGCHLD)
		p.parent.news.fire()
	}
	for j := p.job; j != nil; j = j.outer {
		j.count--
		j.changed.fire()
	}
	k.mu.Unlock()
	for _, dead := range gone {
		k.uninstallProcess(dead)
	}
	close(p.over)
}

// heir returns the process that adopts the children of p: the nearest ancestor that reaps, else init.
func (p *Process) heir() *Process {
	for a := p.parent; a != nil; a = a.parent {
		if a.reaper && !a.ended {
			return a
		}
	}
	return p.kernel.init
}

// check begins a call: it ends the goroutine if the process was killed, and
// waits while the process is stopped or has computed too much.
func (p *Process) check() { p.checkAt(callCost) }

// checkAt begins a call that costs something.
func (p *Process) checkAt(cost time.Duration) {
	p.compute(cost)
	p.proceed()
}

// back ends a call that may have waited, which is not computing.
func (p *Process) back() {
	p.proceed()
	p.since = time.Now()
}

func (p *Process) proceed() {
	for {
		select {
		case <-p.killed:
			runtime.Goexit()
		default:
		}
		if !p.paused.Load() {
			return
		}
		p.kernel.mu.Lock()
		if !p.stopped {
			p.kernel.mu.Unlock()
			continue
		}
		resumed := p.resumed.next()
		p.kernel.mu.Unlock()
		select {
		case <-resumed:
		case <-p.killed:
		}
	}
}

// Awake waits while the process is stopped, unless it is killed. It may be called from any goroutine.
func (p *Process) Awake() {
	for p.paused.Load() {
		p.kernel.mu.Lock()
		stopped, resumed := p.stopped, p.resumed.next()
		p.kernel.mu.Unlock()
		if !stopped {
			return
		}
		select {
		case <-resumed:
		case <-p.killed:
			return
		}
	}
}

// Check is a call that does nothing, for programs that compute for long.
func (p *Process) Check() { p.check() }

// Sleep waits for d; a negative one waits for ever.
func (p *Process) Sleep(d time.Duration) {
	p.check()
	if d < 0 {
		<-p.killed
		p.back()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-p.killed:
	}
	p.back()
}

// Setsid makes the process the leader of a session and group of its own.
func (p *Process) Setsid() error {
	p.kernel.mu.Lock()
	defer p.kernel.mu.Unlock()
	if p.group == p.PID {
		return EPERM
	}
	p.group, p.session = p.PID, p.PID
	return nil
}

// Charge takes n bytes of memory until the process ends, or gives -n back. When there are none left the process is killed.
func (p *Process) Charge(n int64) {
	p.check()
	n = max(n, baseMemory-p.charged)
	if p.kernel.FS.Take(p.kernel.RAM, n) {
		p.charged += n
		p.peak = max(p.peak, p.charged)
		return
	}
	p.OutOfMemory()
}

// OutOfMemory kills the process as the kernel does for want of memory.
func (p *Process) OutOfMemory() {
	p.kernel.mu.Lock()
	p.kernel.ooms++
	p.terminate(SIGKILL)
	p.kernel.mu.Unlock()
	p.back()
}

// Limits are what ulimit tells.
type Limits struct {
	OpenFiles int
	FileSize  int64 // bytes
}

// Limits returns the limits of every process.
func (p *Process) Limits() Limits {
	p.kernel.FS.mu.Lock()
	defer p.kernel.FS.mu.Unlock()
	return Limits{OpenFiles: p.kernel.OpenFiles, FileSize: p.kernel.FS.fileSize}
}

// Parent returns the pid of the parent.
func (p *Process) Parent() int {
	p.kernel.mu.Lock()
	defer p.kernel.mu.Unlock()
	if p.parent == nil {
		return 0
	}
	return p.parent.PID
}

// Kernel returns the kernel, whose methods may be called from any goroutine.
func (p *Process) Kernel() *Kernel { return p.kernel }

// Ended is closed when the process has ended. It may be called from any goroutine.
func (p *Process) Ended() <-chan struct{} { return p.over }

// Killed is closed when the process has to end. It may be called from any goroutine.
func (p *Process) Killed() <-chan struct{} { return p.killed }

// Getenv returns a variable of the environment.
func (p *Process) Getenv(key string) (string, bool) {
	for i := len(p.Env) - 1; i >= 0; i-- {
		if k, v, ok := strings.Cut(p.Env[i], "="); ok && k == key {
			return v, true
		}
	}
	return "", false
}

// Info is what ps knows of a process.
type Info struct {
	PID, Parent, Group, Session int
	User                        User
	Args                        []string
	State                       byte // R, S, T or Z
	Started                     time.Time
}

// Processes describes every process, by pid.
func (k *Kernel) Processes() []Info {
	k.mu.Lock()
	defer k.mu.Unlock()
	list := make([]Info, 0, len(k.procs))
	for _, pid := range sortedKeys(maps.Keys(k.procs)) {
		list = append(list, k.procs[pid].info())
	}
	return list
}

func (p *Process) info() Info {
	i := Info{PID: p.PID, Group: p.group, Session: p.session, User: p.User, Args: p.title, State: 'S', Started: p.started}
	if p.parent != nil {
		i.Parent = p.parent.PID
	}
	switch {
	case p.ended:
		i.State = 'Z'
	case p.stopped:
		i.State = 'T'
	}
	return i
}
