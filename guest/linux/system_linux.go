package linux

import (
	"errors"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/guest/protocol"
	"github.com/caisson-dev/caisson/guest/runner"
	"golang.org/x/sys/unix"
)

// Options changes what New does. The zero value is for a process that is not alone.
type Options struct {
	// Alone says that nothing else of this user may live here: New then kills
	// every other process of the user, which a runner before this one may have
	// left, and starts the threads that are needed when no more can be made.
	Alone bool
}

// System runs commands and keeps files on Linux. A process has one at most.
type System struct {
	pid       int
	null      int // /dev/null, for commands without input
	oom       oomCounter
	openFiles atomic.Uint64 // RLIMIT_NOFILE of commands; 0 leaves the runner's

	mu      sync.Mutex
	leaders map[int]*process // by pid, until reaped
	prey    map[*process]int // how many hunts for each are under way

	hunting  sync.Mutex
	frozen   map[proc]bool // by pid and start, in the last round; guarded by hunting
	patience time.Duration // of a kill

	files // its file system
}

var _ runner.System = (*System)(nil)

// New makes the process ready to run commands: it adopts the orphans of dead
// leaders, and hides its memory and descriptors from processes of the same user.
func New(opts Options) (*System, error) {
	s := &System{
		pid: os.Getpid(), leaders: make(map[int]*process), prey: make(map[*process]int),
		patience: killPatience, files: newFiles(),
	}
	for _, set := range []struct {
		option int
		value  uintptr
	}{{unix.PR_SET_DUMPABLE, 0}, {unix.PR_SET_CHILD_SUBREAPER, 1}} {
		if err := unix.Prctl(set.option, set.value, 0, 0, 0); err != nil {
			return nil, core.Errorf(core.ErrInternal, "", "prctl %d: %w", set.option, err)
		}
	}
	null, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, core.Errorf(core.ErrInternal, "", "/dev/null: %w", err)
	}
	s.null = null
	s.oom.open()
	unix.Umask(0o022) // whatever an engine gives
	// Go would end the process, at the first upload beyond the limit of a file's size.
	signal.Ignore(syscall.SIGXFSZ)
	if opts.Alone {
		// One call is atomic: nothing can fork away from it. It spares the caller and PID 1.
		if err := unix.Kill(-1, unix.SIGKILL); err != nil && err != unix.ESRCH {
			return nil, core.Errorf(core.ErrInternal, "", "processes of an earlier runner: %w", err)
		}
		startThreads(spareThreads)
	}
	return s, nil
}

// Close kills every command and background process.
func (s *System) Close() error {
	s.mu.Lock()
	all := make([]*process, 0, len(s.leaders))
	for _, p := range s.leaders {
		all = append(all, p)
	}
	s.mu.Unlock()
	failures := make([]error, len(all))
	var kills sync.WaitGroup
	for i, p := range all {
		kills.Go(func() { failures[i] = p.Kill() })
	}
	kills.Wait()
	return errors.Join(failures...)
}

// Configure makes the home and the work directory, and sets the limits; see runner.System.
func (s *System) Configure(cfg *protocol.Config) (*protocol.Facts, error) {
	if cfg.WorkDir == "" {
		var err error
		if cfg.WorkDir, err = os.Getwd(); err != nil {
			return nil, core.Errorf(core.ErrInternal, "", "the runner's own directory: %w", err)
		}
	}
	if err := makeHome(cfg); err != nil {
		return nil, err
	}
	if err := lowerLimit(unix.RLIMIT_CORE, 0); err != nil {
		return nil, err
	}
	if cfg.FileSize > 0 { // the runner's too: it writes uploads
		if err := lowerLimit(unix.RLIMIT_FSIZE, uint64(cfg.FileSize)); err != nil {
			return nil, err
		}
	}
	if cfg.OpenFiles > 0 { // of commands only: the runner needs some for each of them
		var now unix.Rlimit
		if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &now); err != nil {
			return nil, core.Errorf(core.ErrInternal, "", "limit of open files: %w", err)
		}
		s.openFiles.Store(min(uint64(cfg.OpenFiles), now.Max))
	}
	return facts(), nil
}

// lowerLimit sets a limit of the process and those it starts, never above what it is.
func lowerLimit(resource int, value uint64) error {
	var now unix.Rlimit
	err := unix.Getrlimit(resource, &now)
	if err == nil {
		value = min(value, now.Max)
		err = unix.Setrlimit(resource, &unix.Rlimit{Cur: value, Max: value})
	}
	if err != nil {
		return core.Errorf(core.ErrInternal, "", "resource limit %d: %w", resource, err)
	}
	return nil
}

// spareThreads is how many threads the runtime gets at the start. When the
// limit of processes is reached it can make no more, and would end the process.
// Few enough calls block at once that these suffice: see blockingFileCalls.
const spareThreads = 8

// startThreads makes the runtime have n idle threads at least.
func startThreads(n int) {
	var ready, done sync.WaitGroup
	release := make(chan struct{})
	ready.Add(n)
	for range n {
		done.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			ready.Done()
			<-release
		})
	}
	ready.Wait()
	time.Sleep(time.Millisecond) // lets the last of them park
	close(release)
	done.Wait()
}
