package linux

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A leader is the process between the runner and one command. It shares the
// runner's memory (CLONE_VM without CLONE_THREAD), which makes it as cheap as a
// thread, but has its own files, signals and children. It is the subreaper of
// the command, and ends when it has no child left.
//
// Its code is the functions of this file that are marked nosplit. They run
// outside the Go runtime, on the stack below, with every signal blocked: no
// allocation, no growing stack, no write of a Go pointer to the heap, no call
// of anything but each other and raw system calls. What they read is kept
// alive, and what they write is not read by the runner, until the leader has ended.
// The race detector is kept out of them; only its counters of coverage, with
// -race and -cover together, cannot be, and end the test.
type leader struct {
	argv, envp cStrings
	programs   cStrings // the paths to try, in order
	dir        int      // descriptors in the runner
	files      [3]int
	status     int
	openFiles  uint64  // RLIMIT_NOFILE of the command; 0 leaves the runner's
	runner     uintptr // its pid
	entry      uintptr // of child

	command bool  // the process starting now is the command, not the leader
	errno   int32 // why the command's program could not be executed
	stack   [leaderStack]uintptr
	below   [leaderStack]uintptr // of the command until it executes its program
}

// cStrings are pointers to C strings, ended by nil, as execve takes them.
type cStrings **byte

// next returns the list without its first string.
//
//go:nosplit
//go:norace
//go:nocheckptr
func next(list cStrings) cStrings {
	return cStrings(unsafe.Add(unsafe.Pointer(list), unsafe.Sizeof(uintptr(0))))
}

// leaderStack is in words. Nosplit functions need less than 800 bytes together, and no signal handler ever runs here.
const leaderStack = 512

// A record is what the leader writes to its status pipe: how the command ended,
// or why it did not start. It is smaller than PIPE_BUF, so it arrives whole.
// There is none for a start that worked: it would wake the runner for nothing.
type record struct {
	Kind         int32 // one of the record kinds
	Value        int32 // errno or wait status
	User, System int64 // microseconds
	PeakMemory   int64 // KiB
}

const (
	recordEnded  = iota + 1 // Value is the wait status
	recordNoFork            // Value is an errno: there is no room for the command
	recordNoDir             // its directory cannot be entered
	recordNoExec            // its program cannot be executed
)

const recordSize = int(unsafe.Sizeof(record{}))

// statusFD is where a leader keeps its end of the status pipe.
const statusFD = 3

// clone starts a process that calls entry with arg on the given stack. It returns its pid or a negative errno.
//
//go:noescape
func clone(flags uintptr, stack unsafe.Pointer, entry, arg uintptr) (pid int)

// childEntry returns the address of child itself. The address that assembly
// would get is that of a wrapper, which the race detector instruments.
func childEntry() uintptr {
	f := child
	return **(**uintptr)(unsafe.Pointer(&f))
}

// spawn starts a process of l on a stack, with signals blocked.
//
//go:nosplit
//go:norace
//go:nocheckptr
func (l *leader) spawn(flags uintptr, stack *[leaderStack]uintptr) int {
	top := leaderStack - 4
	if uintptr(unsafe.Pointer(&stack[top]))%16 != 0 { // arm64 asks for this
		top--
	}
	return clone(flags, unsafe.Pointer(&stack[top]), l.entry, uintptr(unsafe.Pointer(l)))
}

// start starts the leader and returns its pid. It blocks the thread's signals
// meanwhile: the leader inherits the mask and must never run one of Go's handlers.
//
//go:nosplit
//go:norace
//go:nocheckptr
func (l *leader) start() int {
	var all, old uint64 = ^uint64(0), 0
	raw(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, uintptr(unsafe.Pointer(&all)), uintptr(unsafe.Pointer(&old)), 8)
	// No exit signal: the runner learns of the end by the status pipe.
	pid := l.spawn(unix.CLONE_VM, &l.stack)
	raw(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, uintptr(unsafe.Pointer(&old)), 0, 8)
	return pid
}

