package fake

import (
	"io"
	"time"

	"github.com/caisson-dev/caisson/core"
)

// Fault is something that goes wrong for as long as it is switched on.
type Fault string

// The faults.
const (
	EngineGone   Fault = "engine-gone"   // every call of the engine is ErrUnavailable, and the streams to sandboxes are cut
	SlowStream   Fault = "slow-stream"   // every piece that comes from a sandbox is late
	OutOfMemory  Fault = "out-of-memory" // the next command is killed for want of memory
	RunnerCrash  Fault = "runner-crash"  // a sandbox's runner dies while it runs a command
	DeafRunner   Fault = "deaf-runner"   // a runner does not end the commands that it should
	StartFails   Fault = "start-fails"   // no sandbox can be started
	RemoveFails  Fault = "remove-fails"  // no sandbox can be removed
	RestartFails Fault = "restart-fails" // no sandbox can be restarted
	DiskFull     Fault = "disk-full"     // no file can grow
	SandboxLost  Fault = "sandbox-lost"  // every sandbox is gone, for ever
)

// Faults returns every fault.
func Faults() []Fault {
	return []Fault{
		EngineGone, SlowStream, OutOfMemory, RunnerCrash, DeafRunner,
		StartFails, RemoveFails, RestartFails, DiskFull, SandboxLost,
	}
}

// slowness is how late a piece of a slow stream is.
const slowness = 50 * time.Millisecond

// Inject switches a fault on. It may be called while sandboxes run.
func (d *Driver) Inject(f Fault) {
	d.mu.Lock()
	d.faults[f] = true
	all := d.all()
	d.mu.Unlock()
	for _, s := range all {
		switch f {
		case EngineGone:
			s.cut()
		case SandboxLost:
			s.lose()
		case DiskFull:
			s.fill(true)
		default:
		}
	}
}

// Clear switches a fault off. What it has broken stays broken.
func (d *Driver) Clear(f Fault) {
	d.mu.Lock()
	delete(d.faults, f)
	all := d.all()
	d.mu.Unlock()
	if f == DiskFull {
		for _, s := range all {
			s.fill(false)
		}
	}
}

func (d *engine) all() []*sandbox {
	all := make([]*sandbox, 0, len(d.sandboxes))
	for _, s := range d.sandboxes {
		all = append(all, s)
	}
	return all
}

func (d *engine) has(f Fault) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.faults[f]
}

// take reports whether a fault is on and switches it off.
func (d *engine) take(f Fault) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	on := d.faults[f]
	delete(d.faults, f)
	return on
}

// slow delays what is read from a stream while the fault is on.
type slow struct {
	io.ReadWriteCloser
	driver *engine
}

func (s slow) Read(b []byte) (int, error) {
	n, err := s.ReadWriteCloser.Read(b)
	if s.driver.has(SlowStream) {
		time.Sleep(slowness)
	}
	return n, err
}

// lost is the error of a sandbox that is gone.
func lost() error { return &core.Error{Code: core.ErrLost} }
