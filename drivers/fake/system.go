package fake

import (
	"errors"
	"fmt"
	"io"
	"path"
	"runtime"
	"strings"
	"time"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/drivers/fake/internal/kernel"
	"github.com/caisson-dev/caisson/guest/protocol"
	"github.com/caisson-dev/caisson/guest/runner"
)

// system is what a runner serves: the sandbox as its user sees it. Commands are children of the runner's process.
type system struct {
	files
	sandbox *sandbox
	runner  *kernel.Process
}

var _ runner.System = (*system)(nil)

func newSystem(s *sandbox, p *kernel.Process) *system {
	return &system{files: files{s.fs, s.user}, sandbox: s, runner: p}
}

// arch is the one of the sandboxes: the host's where there is a guest for it.
func arch() string {
	if runtime.GOARCH == "arm64" {
		return "arm64"
	}
	return "amd64"
}

// Configure makes the work directory and HOME and tells what is enforced; see runner.System.
func (s *system) Configure(cfg *protocol.Config) (*protocol.Facts, error) {
	if err := s.makeHome(cfg); err != nil {
		return nil, err
	}
	spec := s.sandbox.spec
	facts := &protocol.Facts{
		Arch: arch(), UID: s.user.UID, GID: s.user.GID, Groups: []int{s.user.GID},
		NoNewPrivs: true, Seccomp: 2, OwnFilter: true, ReadOnlyRoot: spec.Profile == core.Strict,
		Memory: spec.Limits.Memory, Swap: spec.Limits.Memory, PIDs: spec.Limits.PIDs, CPUs: spec.Limits.CPUs,
	}
	if s.user == kernel.Root {
		facts.Capabilities = kernel.RootCapabilities
	}
	return facts, nil
}

// Start starts a command; see runner.System.
func (s *system) Start(cmd *runner.Command) (runner.Process, error) {
	if err := s.enterable(cmd.Dir); err != nil {
		return nil, err
	}
	if s.sandbox.driver.take(OutOfMemory) {
		return s.launch(cmd, kernel.NewImage(cmd.Args, func(p *kernel.Process) int {
			p.OutOfMemory()
			return 0
		}))
	}
	image, err := s.find(cmd)
	if err != nil {
		return refused(cmd, err), nil
	}
	return s.launch(cmd, image)
}

func (s *system) launch(cmd *runner.Command, image *kernel.Image) (runner.Process, error) {
	job, err := s.runner.Start(&kernel.Command{
		Image: image, Env: cmd.Env, Dir: cmd.Dir, User: s.user,
		Stdin: cmd.Stdin, Stdout: cmd.Stdout, Stderr: cmd.Stderr,
	})
	if err != nil {
		return nil, core.Errorf(core.ErrResource, "", "no room for another process: %w", err)
	}
	if s.sandbox.driver.has(RunnerCrash) {
		s.runner.Crash()
	}
	return &process{job, s.sandbox.driver}, nil
}

// enterable checks the directory that a command is to run in.
func (s *system) enterable(dir string) error {
	real, err := s.fs.Resolve(s.user, dir)
	if err == nil && inKernelTree(real) {
		err = errors.New("lies in one of the kernel's own file systems")
	}
	if err == nil {
		var info kernel.FileInfo
		if info, err = s.fs.Stat(s.user, dir, true); err == nil && !info.IsDir() {
			err = kernel.ENOTDIR
		}
	}
	if err == nil {
		err = s.fs.Access(s.user, dir, kernel.MayExec)
	}
	if err != nil {
		return &core.Error{Code: core.ErrInvalid, Path: dir, Err: err}
	}
	return nil
}

// find finds the program of a command as execvp(3) does.
func (s *system) find(cmd *runner.Command) (*kernel.Image, error) {
	name, search := cmd.Args[0], kernel.DefaultPath
	for _, kv := range cmd.Env {
		if value, ok := strings.CutPrefix(kv, "PATH="); ok {
			search = value
		}
	}
	if strings.Contains(name, "/") {
		image, err := s.load(cmd, name)
		if errors.Is(err, kernel.EACCES) {
			if info, statErr := s.fs.Stat(s.user, absolute(cmd, name), true); statErr == nil && info.IsDir() {
				err = kernel.EISDIR
			}
		}
		return image, err
	}
	result := error(kernel.ENOENT)
	for dir := range strings.SplitSeq(search, ":") {
		image, err := s.load(cmd, path.Join(dir, name))
		switch {
		case errors.Is(err, kernel.ENOENT), errors.Is(err, kernel.ENOTDIR):
		case errors.Is(err, kernel.EACCES):
			result = err // and look on, as shells do
		default:
			return image, err
		}
	}
	return nil, result
}

func (s *system) load(cmd *runner.Command, name string) (*kernel.Image, error) {
	return s.sandbox.kernel.Load(s.user, absolute(cmd, name), name, cmd.Args)
}

func absolute(cmd *runner.Command, name string) string {
	if path.IsAbs(name) {
		return name
	}
	return path.Join(cmd.Dir, name)
}

// refused is a command whose program could not be executed, after a line that says so.
func refused(cmd *runner.Command, err error) runner.Process {
	code, text := 126, strings.ToLower(kernel.Reason(err)) // as the helper has it
	if errors.Is(err, kernel.ENOENT) {
		code, text = 127, "not found"
	}
	_, _ = io.WriteString(cmd.Stderr, fmt.Sprintf("%s: %s\n", cmd.Args[0], text)) // who does not take it does without
	return failed(code)
}

// A failed command never ran; the value is its exit code.
type failed int

func (f failed) Wait() (protocol.Exit, error) {
	return protocol.Exit{Reason: core.Exited, Code: int(f)}, nil
}
func (f failed) Kill() error { return nil }

// process is a command that was started.
type process struct {
	job    *kernel.Job
	driver *engine
}

// killPatience is how long a kill goes on before it gives up.
const killPatience = 800 * time.Millisecond

// Wait waits for the command; see runner.Process.
func (p *process) Wait() (protocol.Exit, error) {
	end := p.job.Wait()
	exit := protocol.Exit{Reason: core.Exited, Code: end.Code, Usage: &core.Usage{UserTime: end.CPU, PeakMemory: end.Peak}}
	if end.Signal != 0 {
		exit.Reason, exit.Code, exit.Signal = core.Signaled, core.NoExitCode, end.Signal.String()
	}
	if end.OOM && (end.Signal == kernel.SIGKILL || end.Code == 128+int(kernel.SIGKILL)) {
		exit.Reason = core.OutOfMemory
	}
	return exit, nil
}

// Kill ends all that the command started; see runner.Process.
func (p *process) Kill() error {
	if p.driver.has(DeafRunner) {
		return core.Errorf(core.ErrInternal, "", "fault %s", DeafRunner)
	}
	if !p.job.Kill(killPatience) {
		return core.Errorf(core.ErrInternal, "", "processes outlive a kill")
	}
	return nil
}