// child is where both processes begin.
//
//go:nosplit
//go:norace
//go:nocheckptr
func child(l *leader) {
	if l.command {
		l.execute()
	} else {
		l.lead()
	}
	for {
		raw(unix.SYS_EXIT_GROUP, 0, 0, 0, 0)
	}
}

// lead is the life of a leader.
//
//go:nosplit
//go:norace
//go:nocheckptr
func (l *leader) lead() {
	raw(unix.SYS_PRCTL, unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0)
	if ppid, _ := raw(unix.SYS_GETPPID, 0, 0, 0, 0); ppid != l.runner {
		return // the runner ended before it could be watched
	}
	raw(unix.SYS_PRCTL, unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0)
	resetSignals()
	_, noDir := raw(unix.SYS_FCHDIR, uintptr(l.dir), 0, 0, 0)
	l.takeFiles()
	if noDir != 0 {
		report(&record{Kind: recordNoDir, Value: int32(noDir)})
		return
	}
	if l.openFiles != 0 {
		limit := [2]uint64{l.openFiles, l.openFiles}
		raw(unix.SYS_SETRLIMIT, unix.RLIMIT_NOFILE, uintptr(unsafe.Pointer(&limit)), 0, 0)
	}
	l.command = true
	pid := l.spawn(unix.CLONE_VM|unix.CLONE_VFORK|uintptr(unix.SIGCHLD), &l.below)
	if pid < 0 {
		report(&record{Kind: recordNoFork, Value: int32(-pid)})
		return
	}
	for fd := range uintptr(statusFD) {
		raw(unix.SYS_CLOSE, fd, 0, 0, 0)
	}
	if l.errno != 0 {
		report(&record{Kind: recordNoExec, Value: l.errno})
	} else {
		preferVictim(pid)
	}
	reap(pid, l.errno != 0)
}

// reap waits for children until none is left, and reports the end of the command.
//
//go:nosplit
//go:norace
//go:nocheckptr
func reap(command int, reported bool) {
	for {
		var status int32
		var usage syscall.Rusage
		all := -1
		pid, errno := raw(unix.SYS_WAIT4, uintptr(all), uintptr(unsafe.Pointer(&status)), unix.WALL, uintptr(unsafe.Pointer(&usage)))
		if errno == syscall.ECHILD {
			return
		}
		if int(pid) == command && !reported {
			reported = true // its pid may come again
			report(&record{
				Kind: recordEnded, Value: status, PeakMemory: int64(usage.Maxrss),
				User:   int64(usage.Utime.Sec)*1e6 + int64(usage.Utime.Usec),
				System: int64(usage.Stime.Sec)*1e6 + int64(usage.Stime.Usec),
			})
		}
	}
}

// execute makes the process the command. It returns if that fails.
//
//go:nosplit
//go:norace
//go:nocheckptr
func (l *leader) execute() {
	raw(unix.SYS_SETSID, 0, 0, 0, 0)
	var none uint64
	raw(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, uintptr(unsafe.Pointer(&none)), 0, 8)
	result := syscall.ENOENT
	busy := 0
	for program := l.programs; *program != nil; {
		_, errno := raw(unix.SYS_EXECVE, uintptr(unsafe.Pointer(*program)), uintptr(unsafe.Pointer(l.argv)), uintptr(unsafe.Pointer(l.envp)), 0)
		if errno == syscall.ETXTBSY && busy < 50 {
			// Another leader may hold the file open for the moment between its clone and its close.
			busy++
			pause := [2]uint64{0, 1e6}
			raw(unix.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&pause)), 0, 0, 0)
			continue
		}
		switch errno {
		case syscall.ENOENT, syscall.ENOTDIR:
		case syscall.EACCES:
			result = errno // and look on, as shells do
		default:
			l.errno = int32(errno)
			return
		}
		program = next(program)
	}
	l.errno = int32(result)
}

