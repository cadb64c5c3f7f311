package core

import (
	"context"
	"time"
)

// What a Driver may do beside starting sandboxes. All state that these need is
// on the engine, in names, labels and leases, so that it survives every process.
// As with a Backend's optional verbs, AsDriver asks whether a driver has them.

// Record is what an engine remembers of a sandbox.
type Record struct {
	ID        string // the driver's
	Owner     string
	Workspace string            // empty if the sandbox has none that outlives it
	Labels    map[string]string // the Spec's
	Created   time.Time         // by the engine's clock
	Lease     time.Duration
	Running   bool
	// SpecDigest identifies what was asked for; see Attacher.
	SpecDigest string
}

// Attacher finds sandboxes that another process has started, and takes them over.
type Attacher interface {
	// Sandboxes lists the sandboxes of an owner, also those that have stopped.
	// An empty owner lists all that Caisson has started on this engine.
	Sandboxes(ctx context.Context, owner string) ([]Record, error)

	// Attach takes over the running sandbox with the id, files, background
	// processes and all. It must have been started from an equal spec, its
	// Owner and Workspace included, else it returns ErrConflict, as it does
	// when another process takes it at the same moment. What the kernel
	// enforces is checked as in Start. The process that had it before gets
	// ErrConflict from its next call. A sandbox that does not run is ErrLost.
	Attach(ctx context.Context, id string, spec *Spec) (Backend, error)
}

// Joiner opens sandboxes beside the process that has them.
type Joiner interface {
	// Join opens the owner's running sandbox with the id for a while. The
	// process that has it keeps it, and its calls go on. Files, processes and the
	// sandbox's limits are the same; what the Runtime adds to the environment of
	// commands is not known here. Stop of the Backend ends the
	// commands that ran through it, background ones included, and leaves the
	// sandbox. A sandbox of another owner is ErrConflict, one that does not run
	// ErrLost. When the process that has it opens its connection anew, calls
	// that are under way here end with ErrIndeterminate.
	Join(ctx context.Context, owner, id string) (Backend, error)
}

// Collector removes what no process will remove any more.
type Collector interface {
	// Collect looks for sandboxes, workspaces and half-made objects that carry
	// our labels exactly and that opts selects, removes them unless opts.DryRun
	// is set, and returns them. Errors of single objects are joined; the others
	// are removed all the same.
	Collect(ctx context.Context, opts *CollectOptions) ([]Leftover, error)
}

// CollectOptions selects what Collect removes. The zero value selects
// sandboxes whose lease has ended and the parts that such have left, of every owner.
type CollectOptions struct {
	// Owner selects everything of this owner as well.
	Owner string
	// Workspaces selects the workspaces of Owner too; without it they are kept,
	// since a later sandbox may want their files.
	Workspaces bool
	// Keep, if set, saves what it returns true for.
	Keep func(Leftover) bool
	// MinAge saves what is younger, because a sandbox is not made in one step; 0
	// means DefaultMinAge. Less than that holds for what is Owner's alone.
	MinAge time.Duration
	DryRun bool
}

// DefaultMinAge is longer than any start takes.
const DefaultMinAge = 2 * time.Minute

// The kinds of leftovers.
const (
	LeftoverSandbox   = "sandbox"
	LeftoverWorkspace = "workspace"
	LeftoverVolume    = "volume" // of a sandbox that is gone
	LeftoverImage     = "image"  // of a build that did not end, hours ago
)

// Leftover is an object on the engine.
type Leftover struct {
	Kind      string
	ID        string
	Owner     string
	Workspace string
	Created   time.Time
}

// Workspacer keeps workspaces apart from the sandboxes that use them.
type Workspacer interface {
	// RemoveWorkspace removes the files that sandboxes with this Owner and
	// Workspace share. It returns ErrConflict while a sandbox uses them, and
	// nil if there are none.
	RemoveWorkspace(ctx context.Context, owner, workspace string) error
}

// Linker keeps other names of workspaces, for who finds out late what a
// workspace is for: a workspace cannot be renamed.
type Linker interface {
	// Link writes down that name stands for the workspace target of the same
	// owner. It returns ErrConflict if there is a workspace or a link of that
	// name. Start and Attach do not follow links; RemoveWorkspace removes one,
	// and Collect takes one for a workspace.
	Link(ctx context.Context, owner, name, target string) error

	// Links returns what every linked name of the owner stands for.
	Links(ctx context.Context, owner string) (map[string]string, error)
}

// AsDriver returns d as a T, which is an optional interface of drivers, if d or
// a Driver that it wraps implements T. A wrapper shows what it wraps with a
// method Unwrap() Driver.
func AsDriver[T any](d Driver) (T, bool) {
	for d != nil {
		if t, ok := d.(T); ok {
			return t, true
		}
		w, ok := d.(interface{ Unwrap() Driver })
		if !ok {
			break
		}
		d = w.Unwrap()
	}
	var none T
	return none, false
}

// Attach takes over a running sandbox that was started with an equal spec,
// after it has checked the spec as Start does. It returns ErrUnsupported if
// the driver is no Attacher. The caller must Stop the sandbox.
func Attach(ctx context.Context, driver Driver, id string, spec *Spec) (*Sandbox, error) {
	attacher, ok := AsDriver[Attacher](driver)
	if !ok {
		return nil, Errorf(ErrUnsupported, "attach", "the driver cannot take over sandboxes")
	}
	if err := spec.Validate(); err != nil {
		return nil, annotate(err, "attach", "")
	}
	lazy := *spec
	lazy.Lazy = true
	s, err := Start(ctx, driver, &lazy)
	if err != nil {
		return nil, err
	}
	b, err := attacher.Attach(ctx, id, s.spec)
	if err == nil {
		err = s.take(ctx, b)
	}
	if err != nil {
		s.close()
		return nil, s.fail("attach", "", err)
	}
	return s, nil
}

// Join opens a running sandbox beside the process that has it; see Joiner. It
// returns ErrUnsupported if the driver is no Joiner. The caller must Stop the
// Sandbox, whose Spec holds the Owner and nothing else.
func Join(ctx context.Context, driver Driver, owner, id string) (*Sandbox, error) {
	joiner, ok := AsDriver[Joiner](driver)
	if !ok {
		return nil, Errorf(ErrUnsupported, "join", "the driver cannot open sandboxes that another process has")
	}
	s := newSandbox(ctx, driver, &Spec{Owner: owner, Runtime: new(Runtime)})
	b, err := joiner.Join(ctx, owner, id)
	if err == nil {
		err = s.take(ctx, b)
	}
	if err != nil {
		s.close()
		return nil, s.fail("join", "", err)
	}
	return s, nil
}
