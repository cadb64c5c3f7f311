package shell

import (
	"fmt"
	"path"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/caisson-dev/caisson/drivers/fake/internal/kernel"
	"github.com/caisson-dev/caisson/drivers/fake/internal/tools"
)

// A builtin is a command that runs in the shell's own process.
type builtin func(s *shell, args []string) (status int, f flow)

// builtin returns the builtin of a name, and whether POSIX calls it special.
func (s *shell) builtin(name string) (run builtin, special bool) {
	switch name {
	case ":":
		return func(*shell, []string) (int, flow) { return 0, flow{} }, true
	case ".":
		return builtinDot, true
	case "break", "continue":
		return builtinBreak, true
	case "eval":
		return builtinEval, true
	case "exec":
		return builtinExec, true
	case "exit":
		return builtinExit, true
	case "export", "readonly":
		return builtinExport, true
	case "return":
		return builtinReturn, true
	case "set":
		return builtinSet, true
	case "shift":
		return builtinShift, true
	case "times":
		return func(s *shell, _ []string) (int, flow) {
			return s.print("0m0.000000s 0m0.000000s\n0m0.000000s 0m0.000000s\n"), flow{}
		}, true
	case "trap":
		return builtinTrap, true
	case "unset":
		return builtinUnset, true
	case "cd", "chdir":
		return builtinCd, false
	case "command":
		return builtinCommand, false
	case "getopts":
		return builtinGetopts, false
	case "alias":
		return builtinAlias, false
	case "unalias":
		return builtinUnalias, false
	case "hash":
		return func(*shell, []string) (int, flow) { return 0, flow{} }, false
	case "jobs":
		return builtinJobs, false
	case "kill":
		return builtinKill, false
	case "local":
		return builtinLocal, false
	case "pwd":
		return builtinPwd, false
	case "read":
		return builtinRead, false
	case "type":
		return builtinType, false
	case "ulimit":
		return builtinUlimit, false
	case "umask":
		return builtinUmask, false
	case "wait":
		return builtinWait, false
	case "echo", "printf", "test", "[", "true", "false":
		return func(s *shell, args []string) (int, flow) { return s.tool(args), flow{} }, false
	default:
		return nil, false
	}
}

// tool runs one of the everyday commands in the shell's own process.
func (s *shell) tool(args []string) int {
	outer := s.p.Args
	s.p.Args = args
	status := tools.Builtin(s.p, fmt.Sprintf("%s: %d: %s", s.name, s.line, args[0]))
	s.p.Args = outer
	return status
}

func builtinBreak(s *shell, args []string) (int, flow) {
	n := 1
	if len(args) > 1 {
		var err error
		if n, err = strconv.Atoi(args[1]); err != nil || n < 1 {
			s.errorf("%s: Illegal number: %s", args[0], args[1])
			s.exit(2)
		}
	}
	if s.loops == 0 {
		return 0, flow{}
	}
	kind := breaking
	if args[0] == "continue" {
		kind = continuing
	}
	return 0, flow{kind, min(n, s.loops)}
}

// number reads an optional status.
func (s *shell) number(args []string) int {
	if len(args) < 2 {
		return s.status
	}
	n, err := strconv.Atoi(args[1])
	if err != nil || n < 0 {
		s.errorf("%s: Illegal number: %s", args[0], args[1])
		s.exit(2)
	}
	return n & 0xff
}

func builtinExit(s *shell, args []string) (int, flow) {
	s.exit(s.number(args))
	return 0, flow{}
}

func builtinReturn(s *shell, args []string) (int, flow) {
	return s.number(args), flow{kind: returning}
}

func builtinEval(s *shell, args []string) (int, flow) {
	s.status = 0
	f := s.runScript(strings.Join(args[1:], " "))
	return s.status, f
}

func builtinDot(s *shell, args []string) (int, flow) {
	if len(args) < 2 {
		return 0, flow{}
	}
	file := args[1]
	if !strings.Contains(file, "/") {
		for dir := range strings.SplitSeq(s.get("PATH"), ":") {
			if info, err := s.p.Stat(path.Join(dir, file)); err == nil && info.Mode.IsRegular() {
				file = path.Join(dir, file)
				break
			}
		}
		if !strings.Contains(file, "/") {
			s.errorf(".: %s: not found", file)
			s.exit(2)
		}
	}
	text, err := s.readFile(file)
	if err != nil {
		s.errorf(".: cannot open %s: %s", file, openReason(err))
		s.exit(2)
	}
	s.status = 0
	f := s.runScript(text)
	if f.kind == returning {
		f = flow{}
	}
	return s.status, f
}

func builtinExec(s *shell, args []string) (int, flow) {
	if len(args) == 1 {
		return 0, flow{}
	}
	s.exec(args[1:])
	s.exit(s.status)
	return 0, flow{}
}

func builtinShift(s *shell, args []string) (int, flow) {
	n := 1
	if len(args) > 1 {
		n = s.number(args)
	}
	if n > len(s.args) {
		s.errorf("shift: can't shift that many")
		s.exit(2)
	}
	s.args = s.args[n:]
	return 0, flow{}
}

func builtinCommand(s *shell, args []string) (int, flow) {
	args = args[1:]
	for len(args) > 0 {
		switch args[0] {
		case "-v", "-V":
			return s.describe(args[1:], args[0] == "-V"), flow{}
		case "-p":
			s.set("PATH", kernel.DefaultPath)
			args = args[1:]
			continue
		case "--":
			args = args[1:]
		}
		break
	}
	if len(args) == 0 {
		return 0, flow{}
	}
	if run, _ := s.builtin(args[0]); run != nil {
		return run(s, args)
	}
	return s.await(s.fork(func(c *shell) { c.exec(args) }), false), flow{}
}

func builtinType(s *shell, args []string) (int, flow) { return s.describe(args[1:], true), flow{} }

// describe says what names mean as commands.
func (s *shell) describe(names []string, verbose bool) int {
	status := 0
	var b strings.Builder
	for _, name := range names {
		run, special := s.builtin(name)
		var kind string
		answer := name
		switch {
		case syntax.IsKeyword(name):
			kind = "a shell keyword"
		case s.funcs[name] != nil:
			kind = "a shell function"
		case special:
			kind = "a special shell builtin"
		case run != nil:
			kind = "a shell builtin"
		default:
			file, err := s.p.Lookup(name, s.get("PATH"))
			if err == nil && strings.Contains(name, "/") {
				err = s.p.Access(file, kernel.MayExec)
			}
			if err != nil {
				status = 127
				if verbose {
					fmt.Fprintf(&b, "%s: not found\n", name)
				}
				continue
			}
			kind, answer = file, file
		}
		if verbose {
			fmt.Fprintf(&b, "%s is %s\n", name, kind)
		} else {
			fmt.Fprintln(&b, answer)
		}
	}
	return max(status, s.print(b.String()))
}
