package skeleton

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/guest"
	"github.com/caisson-dev/caisson/guest/binary"
	"github.com/caisson-dev/caisson/guest/protocol"
)

// A program that imports this package can say core.Open(ctx, "skeleton:").
func init() {
	core.Register("skeleton", func(_ context.Context, u *url.URL) (core.Driver, error) {
		if u.Opaque+u.Host+u.Path+u.RawQuery != "" {
			return nil, core.Errorf(core.ErrInvalid, "open", "%q: skeleton: takes no more", u)
		}
		return Open()
	})
}

// missing is what a plain process cannot enforce. A spec must allow to do without it.
var missing = []core.Weakening{core.WeakenCPU, core.WeakenMemory, core.WeakenPIDs, core.WeakenSeccomp}

type driver struct{ dir string }

// Open returns a driver. The caller must close it after the last of its sandboxes has stopped.
func Open() (core.Driver, error) {
	dir, err := os.MkdirTemp("", "caisson-skeleton-")
	if err != nil {
		return nil, fail("open", err)
	}
	d := &driver{dir}
	program, err := binary.Load(runtime.GOARCH)
	if err == nil {
		err = os.Chmod(dir, 0o711) // the workload user passes through
	}
	if err == nil {
		// A child that is forked while the file is open for writing would keep it from being executed.
		syscall.ForkLock.RLock()
		err = os.WriteFile(d.guest(), program, 0o755)
		syscall.ForkLock.RUnlock()
	}
	if err != nil {
		return nil, errors.Join(fail("open", err), os.RemoveAll(dir))
	}
	return d, nil
}

func (d *driver) guest() string { return filepath.Join(d.dir, "caisson-guest") }

// Info says what the driver is and what it can do. Say no more than is true: the conformance suite looks.
func (d *driver) Info(context.Context) (*core.Info, error) {
	return &core.Info{
		Driver: "skeleton", Engine: "process", Version: "1", Endpoint: d.dir, OS: runtime.GOOS, Arch: runtime.GOARCH,
		Capabilities: slices.Sorted(slices.Values(append(core.FileCapabilities(), core.CapInfo))),
		Isolation:    core.Isolation{Level: "none", Missing: missing},
	}, nil
}

// Prepare has nothing to pull: whatever image the runtime names, commands see this host.
func (d *driver) Prepare(ctx context.Context, rt *core.Runtime, opts *core.PrepareOptions) (*core.Prepared, error) {
	if opts != nil && opts.Progress != nil {
		opts.Progress(core.Progress{Kind: core.ProgressDone, Text: rt.Image})
	}
	return &core.Prepared{Image: rt.Image, ID: "host"}, ctx.Err()
}

// Start makes the place and lets the guest do the rest.
func (d *driver) Start(ctx context.Context, spec *core.Spec) (core.Backend, error) {
	for _, w := range missing {
		if !slices.Contains(spec.Allow, w) {
			return nil, core.Errorf(core.ErrUnsupported, "start", "a plain process has no %s: allow it by name", w)
		}
	}
	if _, err := d.Prepare(ctx, spec.Runtime, &core.PrepareOptions{Progress: spec.Progress}); err != nil {
		return nil, err
	}
	p := &place{guest: d.guest(), dir: filepath.Join(d.dir, rand.Text())}
	if err := p.make(spec.Runtime.User); err != nil {
		return nil, errors.Join(fail("start", err), os.RemoveAll(p.dir))
	}
	env := []string{"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=" + filepath.Join(p.dir, ".home"), "TMPDIR=/tmp", "LANG=C.UTF-8"}
	for k, v := range spec.Runtime.Env {
		env = append(env, k+"="+v)
	}
	b, err := guest.NewBackend(ctx, &guest.Options{
		Driver: "skeleton", ID: filepath.Base(p.dir), Open: p.open, Remove: p.remove,
		Config: protocol.Config{WorkDir: p.dir, Env: env, OpenFiles: spec.Limits.OpenFiles, FileSize: spec.Limits.FileSize},
		Info:   core.SandboxInfo{Image: spec.Runtime.Image, Profile: spec.Profile, Network: spec.Network},
	})
	if err != nil {
		return nil, errors.Join(err, p.remove(context.WithoutCancel(ctx)))
	}
	return b, nil
}

// Close removes the guest's binary.
func (d *driver) Close() error { return os.RemoveAll(d.dir) }

func fail(op string, err error) error {
	return core.Errorf(core.CodeOf(err), op, "%w", fmt.Errorf("skeleton: %w", err))
}
