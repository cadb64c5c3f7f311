package kernel

import (
	"strconv"
	"strings"
)

// Signal is a signal by Linux's number.
type Signal int

// The signals that something here is done about.
const (
	SIGHUP    Signal = 1
	SIGINT    Signal = 2
	SIGQUIT   Signal = 3
	SIGABRT   Signal = 6
	SIGKILL   Signal = 9
	SIGSEGV   Signal = 11
	SIGPIPE   Signal = 13
	SIGTERM   Signal = 15
	SIGCHLD   Signal = 17
	SIGCONT   Signal = 18
	SIGSTOP   Signal = 19
	SIGTSTP   Signal = 20
	SIGTTIN   Signal = 21
	SIGTTOU   Signal = 22
	SIGURG    Signal = 23
	SIGXFSZ   Signal = 25
	SIGWINCH  Signal = 28
	maxSignal        = 64
)

var signalNames = [...]string{
	1: "HUP", 2: "INT", 3: "QUIT", 4: "ILL", 5: "TRAP", 6: "ABRT", 7: "BUS", 8: "FPE", 9: "KILL", 10: "USR1", 11: "SEGV", 12: "USR2",
	13: "PIPE", 14: "ALRM", 15: "TERM", 16: "STKFLT", 17: "CHLD", 18: "CONT", 19: "STOP", 20: "TSTP", 21: "TTIN", 22: "TTOU", 23: "URG",
	24: "XCPU", 25: "XFSZ", 26: "VTALRM", 27: "PROF", 28: "WINCH", 29: "POLL", 30: "PWR", 31: "SYS",
}

// Name returns the name without SIG, or the number of a signal that has none.
func (s Signal) Name() string {
	if s > 0 && int(s) < len(signalNames) {
		return signalNames[s]
	}
	return strconv.Itoa(int(s))
}

// String returns the name with SIG.
func (s Signal) String() string { return "SIG" + s.Name() }

// Describe returns what a shell says of a process that the signal ended.
func (s Signal) Describe() string {
	switch s {
	case SIGHUP:
		return "Hangup"
	case SIGABRT:
		return "Aborted"
	case SIGKILL:
		return "Killed"
	case SIGSEGV:
		return "Segmentation fault"
	case SIGTERM:
		return "Terminated"
	case SIGQUIT:
		return "Quit"
	case SIGXFSZ:
		return "File size limit exceeded"
	case 10:
		return "User defined signal 1"
	case 12:
		return "User defined signal 2"
	case 14:
		return "Alarm clock"
	default:
		return s.String()
	}
}

// ParseSignal returns the signal of a number or of a name with or without SIG, in any case. Zero is a signal here.
func ParseSignal(text string) (Signal, bool) {
	if n, err := strconv.Atoi(text); err == nil {
		return Signal(n), n >= 0 && n <= maxSignal
	}
	name := strings.TrimPrefix(strings.ToUpper(text), "SIG")
	for n, s := range signalNames {
		if s != "" && s == name {
			return Signal(n), true
		}
	}
	return 0, false
}

// Action is what a process does about a signal.
type Action byte

// The actions.
const (
	Default Action = iota
	Ignore
	Catch // see Process.Caught
)

// stops reports whether the signal stops a process by default.
func (s Signal) stops() bool {
	return s == SIGSTOP || s == SIGTSTP || s == SIGTTIN || s == SIGTTOU
}

// harmless reports whether the signal does nothing by default.
func (s Signal) harmless() bool {
	return s == SIGCHLD || s == SIGURG || s == SIGWINCH || s == SIGCONT
}
