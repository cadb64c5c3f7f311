package fake

import (
	"context"
	"crypto/rand"
	"io"
	"io/fs"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/drivers/fake/internal/kernel"
	"github.com/caisson-dev/caisson/guest"
	"github.com/caisson-dev/caisson/guest/protocol"
	"github.com/caisson-dev/caisson/guest/runner"
)

// sandbox is a kernel of its own.
type sandbox struct {
	driver *engine
	id     string
	image  *core.Prepared
	spec   *core.Spec
	user   kernel.User
	config protocol.Config

	fs              *kernel.FS
	root, tmp, work *kernel.Volume
	workspace       *workspace // nil if the files end with the sandbox
	ram             *kernel.Volume
	kernel          *kernel.Kernel
	removed, isLost atomic.Bool

	created time.Time

	mu      sync.Mutex
	streams map[net.Conn]bool // to runners
	holder  *hold
}

func newSandbox(d *engine, spec *core.Spec, image *core.Prepared, files *workspace) *sandbox {
	s := &sandbox{
		driver: d, id: strings.ToLower(rand.Text()), image: image, spec: spec, workspace: files, created: time.Now(),
		user: workload(spec), streams: make(map[net.Conn]bool),
	}
	s.config = protocol.Config{
		WorkDir: spec.Runtime.WorkDir, Env: environment(spec), OpenFiles: spec.Limits.OpenFiles, FileSize: spec.Limits.FileSize,
	}
	s.install()
	s.kernel = kernel.New(kernel.Options{
		FS: s.fs, RAM: s.ram, CPUs: spec.Limits.CPUs, MaxProcesses: int(spec.Limits.PIDs), OpenFiles: int(spec.Limits.OpenFiles), Loader: s.load, Hostname: s.hostname(), Arch: arch(),
	})
	return s
}

func (s *sandbox) hostname() string { return s.id[:12] }

// workload returns the user of every command. The profile relaxed runs as root.
func workload(spec *core.Spec) kernel.User {
	if spec.Profile == core.Relaxed {
		return kernel.Root
	}
	uid, gid, _ := strings.Cut(spec.Runtime.User, ":")
	var u kernel.User
	u.UID, _ = strconv.Atoi(uid) // they were validated
	u.GID, _ = strconv.Atoi(gid)
	return u
}

// environment returns what every command sees.
func environment(spec *core.Spec) []string {
	env := []string{"PATH=" + kernel.DefaultPath, "HOME=" + spec.Runtime.WorkDir + "/.home", "TMPDIR=/tmp", "LANG=C.UTF-8"}
	for k, v := range spec.Runtime.Env {
		env = append(env, k+"="+v)
	}
	return env
}

// start runs what the image was built with, and then the runner.
func (s *sandbox) start(ctx context.Context, d *Driver) (core.Backend, error) {
	if err := s.setup(ctx); err != nil {
		return nil, err
	}
	s.seal()
	if s.driver.has(DiskFull) {
		s.fill(true)
	}
	return s.backend(ctx, d)
}

// backend gives the sandbox to a process.
func (s *sandbox) backend(ctx context.Context, d *Driver) (core.Backend, error) {
	h := s.takeOver(d)
	return guest.NewBackend(ctx, &guest.Options{
		Driver: scheme, ID: s.id, Config: s.config,
		Open: h.open, Restart: s.restart, Remove: h.remove, Alive: s.alive, Info: s.info(),
	})
}

// info is what is known of the sandbox without looking into it.
func (s *sandbox) info() core.SandboxInfo {
	return core.SandboxInfo{
		Image: s.image.Image, Profile: s.spec.Profile, Network: s.spec.Network, Created: s.created,
		Limits: core.Limits{Tmp: s.spec.Limits.Tmp, OpenFiles: s.spec.Limits.OpenFiles, FileSize: s.spec.Limits.FileSize},
	}
}

