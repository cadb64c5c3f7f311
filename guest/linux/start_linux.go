package linux

import (
	"errors"
	"io"
	"os"
	"path"
	"strings"
	"syscall"
	"unsafe"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/guest/protocol"
	"github.com/caisson-dev/caisson/guest/runner"
	"golang.org/x/sys/unix"
)

// defaultPath is searched for the program of a command that has no PATH.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Start starts a command; see runner.System.
func (s *System) Start(cmd *runner.Command) (runner.Process, error) {
	dir, err := openDir(cmd.Dir)
	if err != nil {
		return nil, err
	}
	defer unix.Close(dir)
	l, err := newLeader(cmd)
	if err != nil {
		return nil, err
	}
	l.dir, l.runner, l.openFiles = dir, uintptr(s.pid), s.openFiles.Load()
	p := &process{system: s, command: cmd, leader: l, oomBefore: s.oom.count(), ended: make(chan struct{}), gone: make(chan struct{})}
	stdin, err := p.connect(cmd)
	if err != nil {
		return nil, err
	}
	err = s.launch(p)
	p.closeLeaderFiles()
	if err != nil {
		p.closeFiles()
		if stdin != nil {
			stdin.Close()
		}
		return nil, err
	}
	go p.stdout.pump()
	go p.stderr.pump()
	if stdin != nil {
		p.stdin = stdin
		go feed(stdin, cmd.Stdin)
	}
	go p.watch()
	return p, nil
}

// launch starts the leader of p, and enters it in the books before anyone can take it for a stray.
func (s *System) launch(p *process) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	pid := p.leader.start()
	switch errno := syscall.Errno(-pid); {
	case pid > 0:
		p.pid = pid
		s.leaders[pid] = p
		return nil
	case errno == syscall.EAGAIN || errno == syscall.ENOMEM:
		return core.Errorf(core.ErrResource, "", "no room for another process: %w", errno)
	default:
		return core.Errorf(core.ErrUnsupported, "", "cannot make a process: %w", errno)
	}
}

// refused returns what becomes of a command that its leader could not start: an
// exit after a line on standard error, or the error that Wait returns.
func (p *process) refused(r *record) (protocol.Exit, error) {
	none, errno, name := protocol.Exit{}, syscall.Errno(r.Value), p.command.Args[0]
	switch {
	case r.Kind == recordNoFork || errno == syscall.EAGAIN || errno == syscall.ENOMEM:
		return none, core.Errorf(core.ErrResource, "", "no room for another process: %w", errno)
	case r.Kind == recordNoDir:
		return none, badDir(p.command.Dir, errno)
	}
	code, text := 126, errno.Error()
	switch {
	case errno == syscall.ENOENT:
		code, text = 127, "not found"
	case errno == syscall.EACCES && isDir(p.command.Dir, name):
		text = "is a directory"
	}
	p.stderr.finish()
	<-p.stderr.done                                              // nobody else writes there now
	_, _ = io.WriteString(p.command.Stderr, name+": "+text+"\n") // who does not take it does without
	return protocol.Exit{Reason: core.Exited, Code: code}, nil
}

func isDir(dir, name string) bool {
	if !strings.Contains(name, "/") {
		return false
	}
	if !path.IsAbs(name) {
		name = path.Join(dir, name)
	}
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}

// newLeader returns a leader that will run the command's program.
func newLeader(cmd *runner.Command) (*leader, error) {
	l := &leader{entry: childEntry()}
	for _, list := range []struct {
		to   *cStrings
		from []string
	}{{&l.argv, cmd.Args}, {&l.envp, cmd.Env}, {&l.programs, programs(cmd.Args[0], cmd.Env)}} {
		pointers, err := syscall.SlicePtrFromStrings(list.from)
		if err != nil {
			return nil, core.Errorf(core.ErrInvalid, "", "an argument or a variable contains a NUL byte")
		}
		*list.to = unsafe.SliceData(pointers)
	}
	return l, nil
}

// programs returns the paths at which a program may be, in the order of the PATH in env.
func programs(name string, env []string) []string {
	if strings.Contains(name, "/") {
		return []string{name}
	}
	search := defaultPath
	for _, kv := range env {
		if value, ok := strings.CutPrefix(kv, "PATH="); ok {
			search = value
		}
	}
	var list []string
	for dir := range strings.SplitSeq(search, ":") {
		// An empty element is the command's directory, as POSIX has it.
		list = append(list, path.Join("/", dir, name))
		if !path.IsAbs(dir) {
			list[len(list)-1] = "./" + path.Join(dir, name)
		}
	}
	return list
}

// openDir opens the directory that a command is to run in. It refuses the
// kernel's own file systems, whatever links lead there.
func openDir(dir string) (int, error) {
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, badDir(dir, err)
	}
	var buf [64]byte
	link := [32]byte{}
	n, err := unix.Readlink(string(appendInt(append(link[:0], "/proc/self/fd/"...), fd)), buf[:])
	if err == nil && inKernelTree(string(buf[:n])) {
		err = errors.New("lies in one of the kernel's own file systems")
	}
	if err == nil {
		err = unix.Faccessat(fd, ".", unix.X_OK, 0)
	}
	if err != nil {
		unix.Close(fd)
		return -1, badDir(dir, err)
	}
	return fd, nil
}

func inKernelTree(p string) bool {
	for _, tree := range []string{"/proc", "/sys", "/dev"} {
		if rest, ok := strings.CutPrefix(p, tree); ok && (rest == "" || rest[0] == '/') {
			return true
		}
	}
	return false
}

func badDir(dir string, err error) error {
	code := core.ErrInvalid
	if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.ENOMEM) {
		code = core.ErrResource
	}
	return &core.Error{Code: code, Path: dir, Err: err}
}
