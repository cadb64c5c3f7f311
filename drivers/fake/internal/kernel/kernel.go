package kernel

import (
	"context"
	"sync"
	"time"
)

// A Program is what a process runs; its result is the exit status. It may also call Process.Exit.
type Program func(*Process) int

// Options describes a Kernel.
type Options struct {
	FS  *FS
	RAM *Volume // charged for what programs hold; see Process.Charge
	// CPUs is how many processors all processes together may use; 0 is without bound.
	CPUs float64
	// MaxProcesses is how many there may be at once.
	MaxProcesses int
	// OpenFiles is how many descriptors a process may have.
	OpenFiles int
	// Loader returns the program of an executable file that is no script, or nil if there is none.
	Loader func(data []byte) Program
	// Hostname and Arch, in Go's notation, are what uname(2) says.
	Hostname, Arch string
}

// Kernel is a set of processes with a file system.
type Kernel struct {
	Options
	boot time.Time
	cpu  cpu

	namespace uint64 // the number of its namespaces

	mu    sync.Mutex
	procs map[int]*Process
	last  int // pid
	ooms  int
	down  bool
	gone  event // a process was taken out of procs
	init  *Process
	run   sync.WaitGroup
}

// Release is the version of the kernel.
const Release = "6.0.0-fake"

const (
	maxPID     = 32768
	baseMemory = 64 << 10 // bytes that every process takes
)

// New returns a kernel with one process, the init that keeps everything.
func New(o Options) *Kernel {
	k := &Kernel{Options: o, boot: time.Now(), procs: make(map[int]*Process)}
	k.cpu.share, k.cpu.start = o.CPUs, k.boot
	k.installProc()
	k.Boot()
	return k
}

// Boot makes the kernel accept processes again after a Shutdown.
func (k *Kernel) Boot() {
	keeper := &Process{
		kernel: k, User: User{65532, 65532}, Args: []string{"caisson-guest", "keeper"}, Dir: "/", reaper: true,
		files: make(map[int]*descriptor),
	}
	k.mu.Lock()
	k.down, k.last, k.init = false, 0, keeper
	k.mu.Unlock()
	_ = k.start(keeper, func(p *Process) int { // there is room for the first one
		<-p.killed
		return 0
	})
}

// Shutdown kills every process and waits until all are gone. None can be
// started until Boot. It returns the context's error if that ends first.
func (k *Kernel) Shutdown(ctx context.Context) error {
	for {
		k.mu.Lock()
		k.down = true
		for _, p := range k.procs {
			p.terminate(SIGKILL)
		}
		left, gone := len(k.procs), k.gone.next()
		k.mu.Unlock()
		if left == 0 {
			k.run.Wait() // what is left of their goroutines takes no time
			return nil
		}
		select {
		case <-gone:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Kills returns how many processes were killed for want of memory so far.
func (k *Kernel) Kills() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.ooms
}

// Uptime is the time since the kernel was made.
func (k *Kernel) Uptime() time.Duration { return time.Since(k.boot) }

// start enters p in the books and runs main on a goroutine of its own. It owns the descriptors of p, whatever it returns.
func (k *Kernel) start(p *Process, main Program) error {
	p.kernel, p.killed, p.over = k, make(chan struct{}), make(chan struct{})
	p.children, p.since = make(map[int]*Process), time.Now()
	if !k.FS.Take(k.RAM, baseMemory) {
		p.closeAll()
		return ENOMEM
	}
	p.charged, p.peak = baseMemory, baseMemory
	k.mu.Lock()
	err := k.enter(p)
	k.mu.Unlock()
	if err != nil {
		k.FS.Take(k.RAM, -baseMemory)
		p.closeAll()
		return err
	}
	k.installProcess(p)
	go func() {
		defer k.run.Done()
		p.live(main)
	}()
	return nil
}

// enter gives p a number. The lock is held.
func (k *Kernel) enter(p *Process) error {
	parent := p.parent
	if k.down || len(k.procs) >= k.MaxProcesses || parent != nil && parent.dying {
		return EAGAIN
	}
	for {
		k.last = k.last%maxPID + 1
		if k.procs[k.last] == nil {
			break
		}
	}
	p.PID, p.started, p.title = k.last, time.Now(), p.Args
	if p.group == 0 {
		p.group, p.session = p.PID, p.PID
	}
	k.procs[p.PID] = p
	if parent != nil {
		parent.children[p.PID] = p
	}
	for j := p.job; j != nil; j = j.outer {
		j.count++
	}
	k.run.Add(1)
	return nil
}

// reap takes an ended process out of the books. The lock is held.
func (k *Kernel) reap(p *Process) {
	delete(k.procs, p.PID)
	if p.parent != nil {
		delete(p.parent.children, p.PID)
	}
	k.gone.fire()
}
