package core

import (
	"strings"
	"time"
)

// Reason says how a command ended.
//
// The kernel does not tell which process it has killed for want of memory: it
// counts such kills in the whole sandbox. So OutOfMemory is what a command gets
// that died of SIGKILL, if one was counted while it ran. When that was another
// process's, and somebody killed this command in the same time, it is wrong.
type Reason string

// How a command can end.
const (
	Exited      Reason = "exited"        // by itself; ExitCode is its status
	Signaled    Reason = "signaled"      // by a signal; Signal names it
	TimedOut    Reason = "timed_out"     // killed when its Timeout had passed
	OutOfMemory Reason = "out_of_memory" // killed by the kernel for want of memory
	Canceled    Reason = "canceled"      // killed because its context ended, or its reader or writer failed
	Unknown     Reason = "unknown"       // its end was not seen; comes with an error
)

// NoExitCode is the ExitCode of a command that did not exit by itself.
const NoExitCode = -1

// Result is what is known of a command that has ended, or of one that was cut off.
type Result struct {
	// ExitCode is the command's exit status, or NoExitCode unless Reason is Exited
	// (or OutOfMemory, when a shell reported the death of its child).
	ExitCode int
	// Signal is the name of the signal that killed the command, as in "SIGSEGV", or empty.
	Signal string
	// Reason says which kind of end it was.
	Reason Reason
	// Stdout and Stderr hold what was captured: all of it, or head and tail.
	Stdout, Stderr Output
	// Combined holds what was captured of both, in the order of arrival.
	Combined Output
	// Duration is the time from when the command's Timeout counts to the end of
	// the command, and until the writers of its output have taken all of it.
	Duration time.Duration
	// Usage is nil if it is not known.
	Usage *Usage
	// Restarted reports that the sandbox had to be restarted to end the
	// command: its other processes and /tmp are gone, its files are kept.
	Restarted bool
}

// Usage is what the command and those of its children that it waited for used.
type Usage struct {
	UserTime, SystemTime time.Duration
	// PeakMemory is the size in bytes of its largest process. It is 0 if it is
	// not known, as for a command that is smaller than the guest itself.
	PeakMemory int64
}

// Success reports whether the command exited with status 0.
func (r *Result) Success() bool { return r != nil && r.Reason == Exited && r.ExitCode == 0 }

// Output is captured output. Its memory is bounded by the command's OutputLimit.
type Output struct {
	// Head is the beginning, Tail the end; Tail is empty unless Truncated.
	Head, Tail []byte
	// Total counts every byte of the output, kept or not.
	Total int64
	// Truncated reports that bytes between Head and Tail were dropped.
	Truncated bool
}

// Bytes returns what was kept: Head and Tail joined. The bytes are the command's own.
func (o *Output) Bytes() []byte {
	if len(o.Tail) == 0 {
		return o.Head
	}
	return append(append(make([]byte, 0, len(o.Head)+len(o.Tail)), o.Head...), o.Tail...)
}

// String returns what was kept as text. It is lossy: bytes that are not UTF-8
// become U+FFFD, and a line stands for bytes that were dropped.
func (o *Output) String() string {
	head := strings.ToValidUTF8(string(o.Head), "\ufffd")
	if !o.Truncated {
		return head
	}
	return head + "\n[... " + itoa(o.Total-int64(len(o.Head)+len(o.Tail))) + " bytes dropped ...]\n" +
		strings.ToValidUTF8(string(o.Tail), "\ufffd")
}
