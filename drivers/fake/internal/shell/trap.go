package shell

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/caisson-dev/caisson/drivers/fake/internal/kernel"
)

// runTraps runs what is set for the signals that have come, and returns the last of them.
func (s *shell) runTraps() kernel.Signal {
	var last kernel.Signal
	for _, sig := range s.p.Caught() {
		last = sig
		if action := s.traps[sig]; action != "" {
			s.runTrap(action)
		}
	}
	return last
}

func (s *shell) runTrap(action string) {
	status, tail := s.status, s.tail
	s.tail = false
	s.runScript(action)
	s.status, s.tail = status, tail
}

func builtinTrap(s *shell, args []string) (int, flow) {
	args = args[1:]
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 {
		var b strings.Builder
		for _, sig := range slices.Sorted(maps.Keys(s.traps)) {
			fmt.Fprintf(&b, "trap -- %s %s\n", quote(s.traps[sig]), trapName(sig))
		}
		return s.print(b.String()), flow{}
	}
	action := args[0]
	if _, isSignal := parseTrap(action); len(args) == 1 && (isSignal || action == "-") {
		action = "-"
	} else {
		args = args[1:]
	}
	status := 0
	for _, name := range args {
		sig, ok := parseTrap(name)
		if !ok {
			s.errorf("trap: %s: bad trap", name)
			status = 1
			continue
		}
		s.setTrap(sig, action)
	}
	return status, flow{}
}

func (s *shell) setTrap(sig kernel.Signal, action string) {
	switch action {
	case "-":
		delete(s.traps, sig)
		s.p.SetAction(sig, kernel.Default)
	case "":
		s.traps[sig] = ""
		s.p.SetAction(sig, kernel.Ignore)
	default:
		s.traps[sig] = action
		s.p.SetAction(sig, kernel.Catch)
	}
}

func parseTrap(name string) (kernel.Signal, bool) {
	if name == "EXIT" {
		return 0, true
	}
	return kernel.ParseSignal(name)
}

func trapName(sig kernel.Signal) string {
	if sig == 0 {
		return "EXIT"
	}
	return sig.Name()
}

// quote returns a word as it can be typed.
func quote(word string) string { return "'" + strings.ReplaceAll(word, "'", `'"'"'`) + "'" }
