package linux

import "strconv"

// signalNames are Linux's on amd64 and arm64, from 1.
var signalNames = [...]string{
	"HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM", "TERM", "STKFLT",
	"CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
}

// firstRealtime is the first signal that has no name of its own.
const firstRealtime = 32

func signalName(n int) string {
	switch {
	case n >= 1 && n <= len(signalNames):
		return "SIG" + signalNames[n-1]
	case n >= firstRealtime:
		return "SIGRTMIN+" + strconv.Itoa(n-firstRealtime)
	default:
		return "SIG" + strconv.Itoa(n)
	}
}
