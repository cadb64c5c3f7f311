package conformance

import (
	"context"
	"crypto/rand"
	"errors"
	"maps"
	"slices"
	"sync"

	"github.com/caisson-dev/caisson/core"
)

// Harness says how to reach the driver under test. Open and Spec.Runtime are required.
type Harness struct {
	// Name heads the report.
	Name string
	// Open returns a driver of its own, which the run closes. It is called for
	// the run, and by cases that need another driver.
	Open func(ctx context.Context) (core.Driver, error)
	// Spec is what sandboxes are started from. A case changes a copy. Its
	// Owner is a random one of the run if it is empty.
	Spec core.Spec
	// Start starts a sandbox; nil means core.Start. Whoever wraps sandboxes
	// proves the wrapper with it: every case then goes through the wrapper.
	Start func(ctx context.Context, driver core.Driver, spec *core.Spec) (Sandbox, error)
	// MissingImage is a reference that the engine cannot have, for drivers that
	// declare images.pull; empty means one at a port of this host that nothing serves.
	MissingImage string
	// Census, if set, lists what exists of sandboxes of this owner: processes,
	// containers, volumes, directories, each as one line for people. The run
	// fails if something is left at its end.
	Census func(ctx context.Context, owner string) ([]string, error)
	// Lose, if set, ends a sandbox behind the driver's back, as an operator or
	// a crash would. Sandbox is the driver's id, from SandboxInfo.
	Lose func(ctx context.Context, sandbox string) error
	// Another, if set, opens a driver on the same engine as another process
	// would. The case that asks for it closes it.
	Another func(ctx context.Context) (core.Driver, error)
	// KnownFailing lists IDs of cases that are known to fail. They do not fail
	// the run; one of them that passes does, so that the list stays true.
	KnownFailing []string
}

// Sandbox is what the cases use of a core.Sandbox, which is one.
type Sandbox interface {
	core.Backend
	core.Declarer
	Start(ctx context.Context) error
	Spec() *core.Spec
	Unwrap() core.Backend
}

var _ Sandbox = (*core.Sandbox)(nil)

// run is one run of the suite on one driver.
type run struct {
	harness *Harness
	driver  core.Driver
	info    *core.Info
	spec    core.Spec

	whole    context.Context // of the run
	starting chan struct{}   // holds a token unless the shared sandbox is being started

	mu       sync.Mutex
	shared   *shared
	programs map[string]bool // what the image has, as far as it was asked
	owners   map[string]bool // those that sandboxes were started for
}

// shared is a sandbox that cases share. Once a case has failed in it, no other
// case gets it, and the last one that has it stops it; so what one case broke
// does not fail another.
type shared struct {
	Sandbox
	users   int
	retired bool
}

func open(ctx context.Context, h *Harness) (*run, error) {
	if h == nil || h.Open == nil || h.Spec.Runtime == nil {
		return nil, core.Errorf(core.ErrInvalid, "conformance", "set the harness's Open and Spec.Runtime")
	}
	if err := h.Spec.Validate(); err != nil {
		return nil, core.Complete(err, core.Error{Op: "conformance"})
	}
	known := map[string]bool{}
	for _, c := range Cases() {
		known[c.ID] = true
	}
	for _, id := range h.KnownFailing {
		if !known[id] {
			return nil, core.Errorf(core.ErrInvalid, "conformance", "known failing: no case %q", id)
		}
	}
	driver, err := h.Open(ctx)
	if err != nil {
		return nil, err
	}
	info, err := driver.Info(ctx)
	if err != nil {
		return nil, errors.Join(err, driver.Close())
	}
	r := &run{whole: ctx, harness: h, driver: driver, info: info, spec: h.Spec, programs: map[string]bool{}, owners: map[string]bool{}, starting: make(chan struct{}, 1)}
	r.starting <- struct{}{}
	if r.spec.Owner == "" {
		r.spec.Owner = "conformance-" + random()
	}
	r.owners[r.spec.Owner] = true
	return r, nil
}

func random() string { return rand.Text()[:12] }

func (r *run) start(ctx context.Context, d core.Driver, spec *core.Spec) (Sandbox, error) {
	if r.harness.Start != nil {
		return r.harness.Start(ctx, d, spec)
	}
	sb, err := core.Start(ctx, d, spec)
	if err != nil {
		return nil, err
	}
	return sb, nil
}

// sharedPIDs is room for the processes of many cases.
const sharedPIDs = 1024

// lease returns the sandbox that the cases share; the caller must release it.
func (r *run) lease(ctx context.Context) (*shared, error) {
	select {
	case <-r.starting:
		defer func() { r.starting <- struct{}{} }()
	case <-ctx.Done():
		return nil, core.Ended(ctx)
	}
	r.mu.Lock()
	s := r.shared
	if s != nil {
		s.users++
	}
	r.mu.Unlock()
	if s != nil {
		return s, nil
	}
	spec := r.spec
	if spec.Limits.PIDs == 0 {
		spec.Limits.PIDs = sharedPIDs
	}
	sb, err := r.start(r.whole, r.driver, &spec) // it is not only for who waits for it
	if err != nil {
		return nil, err
	}
	s = &shared{Sandbox: sb, users: 1}
	r.mu.Lock()
	r.shared = s
	r.mu.Unlock()
	return s, nil
}

// release gives a shared sandbox back; retire keeps it from other cases.
func (r *run) release(ctx context.Context, s *shared, retire bool) error {
	r.mu.Lock()
	s.users--
	s.retired = s.retired || retire
	if s.retired && r.shared == s {
		r.shared = nil
	}
	last := s.retired && s.users == 0
	r.mu.Unlock()
	if !last {
		return nil
	}
	return s.Stop(ctx)
}

// has reports whether the image has a program.
func (r *run) has(ctx context.Context, program string) (bool, error) {
	r.mu.Lock()
	has, known := r.programs[program]
	r.mu.Unlock()
	if known {
		return has, nil
	}
	sb, err := r.lease(ctx)
	if err != nil {
		return false, err
	}
	defer r.release(ctx, sb, false) //nolint:errcheck // without retiring it nothing is stopped
	res, err := sb.Execute(ctx, core.Program("sh", "-c", `command -v "$1" >/dev/null`, "sh", program))
	if err != nil {
		return false, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.programs[program] = res.Success()
	return res.Success(), nil
}

// skip returns why a case does not apply, or an empty string.
func (r *run) skip(ctx context.Context, c *Case) (string, error) {
	if c.Requires != "" && !slices.Contains(r.info.Capabilities, c.Requires) {
		return "the driver does not declare " + string(c.Requires), nil
	}
	for _, program := range c.Needs {
		has, err := r.has(ctx, program)
		if err != nil {
			return "", err
		}
		if !has {
			return "the image has no " + program, nil
		}
	}
	return "", nil
}

// close stops what is left and returns the census.
func (r *run) close(ctx context.Context) (left []string, err error) {
	r.mu.Lock()
	s := r.shared
	if s != nil {
		s.users++ // a case that hangs may give it back meanwhile
	}
	r.mu.Unlock()
	if s != nil {
		err = r.release(ctx, s, true)
	}
	if r.harness.Census != nil {
		r.mu.Lock()
		owners := slices.Sorted(maps.Keys(r.owners))
		r.mu.Unlock()
		for _, owner := range owners {
			of, censusErr := r.harness.Census(ctx, owner)
			left, err = append(left, of...), errors.Join(err, censusErr)
		}
	}
	return left, errors.Join(err, r.driver.Close())
}
