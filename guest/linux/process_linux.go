package linux

import (
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/guest/protocol"
	"github.com/caisson-dev/caisson/guest/runner"
	"golang.org/x/sys/unix"
)

// A process is a command with its leader.
type process struct {
	system    *System
	command   *runner.Command
	leader    *leader // kept for as long as the leader or the command may use its memory
	pid       int     // the leader's; valid until it was reaped, which takes it out of the books
	status    *os.File
	stdin     *os.File // nil if the command has none
	stdout    output
	stderr    output
	oomBefore int64

	exit  protocol.Exit // set when ended is closed
	fault error         // set when ended is closed: why nothing ran
	ended chan struct{} // the command itself has ended
	gone  chan struct{} // so has all that it started, and the leader
	lost  error         // set when gone is closed: why that is not sure
}

// connect makes the command's standard files and the status pipe. It returns
// the end of stdin to write to, if there is one.
func (p *process) connect(cmd *runner.Command) (stdin *os.File, err error) {
	p.stdout = output{sink: cmd.Stdout, broken: p.breakOff, done: make(chan struct{})}
	p.stderr = output{sink: cmd.Stderr, broken: p.breakOff, done: make(chan struct{})}
	l := p.leader
	l.files, l.status = [3]int{-1, -1, -1}, -1
	defer func() {
		if err != nil {
			p.closeLeaderFiles()
			p.closeFiles()
			if stdin != nil {
				stdin.Close()
			}
		}
	}()
	if p.status, l.status, err = outPipe(); err != nil {
		return nil, err
	}
	if p.stdout.file, l.files[1], err = outPipe(); err != nil {
		return nil, err
	}
	if p.stderr.file, l.files[2], err = outPipe(); err != nil {
		return nil, err
	}
	if cmd.Stdin == nil {
		l.files[0] = p.system.null
		return nil, nil
	}
	stdin, l.files[0], err = inPipe()
	return stdin, err
}

// closeLeaderFiles closes the runner's copies of what the leader has.
func (p *process) closeLeaderFiles() {
	l := p.leader
	for _, fd := range []int{l.files[0], l.files[1], l.files[2], l.status} {
		if fd >= 0 && fd != p.system.null {
			unix.Close(fd)
		}
	}
}

func (p *process) closeFiles() {
	for _, f := range []*os.File{p.status, p.stdout.file, p.stderr.file} {
		if f != nil {
			f.Close()
		}
	}
}

// outPipe returns a pipe from the leader: an end that the poller waits for, and a blocking one.
func outPipe() (read *os.File, write int, err error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return nil, -1, pipeError(err)
	}
	_, _ = unix.FcntlInt(uintptr(fds[1]), unix.F_SETFL, 0) // it has no other flag
	return os.NewFile(uintptr(fds[0]), "pipe"), fds[1], nil
}

// inPipe is outPipe the other way round.
func inPipe() (write *os.File, read int, err error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return nil, -1, pipeError(err)
	}
	_, _ = unix.FcntlInt(uintptr(fds[0]), unix.F_SETFL, 0) // it has no other flag
	return os.NewFile(uintptr(fds[1]), "pipe"), fds[0], nil
}

func pipeError(err error) error {
	return core.Errorf(core.ErrResource, "", "no room for another pipe: %w", err)
}

// feed copies a command's input. A command that does not want it, or has ended, ends the copy.
// Input that is cut off has no end: the command must not take a part of it for the whole.
func feed(to *os.File, from io.Reader) {
	if _, err := io.Copy(struct{ io.Writer }{to}, from); err == nil {
		to.Close()
	}
}

func (p *process) readRecord() (record, error) {
	var r record
	_, err := io.ReadFull(p.status, (*[recordSize]byte)(unsafe.Pointer(&r))[:])
	return r, err
}

// watch sees the command and then its leader to the end. It waits for nobody else.
func (p *process) watch() {
	if r, err := p.readRecord(); err == nil {
		if r.Kind == recordEnded {
			p.end(p.exitOf(&r), nil)
		} else {
			p.end(p.refused(&r))
		}
		_, _ = p.readRecord() // until the end of the file: the leader's
	}
	p.lost = p.system.bury(p)
	select {
	case <-p.ended:
	default: // the leader was killed before it could tell
		p.end(protocol.Exit{Reason: core.Signaled, Code: core.NoExitCode, Signal: "SIGKILL"}, nil)
	}
	p.status.Close()
	close(p.gone)
}

