package skeleton

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"syscall"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/guest"
	"github.com/caisson-dev/caisson/guest/binary"
	"github.com/caisson-dev/caisson/guest/protocol"
)

// A program that imports this package can say core.Open(ctx, "skeleton:").
func init() {
	core.Register("skeleton", func(context.Context, *url.URL) (core.Driver, error) { return Open(), nil })
}

type driver struct{}

// Open returns the driver. One of a real engine holds the connection to it.
func Open() core.Driver { return driver{} }

// Close releases what Open took.
func (driver) Close() error { return nil }

// Info says what the driver is and what it can do. Say no more than is true: the suite looks.
func (driver) Info(context.Context) (*core.Info, error) {
	return &core.Info{
		Driver: "skeleton", Engine: "process", Version: "1", Endpoint: os.TempDir(), OS: runtime.GOOS, Arch: runtime.GOARCH,
		Capabilities: slices.Sorted(slices.Values(append(core.FileCapabilities(), core.CapInfo))), Isolation: core.Isolation{Level: "none"},
	}, nil
}

// Prepare has nothing to pull: whatever image the runtime names, commands see this host.
func (driver) Prepare(ctx context.Context, rt *core.Runtime, opts *core.PrepareOptions) (*core.Prepared, error) {
	if err := rt.Validate(); err != nil {
		return nil, failed("prepare", core.CodeOf(err), err)
	}
	if len(rt.Packages)+len(rt.SetupCommands) > 0 {
		return nil, failed("prepare", core.ErrUnsupported, errors.New("it cannot build images"))
	}
	if ctx.Err() != nil {
		return nil, failed("prepare", core.ErrCanceled, core.Ended(ctx))
	}
	if opts != nil && opts.Progress != nil {
		opts.Progress(core.Progress{Kind: core.ProgressDone, Text: rt.Image})
	}
	return &core.Prepared{Image: rt.Image, ID: "host"}, nil
}

// failed says where an error comes from. What runs in a sandbox has that from the guest.
func failed(op string, code core.Code, err error) error {
	return &core.Error{Code: code, Op: op, Driver: "skeleton", Err: err}
}

// Start makes the place where a sandbox is, and has the guest do the rest.
func (d driver) Start(ctx context.Context, spec *core.Spec) (core.Backend, error) {
	if _, err := d.Prepare(ctx, spec.Runtime, &core.PrepareOptions{Progress: spec.Progress}); err != nil {
		return nil, failed("start", core.CodeOf(err), err)
	}
	p, err := newPlace(spec.Runtime.User)
	if err != nil {
		return nil, failed("start", core.ErrUnavailable, err)
	}
	env := []string{"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=" + p.work + "/.home", "TMPDIR=/tmp", "LANG=C.UTF-8"}
	for k, v := range spec.Runtime.Env {
		env = append(env, k+"="+v)
	}
	b, err := guest.NewBackend(ctx, &guest.Options{
		Driver: "skeleton", ID: filepath.Base(p.dir), Open: p.open, Remove: p.remove,
		Config: protocol.Config{WorkDir: p.work, Env: env, OpenFiles: spec.Limits.OpenFiles, FileSize: spec.Limits.FileSize},
		Info:   core.SandboxInfo{Image: spec.Runtime.Image, Profile: spec.Profile, Network: spec.Network},
	})
	if err != nil {
		return nil, errors.Join(err, p.remove(ctx))
	}
	return b, nil
}

// A place is a directory with the guest's binary and a work directory in it.
type place struct {
	dir, guest, work string
	user             *syscall.Credential // nil: ours, who cannot become another

	mu     sync.Mutex
	runner func() error // ends the present one
}

func newPlace(user string) (*place, error) {
	dir, err := os.MkdirTemp("", "caisson-skeleton-")
	p := &place{dir: dir, guest: filepath.Join(dir, "caisson-guest"), work: filepath.Join(dir, "work"), runner: func() error { return nil }}
	program, loadErr := binary.Load(runtime.GOARCH)
	syscall.ForkLock.RLock() // a child that is forked now would keep the file open, and from being executed
	err = errors.Join(err, loadErr, os.WriteFile(p.guest, program, 0o755))
	syscall.ForkLock.RUnlock()
	err = errors.Join(err, os.Chmod(dir, 0o711), os.Mkdir(p.work, 0o755))
	if os.Geteuid() == 0 {
		p.user = new(syscall.Credential)
		_, scanErr := fmt.Sscanf(user, "%d:%d", &p.user.Uid, &p.user.Gid)
		err = errors.Join(err, scanErr, os.Chown(p.work, int(p.user.Uid), int(p.user.Gid)))
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return p, nil
}

// open starts a runner and returns its standard input and output; see guest.Options.
func (p *place) open(context.Context) (io.ReadWriteCloser, error) {
	cmd := exec.Command(p.guest, "runner")
	cmd.Dir, cmd.Env, cmd.SysProcAttr = p.work, []string{}, &syscall.SysProcAttr{Credential: p.user}
	in, err := cmd.StdinPipe()
	out, outErr := cmd.StdoutPipe()
	if err := errors.Join(err, outErr, cmd.Start()); err != nil {
		return nil, err
	}
	// The end of its input tells it to end its commands and itself.
	end := sync.OnceValue(func() error { return errors.Join(in.Close(), cmd.Wait()) })
	p.mu.Lock()
	defer p.mu.Unlock()
	p.runner = end
	return &stream{Reader: out, Writer: in, end: end}, nil
}

// remove ends the runner and removes the files.
func (p *place) remove(context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.runner() // how it ended does not matter
	return os.RemoveAll(p.dir)
}

type stream struct {
	io.Reader
	io.Writer
	end func() error
}

func (s *stream) Close() error { return s.end() }
