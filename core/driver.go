package core

import (
	"context"
	"time"
)

// Driver is one configured engine. Its methods may be called from many
// goroutines at once, and errors follow the rules of [Backend].
type Driver interface {
	// Info reports what the engine is and what it can do. It asks the engine,
	// and returns ErrUnavailable if that cannot be reached, or ErrTimeout if it
	// does not answer within 5 s.
	Info(ctx context.Context) (*Info, error)

	// Prepare makes the image of rt present, by pulling or building it, so
	// that Start is quick. It validates the runtime before it does anything
	// else, and returns ErrInvalid for one that is not valid, ErrNotFound for
	// an image that does not exist, ErrBuild for a build that failed, and
	// ErrUnsupported for one that the driver cannot make.
	Prepare(ctx context.Context, rt *Runtime, opts *PrepareOptions) (*Prepared, error)

	// Start prepares the spec's runtime if need be and returns a running
	// sandbox, ready to Execute. The spec was validated and holds its
	// defaults. If the engine cannot enforce what the spec asks for, Start
	// returns ErrUnsupported, unless the spec allows that weakening. A failed
	// or cancelled Start leaves nothing behind.
	Start(ctx context.Context, spec *Spec) (Backend, error)

	// Close releases the connection to the engine. Sandboxes live on.
	Close() error
}

// Info describes a driver and its engine.
type Info struct {
	Driver       string       // the driver's scheme, as in "docker"
	Engine       string       // what the engine calls itself
	Version      string       // of the engine
	APIVersion   string       // that the driver speaks with it
	Endpoint     string       // where it was reached
	OS, Arch     string       // of the sandboxes, in Go's notation
	Capabilities []Capability // sorted
	// LeaseGrace is how much longer than its Lease a sandbox may go on that
	// nobody renews: a busy engine passes renewals on late.
	LeaseGrace time.Duration
	Isolation  Isolation
}

// Isolation says which protections are really in force on an engine.
type Isolation struct {
	// Level is "container" (shared kernel), "gvisor" (a kernel in user space), "vm" or "none" (no protection at all).
	Level string
	// Runtime is the OCI runtime, as in "runc", where there is one.
	Runtime string
	// Rootless reports that the engine runs without root on its host.
	Rootless bool
	// CgroupVersion is 1 or 2; 0 means that no resource limit is enforced by cgroups.
	CgroupVersion int
	// Seccomp reports that system call filters can be applied.
	Seccomp bool
	// LSM names the Linux security modules that the engine applies, as in "apparmor".
	LSM []string
	// Missing lists what the engine cannot enforce, as the Weakening that a Spec must allow.
	Missing []Weakening
}

// PrepareOptions changes how a runtime is made ready. The zero value and nil are the defaults.
type PrepareOptions struct {
	// Progress is told of every step, in the goroutine that called Prepare. No
	// pull or build waits for it: one that is slow misses old lines of output,
	// and hears only of the latest state of a pull.
	Progress func(Progress)
	// NoCache builds the image again even if it is there.
	NoCache bool
}

// Prepared is a runtime that is ready to start.
type Prepared struct {
	Image string // the reference that sandboxes are started from
	ID    string // its content id
	Built bool   // whether this call built it, rather than found it
}

// ProgressKind is the kind of a Progress event.
type ProgressKind string

// The kinds of progress.
const (
	ProgressPull ProgressKind = "pull" // Current of Total bytes; Total is 0 while it is not known
	ProgressStep ProgressKind = "step" // build step Current of Total; Text is the instruction
	ProgressLog  ProgressKind = "log"  // one line of build output in Text
	ProgressDone ProgressKind = "done" // ready; Text is the image
)

// Progress is one event of making a runtime ready.
type Progress struct {
	Kind           ProgressKind
	Text           string
	Current, Total int64
}

// SandboxInfo describes a live sandbox: what was asked for and what the kernel enforces.
type SandboxInfo struct {
	ID      string // the driver's
	Image   string
	WorkDir string
	Profile Profile
	Network Network
	Limits  Limits // as enforced; a limit that is not enforced is 0
	Created time.Time
	// UID and GID are the workload's.
	UID, GID int
	// Seccomp, NoNewPrivs and Capabilities (the union of every set, a bit each) are read from the kernel.
	Seccomp, NoNewPrivs bool
	Capabilities        uint64
}

// Informer is implemented by a Backend that can describe itself.
type Informer interface {
	Info(ctx context.Context) (*SandboxInfo, error)
}