func (p *process) end(exit protocol.Exit, fault error) {
	p.exit, p.fault = exit, fault
	close(p.ended)
	p.stdout.finish()
	p.stderr.finish()
	if p.stdin != nil {
		p.stdin.Close()
	}
}

// Wait returns how the command ended; see runner.Process.
func (p *process) Wait() (protocol.Exit, error) {
	<-p.ended
	<-p.stdout.done
	<-p.stderr.done
	return p.exit, p.fault
}

func (p *process) exitOf(r *record) protocol.Exit {
	exit := protocol.Exit{Reason: core.Exited, Code: core.NoExitCode, Usage: &core.Usage{
		UserTime:   time.Duration(r.User) * time.Microsecond,
		SystemTime: time.Duration(r.System) * time.Microsecond,
		PeakMemory: r.PeakMemory << 10,
	}}
	// Until it executes its program a command is the runner's size, and the kernel counts that in.
	var own unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &own); err == nil && r.PeakMemory <= own.Maxrss {
		exit.Usage.PeakMemory = 0
	}
	status := unix.WaitStatus(uint32(r.Value))
	if status.Signaled() {
		exit.Reason, exit.Signal = core.Signaled, signalName(int(status.Signal()))
	} else {
		exit.Code = status.ExitStatus()
	}
	// A shell reports a child that was killed as 128 + 9.
	if (exit.Signal == "SIGKILL" || exit.Code == 137) && p.system.oom.count() > p.oomBefore {
		exit.Reason = core.OutOfMemory
	}
	return exit
}

// breakOff kills a command whose output nobody takes.
func (p *process) breakOff() { go func() { _ = p.Kill() }() }

// An output carries one output of a command to its sink: until the command has
// ended, what is in the pipe then included. What background children write
// later it reads and drops, so that they neither stall nor get SIGPIPE.
type output struct {
	file   *os.File
	sink   io.Writer
	broken func()        // called once, when the sink fails
	done   chan struct{} // closed when nothing more goes to the sink
	past   atomic.Bool   // the command has ended
}

var pumpBuffers = sync.Pool{New: func() any { return new([32 << 10]byte) }}

// finish tells the pump that the command has ended.
func (o *output) finish() {
	o.past.Store(true)
	_ = o.file.SetReadDeadline(time.Unix(1, 0)) // wakes the pump; one that has ended does not mind
}

func (o *output) pump() {
	defer o.file.Close()
	buf := pumpBuffers.Get().(*[32 << 10]byte)
	for {
		n, err := o.file.Read(buf[:])
		if n > 0 {
			o.deliver(buf[:n])
		}
		if err != nil {
			break
		}
	}
	if o.past.Load() {
		o.rest(buf[:])
	}
	pumpBuffers.Put(buf)
	close(o.done)
	if o.past.Load() {
		_ = o.file.SetReadDeadline(time.Time{})
		var sip [4 << 10]byte // there may be many such outputs for long
		for {
			if _, err := o.file.Read(sip[:]); err != nil {
				return
			}
		}
	}
}

// rest delivers what is in the pipe and no more, so that a child that keeps writing cannot prolong it.
func (o *output) rest(buf []byte) {
	conn, err := o.file.SyscallConn()
	if err != nil {
		return
	}
	_ = o.file.SetReadDeadline(time.Time{})
	_ = conn.Read(func(fd uintptr) bool {
		left, err := unix.IoctlGetInt(int(fd), unix.TIOCINQ)
		for err == nil && left > 0 {
			var n int
			n, err = unix.Read(int(fd), buf[:min(left, len(buf))])
			if n <= 0 {
				break // another reader was faster
			}
			o.deliver(buf[:n])
			left -= n
		}
		return true
	})
}

func (o *output) deliver(p []byte) {
	if o.sink == nil {
		return
	}
	if _, err := o.sink.Write(p); err != nil {
		o.sink = nil
		o.broken()
	}
}
