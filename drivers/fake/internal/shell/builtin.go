package shell

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
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

func builtinSet(s *shell, args []string) (int, flow) {
	args = args[1:]
	if len(args) == 0 {
		var b strings.Builder
		for _, name := range slices.Sorted(maps.Keys(s.vars)) {
			if s.vars[name].Set {
				fmt.Fprintf(&b, "%s=%s\n", name, quote(s.vars[name].Str))
			}
		}
		return s.print(b.String()), flow{}
	}
	for len(args) > 0 {
		arg := args[0]
		if arg == "--" || arg == "-" {
			s.args = args[1:]
			return 0, flow{}
		}
		if len(arg) < 2 || arg[0] != '-' && arg[0] != '+' {
			s.args = args
			return 0, flow{}
		}
		args = args[1:]
		for _, c := range arg[1:] {
			ok := false
			if c == 'o' && len(args) > 0 {
				ok = s.opts.setName(args[0], arg[0] == '-')
				args = args[1:]
			} else if c != 'o' {
				ok = s.opts.setFlag(c, arg[0] == '-')
			}
			if !ok {
				s.errorf("set: Illegal option %s", arg)
				s.exit(2)
			}
		}
	}
	return 0, flow{}
}

func builtinUnset(s *shell, args []string) (int, flow) {
	functions := false
	for _, name := range args[1:] {
		switch {
		case name == "-f":
			functions = true
		case name == "-v":
			functions = false
		case functions:
			delete(s.funcs, name)
		case s.vars[name].ReadOnly:
			s.errorf("unset: %s: is read only", name)
			s.exit(2)
		default:
			delete(s.vars, name)
		}
	}
	return 0, flow{}
}

// builtinExport is export and readonly.
func builtinExport(s *shell, args []string) (int, flow) {
	readonly := args[0] == "readonly"
	if len(args) == 1 || args[1] == "-p" {
		var b strings.Builder
		for _, name := range slices.Sorted(maps.Keys(s.vars)) {
			if vr := s.vars[name]; readonly && vr.ReadOnly || !readonly && vr.Exported {
				fmt.Fprintf(&b, "%s %s=%s\n", args[0], name, quote(vr.Str))
			}
		}
		return s.print(b.String()), flow{}
	}
	for _, arg := range args[1:] {
		name, value, assigned := strings.Cut(arg, "=")
		if !syntax.ValidName(name) {
			s.errorf("%s: %s: bad variable name", args[0], name)
			s.exit(2)
		}
		if assigned {
			s.set(name, value)
		}
		vr := s.vars[name]
		if readonly {
			vr.ReadOnly = true
		} else {
			vr.Exported = true
		}
		s.vars[name] = vr
	}
	return 0, flow{}
}

func builtinLocal(s *shell, args []string) (int, flow) {
	for _, arg := range args[1:] {
		name, value, assigned := strings.Cut(arg, "=")
		if !syntax.ValidName(name) {
			s.errorf("local: %s: bad variable name", name)
			s.exit(2)
		}
		if !s.local(name) {
			s.errorf("local: not in a function")
			s.exit(2)
		}
		if assigned {
			s.set(name, value)
		}
	}
	return 0, flow{}
}

func builtinCd(s *shell, args []string) (int, flow) {
	physical, shown := false, false
	args = args[1:]
	for len(args) > 0 && (args[0] == "-P" || args[0] == "-L" || args[0] == "--") {
		physical = args[0] == "-P"
		args = args[1:]
	}
	dir := s.get("HOME")
	if len(args) > 0 {
		dir = args[0]
	}
	if dir == "-" {
		dir, shown = s.get("OLDPWD"), true
	}
	target := dir
	if !path.IsAbs(target) {
		target = path.Join(s.get("PWD"), target)
	}
	// Logically: ".." takes a name off, whatever links led here.
	target = path.Clean(target)
	if physical {
		if real, err := s.p.Resolve(target); err == nil {
			target = real
		}
	}
	old := s.get("PWD")
	if dir == "" || s.p.Chdir(target) != nil {
		s.errorf("cd: can't cd to %s", dir)
		return 2, flow{}
	}
	s.set("OLDPWD", old)
	s.set("PWD", target)
	if shown {
		return s.print(target + "\n"), flow{}
	}
	return 0, flow{}
}

func builtinPwd(s *shell, args []string) (int, flow) {
	dir := s.p.Dir
	if len(args) > 1 && args[1] == "-P" {
		if real, err := s.p.Resolve(dir); err == nil {
			dir = real
		}
	}
	return s.print(dir + "\n"), flow{}
}

func builtinUmask(s *shell, args []string) (int, flow) {
	switch {
	case len(args) == 1:
		return s.print(fmt.Sprintf("%04o\n", s.p.Umask)), flow{}
	case args[1] == "-S":
		m := ^s.p.Umask
		part := func(shift uint) string {
			bits := ""
			for i, c := range "rwx" {
				if m>>shift&(4>>i) != 0 {
					bits += string(c)
				}
			}
			return bits
		}
		return s.print(fmt.Sprintf("u=%s,g=%s,o=%s\n", part(6), part(3), part(0))), flow{}
	}
	mask, err := tools.ParseMode(args[1], ^s.p.Umask&0o777, true)
	if n, octal := strconv.ParseUint(args[1], 8, 12); octal == nil {
		s.p.Umask = fs.FileMode(n)
		return 0, flow{}
	}
	if err != nil {
		s.errorf("umask: Illegal mode: %s", args[1])
		return 2, flow{}
	}
	s.p.Umask = ^mask & 0o777
	return 0, flow{}
}

func builtinUlimit(s *shell, args []string) (int, flow) {
	what := "-f"
	for _, arg := range args[1:] {
		switch arg {
		case "-S", "-H":
		default:
			if !strings.HasPrefix(arg, "-") {
				if arg == "unlimited" || arg == "0" && what == "-c" {
					return 0, flow{}
				}
				s.errorf("ulimit: error setting limit (Operation not permitted)")
				return 2, flow{}
			}
			what = arg
		}
	}
	limits := s.p.Limits()
	switch what {
	case "-n":
		return s.print(fmt.Sprintln(limits.OpenFiles)), flow{}
	case "-f":
		return s.print(fmt.Sprintln(limits.FileSize / 512)), flow{}
	case "-c":
		return s.print("0\n"), flow{}
	case "-a":
		return s.print(fmt.Sprintf("file(blocks)         %d\ncoredump(blocks)     0\nnofiles              %d\n", limits.FileSize/512, limits.OpenFiles)), flow{}
	default:
		return s.print("unlimited\n"), flow{}
	}
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
