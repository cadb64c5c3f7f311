package tools

import (
	"strconv"
	"strings"
	"time"

	"github.com/caisson-dev/caisson/drivers/fake/internal/kernel"
)

// sleep waits for the sum of its operands.
func sleep(t *tool) {
	if len(t.args) == 0 {
		t.missing()
		return
	}
	var total time.Duration
	for _, arg := range t.args {
		d, ok := parseDuration(arg)
		if !ok {
			t.usage("invalid time interval %s", quote(arg))
			return
		}
		if d < 0 || total < 0 {
			total = -1
			continue
		}
		total += d
	}
	t.Sleep(total)
}

// parseDuration reads "1.5", "2m" or "infinity", which is -1.
func parseDuration(text string) (time.Duration, bool) {
	if text == "inf" || text == "infinity" {
		return -1, true
	}
	unit := time.Second
	if n := len(text); n > 0 {
		switch text[n-1] {
		case 's':
			text = text[:n-1]
		case 'm':
			unit, text = time.Minute, text[:n-1]
		case 'h':
			unit, text = time.Hour, text[:n-1]
		case 'd':
			unit, text = 24*time.Hour, text[:n-1]
		}
	}
	x, err := strconv.ParseFloat(text, 64)
	if err != nil || !(x >= 0) {
		return 0, false
	}
	if x*float64(unit) >= float64(1<<62) {
		return -1, true
	}
	return time.Duration(x * float64(unit)), true
}

// kill sends a signal to processes.
func kill(t *tool) {
	sig := kernel.SIGTERM
	args := t.args
	if len(args) == 0 {
		t.errorf("usage: kill [-s sigspec | -signum | -sigspec] [pid | job]... or")
		t.status = 2
		return
	}
	parse := func(name string) bool {
		var ok bool
		if sig, ok = kernel.ParseSignal(name); !ok {
			t.errorf("invalid signal: %s", quote(name))
		}
		return ok
	}
	switch first := args[0]; {
	case first == "-l" || first == "-L":
		listSignals(t, args[1:])
		return
	case first == "-s" || first == "-n":
		if len(args) < 2 || !parse(args[1]) {
			t.status = max(t.status, 1)
			return
		}
		args = args[2:]
	case first == "--":
		args = args[1:]
	case len(first) > 1 && first[0] == '-':
		if !parse(first[1:]) {
			return
		}
		args = args[1:]
		if len(args) > 0 && args[0] == "--" {
			args = args[1:]
		}
	}
	for _, arg := range args {
		pid, err := strconv.Atoi(arg)
		if err != nil {
			t.errorf("Illegal number: %s", arg)
			t.status = 2
			continue
		}
		if err := t.Kill(pid, sig); err != nil {
			t.errorf("%s", kernel.Reason(err))
		}
	}
}

func listSignals(t *tool, args []string) {
	for _, arg := range args {
		n, err := strconv.Atoi(arg)
		switch {
		case err != nil:
			if sig, ok := kernel.ParseSignal(arg); ok {
				t.println(strconv.Itoa(int(sig)))
				continue
			}
			t.errorf("invalid signal: %s", quote(arg))
		default:
			t.println(kernel.Signal(n & 127).Name())
		}
	}
	if len(args) == 0 {
		var names []string
		for sig := kernel.Signal(1); sig <= 31; sig++ {
			names = append(names, sig.Name())
		}
		t.println(strings.Join(names, "\n"))
	}
}