// takeFiles leaves the leader with the command's standard files and the status pipe, and nothing else.
//
//go:nosplit
//go:norace
//go:nocheckptr
func (l *leader) takeFiles() {
	// The runner's own descriptors of these are all above 2, so none is lost before its turn.
	for i := range uintptr(statusFD) {
		raw(unix.SYS_DUP3, uintptr(l.files[i]), i, 0, 0)
	}
	if l.status != statusFD {
		raw(unix.SYS_DUP3, uintptr(l.status), statusFD, unix.O_CLOEXEC, 0)
	}
	if _, errno := raw(unix.SYS_CLOSE_RANGE, statusFD+1, uintptr(^uint32(0)), 0, 0); errno == 0 {
		return
	}
	var limit [2]uint64
	raw(unix.SYS_PRLIMIT64, 0, unix.RLIMIT_NOFILE, 0, uintptr(unsafe.Pointer(&limit)))
	for fd := uintptr(statusFD + 1); fd < uintptr(limit[0]) && fd < 1<<16; fd++ {
		raw(unix.SYS_CLOSE, fd, 0, 0, 0)
	}
}

// resetSignals undoes what the runner handles or ignores.
//
//go:nosplit
//go:norace
//go:nocheckptr
func resetSignals() {
	var action [4]uint64 // SIG_DFL, no flags, an empty mask
	for sig := uintptr(1); sig <= 64; sig++ {
		raw(unix.SYS_RT_SIGACTION, sig, uintptr(unsafe.Pointer(&action)), 0, 8)
	}
}

// preferVictim makes the kernel, when memory runs out, take the command rather than
// the runner. It is done from outside and after the program was executed,
// because until then the command shares the runner's memory.
//
//go:nosplit
//go:norace
//go:nocheckptr
func preferVictim(victim int) {
	pid, path := victim, [32]byte{'/', 'p', 'r', 'o', 'c', '/'}
	digits := 1
	for n := pid; n >= 10; n /= 10 {
		digits++
	}
	for i := digits - 1; i >= 0; i-- {
		path[6+i] = byte('0' + pid%10)
		pid /= 10
	}
	file := [15]byte{'/', 'o', 'o', 'm', '_', 's', 'c', 'o', 'r', 'e', '_', 'a', 'd', 'j'}
	for i := range file {
		path[6+digits+i] = file[i]
	}
	fd, errno := raw(unix.SYS_OPENAT, 0, uintptr(unsafe.Pointer(&path)), unix.O_WRONLY, 0)
	// The kernel lets the leader go on a moment before it gives the file to the
	// command's user, and takes it back when the command ends.
	for tries := 0; errno == syscall.EACCES && tries < 50 && !ended(victim); tries++ {
		pause := [2]uint64{0, 1e5}
		raw(unix.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&pause)), 0, 0, 0)
		fd, errno = raw(unix.SYS_OPENAT, 0, uintptr(unsafe.Pointer(&path)), unix.O_WRONLY, 0)
	}
	if errno != 0 {
		return
	}
	score := [4]byte{'1', '0', '0', '0'}
	raw(unix.SYS_WRITE, fd, uintptr(unsafe.Pointer(&score)), 4, 0)
	raw(unix.SYS_CLOSE, fd, 0, 0, 0)
}

// ended reports whether a child has ended. It leaves it to be reaped.
//
//go:nosplit
//go:norace
//go:nocheckptr
func ended(pid int) bool {
	var info [16]uint64 // siginfo_t; all zero if there is nothing to tell
	_, errno := raw(unix.SYS_WAITID, unix.P_PID, uintptr(pid), uintptr(unsafe.Pointer(&info)), unix.WEXITED|unix.WNOHANG|unix.WNOWAIT|unix.WALL)
	return errno != 0 || info[0] != 0
}

//go:nosplit
//go:norace
//go:nocheckptr
func report(r *record) {
	raw(unix.SYS_WRITE, statusFD, uintptr(unsafe.Pointer(r)), uintptr(recordSize), 0)
}

//go:nosplit
//go:norace
func raw(number, a, b, c, d uintptr) (uintptr, syscall.Errno) {
	r, _, errno := syscall.RawSyscall6(number, a, b, c, d, 0, 0)
	return r, errno
}
