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

	"github.com/caisson-dev/caisson/drivers/fake/internal/tools"
)

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