// open starts a runner, as a process that the sandbox's other processes can see
// and kill. One that is to be alone kills all of them first.
func (s *sandbox) open(ctx context.Context, alone bool) (io.ReadWriteCloser, error) {
	if err := s.driver.reach(ctx, "open"); err != nil {
		return nil, err
	}
	if err := s.alive(ctx); err != nil {
		return nil, err
	}
	host, inside := net.Pipe()
	args := []string{"caisson-guest", "runner"}
	if alone {
		s.kernel.KillUser(s.user) // what a runner before this one may have left
		args = append(args, "-alone")
	}
	_, err := s.kernel.Serve(s.user, args, func(p *kernel.Process) int {
		return s.serve(p, inside)
	})
	if err != nil {
		return nil, s.driver.errorf(core.ErrResource, "open", "no room for a runner: %w", err)
	}
	s.mu.Lock()
	s.streams[host] = true
	s.mu.Unlock()
	return slow{hostEnd{host, s}, s.driver}, nil
}

// serve is the program of a runner. It returns when the stream ends, which it
// does when the runner is killed, and ends all that the runner has started.
func (s *sandbox) serve(p *kernel.Process, stream io.ReadWriteCloser) int {
	p.OnKill(func() { _ = stream.Close() })
	err := runner.Serve(halting{stream, p}, newSystem(s, p))
	p.KillJobs()
	if err != nil {
		return 1
	}
	return 0
}

// halting is the stream of a runner, which hears and says nothing while its process is stopped.
type halting struct {
	io.ReadWriteCloser
	runner *kernel.Process
}

func (h halting) Read(b []byte) (int, error) {
	n, err := h.ReadWriteCloser.Read(b)
	h.runner.Awake()
	return n, err
}

func (h halting) Write(b []byte) (int, error) {
	h.runner.Awake()
	return h.ReadWriteCloser.Write(b)
}

// hostEnd is the host's end of the stream to a runner.
type hostEnd struct {
	net.Conn
	sandbox *sandbox
}

func (e hostEnd) Close() error {
	e.sandbox.mu.Lock()
	delete(e.sandbox.streams, e.Conn)
	e.sandbox.mu.Unlock()
	return e.Conn.Close()
}

// cut ends the streams to the runners.
func (s *sandbox) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.streams {
		_ = c.Close()
	}
}

// lose makes the sandbox disappear as by an accident.
func (s *sandbox) lose() {
	s.isLost.Store(true)
	s.discard()
}

// discard ends the sandbox whatever happens.
func (s *sandbox) discard() {
	ctx, cancel := context.WithTimeout(context.Background(), discardTimeout)
	defer cancel()
	_ = s.kernel.Shutdown(ctx) // it is forgotten in any case
	s.forget()
}

func (s *sandbox) forget() {
	s.removed.Store(true)
	s.driver.mu.Lock()
	defer s.driver.mu.Unlock()
	delete(s.driver.sandboxes, s.id)
	if s.workspace != nil && s.workspace.user == s {
		s.workspace.user = nil
	}
}

// remove is guest.Options.Remove.
func (s *sandbox) remove(ctx context.Context) error {
	if s.removed.Load() {
		return nil
	}
	if err := s.driver.reach(ctx, "stop"); err != nil {
		return err
	}
	if s.driver.has(RemoveFails) {
		return s.driver.errorf(core.ErrUnavailable, "stop", "fault %s", RemoveFails)
	}
	if err := s.kernel.Shutdown(ctx); err != nil {
		return s.driver.errorf(core.ErrTimeout, "stop", "processes do not end: %w", err)
	}
	s.forget()
	return nil
}

// restart is guest.Options.Restart.
func (s *sandbox) restart(ctx context.Context) error {
	if err := s.driver.reach(ctx, "restart"); err != nil {
		return err
	}
	if s.driver.has(RestartFails) {
		return s.driver.errorf(core.ErrUnavailable, "restart", "fault %s", RestartFails)
	}
	if err := s.kernel.Shutdown(ctx); err != nil {
		return s.driver.errorf(core.ErrTimeout, "restart", "processes do not end: %w", err)
	}
	s.fs.Uninstall("/tmp")
	s.fs.Install("/tmp", kernel.Node{Mode: fs.ModeDir | fs.ModeSticky | 0o777, Volume: s.newTmp()})
	s.kernel.Boot()
	return nil
}

// alive is guest.Options.Alive.
func (s *sandbox) alive(context.Context) error {
	switch {
	case s.isLost.Load() || s.removed.Load():
		return lost()
	case s.driver.has(EngineGone):
		return s.driver.errorf(core.ErrUnavailable, "", "fault %s", EngineGone)
	}
	return nil
}
