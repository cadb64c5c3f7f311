package shell

import (
	"bytes"
	"errors"
	"maps"
	"strings"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"

	"github.com/caisson-dev/caisson/drivers/fake/internal/kernel"
)

// call runs a simple command: assignments, a function, a builtin or a program.
func (s *shell) call(st *syntax.Stmt, call *syntax.CallExpr) flow {
	before := s.status
	s.subst = 0
	args := s.fields(s.unalias(call.Args))
	if len(args) == 0 {
		s.assignOnly(st, call)
		return flow{}
	}
	s.trace(call.Assigns, args)
	name := args[0]
	body := s.funcs[name]
	run, special := s.builtin(name)
	if body != nil && (run == nil || !special) {
		run = func(s *shell, args []string) (int, flow) { return s.function(body, args[1:]) }
	}
	if run == nil {
		s.program(st, call, args)
		return flow{}
	}
	done, ok := s.redirect(st.Redirs)
	if !ok {
		s.restore(done)
		s.status = 2
		if special {
			s.exit(2)
		}
		return flow{}
	}
	var hidden frame
	if special && body == nil {
		s.assign(call.Assigns, false)
	} else {
		hidden = s.assign(call.Assigns, true)
	}
	s.status = before // for builtins that look at $?
	tail := s.tail
	s.tail = false
	status, f := run(s, args)
	s.tail = tail
	s.status = status
	s.unhide(hidden)
	if name == "exec" {
		s.keep(done)
	} else {
		s.restore(done)
	}
	return f
}

// assignOnly runs a command without a name.
func (s *shell) assignOnly(st *syntax.Stmt, call *syntax.CallExpr) {
	s.trace(call.Assigns, nil)
	s.assign(call.Assigns, false)
	s.status = s.subst
	done, ok := s.redirect(st.Redirs)
	s.restore(done)
	if !ok {
		s.status = 2
	}
}

// assign makes assignments. With temporary set it exports them and returns what they hide.
func (s *shell) assign(list []*syntax.Assign, temporary bool) frame {
	var hidden frame
	for _, as := range list {
		name, value := as.Name.Value, ""
		if as.Value != nil {
			value = s.literal(as.Value)
		}
		if temporary {
			if hidden == nil {
				hidden = make(frame)
			}
			if _, twice := hidden[name]; !twice {
				hidden[name] = s.vars[name]
			}
		}
		s.set(name, value)
		if temporary {
			vr := s.vars[name]
			vr.Exported = true
			s.vars[name] = vr
		}
	}
	return hidden
}

// unhide brings back what was hidden.
func (s *shell) unhide(hidden frame) {
	for name, vr := range hidden {
		if vr.Set || vr.Exported || vr.ReadOnly {
			s.vars[name] = vr
		} else {
			delete(s.vars, name)
		}
	}
}

// function calls a function.
func (s *shell) function(body *syntax.Stmt, args []string) (int, flow) {
	params, loops := s.args, s.loops
	s.args, s.loops = args, 0
	s.frames = append(s.frames, make(frame))
	s.status = 0
	_ = s.stmt(body) // nothing leaves a function but exit
	top := len(s.frames) - 1
	s.unhide(s.frames[top])
	s.frames = s.frames[:top]
	s.args, s.loops = params, loops
	return s.status, flow{}
}

// local makes a variable of the function that runs.
func (s *shell) local(name string) bool {
	if len(s.frames) == 0 {
		return false
	}
	top := s.frames[len(s.frames)-1]
	if _, is := top[name]; !is {
		top[name] = s.vars[name]
	}
	return true
}

// program runs a program in a child, or in place of the shell if nothing is left to do for it.
func (s *shell) program(st *syntax.Stmt, call *syntax.CallExpr, args []string) {
	done, ok := s.redirect(st.Redirs)
	if !ok {
		s.restore(done)
		s.status = 2
		return
	}
	if s.tail && s.traps[0] == "" && len(done) == len(st.Redirs) {
		s.assign(call.Assigns, true)
		s.keep(done)
		s.exec(args)
		return
	}
	vars := maps.Clone(s.vars)
	hidden := s.assign(call.Assigns, true)
	pid := s.fork(func(c *shell) { c.exec(args) })
	if hidden != nil {
		s.vars = vars
	}
	s.restore(done)
	s.status = s.await(pid, false)
}

// exec makes the process run a program. It returns if that cannot be, with the status set.
func (s *shell) exec(args []string) {
	file, err := s.p.Lookup(args[0], s.get("PATH"))
	var image *kernel.Image
	if err == nil {
		image, err = s.p.LoadFile(file, args)
	}
	if errors.Is(err, kernel.ENOEXEC) && s.isText(file) {
		image, err = s.p.LoadFile("/bin/sh", append([]string{"sh", file}, args[1:]...))
	}
	if err == nil {
		s.p.Exec(image, s.environ())
	}
	s.status = 126
	switch {
	case errors.Is(err, kernel.ENOENT) || errors.Is(err, kernel.ENOTDIR):
		s.status = 127
		s.errorf("%s: not found", args[0])
	default:
		s.errorf("%s: %s", args[0], kernel.Reason(err))
	}
}

// isText reports whether a file that is no program may be a script.
func (s *shell) isText(file string) bool {
	fd, err := s.p.Open(file, kernel.OpenFlags{Read: true})
	if err != nil {
		return false
	}
	defer s.shut(fd)
	var head [256]byte
	n, _ := s.p.Read(fd, head[:])
	line, _, _ := bytes.Cut(head[:n], []byte("\n"))
	return bytes.IndexByte(line, 0) < 0
}

// trace prints a command for set -x.
func (s *shell) trace(assigns []*syntax.Assign, args []string) {
	if !s.opts.xtrace {
		return
	}
	var words []string
	for _, as := range assigns {
		value := ""
		if as.Value != nil {
			value, _ = expand.Literal(s.prepare(), as.Value)
		}
		words = append(words, as.Name.Value+"="+value)
	}
	words = append(words, args...)
	s.warn(s.get("PS4") + strings.Join(words, " ") + "\n")
}
