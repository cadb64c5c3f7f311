package fake

import (
	"context"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caisson-dev/caisson/core"
)

func init() { core.Register(scheme, open) }

const scheme = "fake"

// Options changes what New returns. The zero value and nil are the defaults.
type Options struct {
	// Faults are switched on from the beginning.
	Faults []Fault
	// Disk is how many bytes the files of each work directory may take; 0 means DefaultDisk.
	Disk int64
	// Missing lists images that do not exist. All those of the repository "missing/" do not in any case.
	Missing []string
}

// DefaultDisk is what fits into a work directory, in bytes.
const DefaultDisk = 2 << 30

// Driver is a driver without an engine. It is a core.Driver whose faults can be switched on.
type Driver struct {
	*engine             // shared with siblings
	crashed atomic.Bool // the process that this driver stands for
}

// engine is what sandboxes and their files are in.
type engine struct {
	options Options

	mu         sync.Mutex
	faults     map[Fault]bool
	sandboxes  map[string]*sandbox
	images     map[string]core.Prepared // by reference or digest of what was built
	workspaces map[storage]*workspace
}

var _ core.Driver = (*Driver)(nil)

// New returns a driver that has no sandbox and no image yet.
func New(o *Options) *Driver {
	d := &Driver{engine: &engine{
		faults: make(map[Fault]bool), sandboxes: make(map[string]*sandbox),
		images: make(map[string]core.Prepared), workspaces: make(map[storage]*workspace),
	}}
	if o != nil {
		d.options = *o
	}
	if d.options.Disk == 0 {
		d.options.Disk = DefaultDisk
	}
	for _, f := range d.options.Faults {
		d.faults[f] = true
	}
	return d
}

// open makes a driver from a URL: "fake:", with any number of "fault=NAME".
func open(_ context.Context, u *url.URL) (core.Driver, error) {
	if u.Opaque != "" || u.Host != "" || u.Path != "" && u.Path != "/" {
		return nil, core.Errorf(core.ErrInvalid, "open", "%q: a fake has no address; use fake: or fake:?fault=NAME", u.String())
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, core.Errorf(core.ErrInvalid, "open", "%q: %w", u.String(), err)
	}
	var o Options
	for key, values := range query {
		if key != "fault" {
			return nil, core.Errorf(core.ErrInvalid, "open", "%q: unknown key %q; only fault is known", u.String(), key)
		}
		for _, v := range values {
			if !slices.Contains(Faults(), Fault(v)) {
				return nil, core.Errorf(core.ErrInvalid, "open", "%q: unknown fault %q; known are %q", u.String(), v, Faults())
			}
			o.Faults = append(o.Faults, Fault(v))
		}
	}
	return New(&o), nil
}

// version is what the fake says to be. It changes when the behaviour does.
const version = "1"

// Info says what the fake can do. Its isolation is none.
func (d *Driver) Info(ctx context.Context) (*core.Info, error) {
	if err := d.reach(ctx, "info"); err != nil {
		return nil, err
	}
	caps := append(core.FileCapabilities(), core.CapInfo, core.CapImages, core.CapBuild, core.CapLimitPIDs, core.CapLimitMemory, core.CapLimitCPU)
	slices.Sort(caps)
	return &core.Info{
		Driver: scheme, Engine: scheme, Version: version, APIVersion: version, Endpoint: "memory of this process",
		OS: "linux", Arch: arch(), Capabilities: caps,
		Isolation: core.Isolation{Level: "none"},
	}, nil
}

// Start makes a sandbox; see core.Driver.
func (d *Driver) Start(ctx context.Context, spec *core.Spec) (core.Backend, error) {
	if err := d.reach(ctx, "start"); err != nil {
		return nil, err
	}
	if spec.Network != core.NetworkNone {
		return nil, d.errorf(core.ErrUnsupported, "start", "network %q: there is none but %q", spec.Network, core.NetworkNone)
	}
	image, err := d.Prepare(ctx, spec.Runtime, &core.PrepareOptions{Progress: spec.Progress})
	if err != nil {
		return nil, err
	}
	if d.has(StartFails) {
		return nil, d.errorf(core.ErrResource, "start", "fault %s", StartFails)
	}
	s, err := d.enter(spec, image)
	if err != nil {
		return nil, err
	}
	b, err := s.start(ctx, d)
	if err != nil {
		s.discard()
		return nil, err
	}
	return b, nil
}

// Close does nothing: sandboxes live on.
func (d *Driver) Close() error { return nil }

// reach stands for a call of the engine by the driver's process.
func (d *Driver) reach(ctx context.Context, op string) error {
	if d.crashed.Load() {
		return d.errorf(core.ErrUnavailable, op, "the process has crashed")
	}
	return d.engine.reach(ctx, op)
}

func (d *engine) reach(ctx context.Context, op string) error {
	if ctx.Err() != nil {
		return core.Complete(core.Ended(ctx), core.Error{Op: op, Driver: scheme})
	}
	if d.has(EngineGone) {
		return d.errorf(core.ErrUnavailable, op, "fault %s", EngineGone)
	}
	return nil
}

func (d *engine) errorf(code core.Code, op, format string, args ...any) error {
	e := core.Errorf(code, op, format, args...)
	e.Driver = scheme
	return e
}

// discardTimeout bounds what clears up after a failed start.
const discardTimeout = 10 * time.Second
