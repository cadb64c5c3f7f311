package shell

import (
	"errors"
	"strconv"

	"mvdan.cc/sh/v3/syntax"

	"github.com/caisson-dev/caisson/drivers/fake/internal/kernel"
)

// undo is how to take back a redirection.
type undo struct{ fd, saved int }

// redirect makes redirections, in order. It reports whether all could be made;
// those that were are returned in any case.
func (s *shell) redirect(list []*syntax.Redirect) (done []undo, ok bool) {
	for _, rd := range list {
		u, ok := s.redirectOne(rd)
		if !ok {
			return done, false
		}
		done = append(done, u)
	}
	return done, true
}

// restore takes redirections back.
func (s *shell) restore(done []undo) {
	for i := len(done) - 1; i >= 0; i-- {
		s.p.Restore(done[i].saved, done[i].fd)
	}
}

// keep makes redirections last.
func (s *shell) keep(done []undo) {
	for _, u := range done {
		s.shut(u.saved)
	}
}

func (s *shell) redirectOne(rd *syntax.Redirect) (undo, bool) {
	to := 1
	switch rd.Op {
	case syntax.RdrIn, syntax.RdrInOut, syntax.DplIn, syntax.Hdoc, syntax.DashHdoc:
		to = 0
	default:
	}
	if rd.N != nil {
		n, err := strconv.Atoi(rd.N.Value)
		if err != nil || n > 9999 {
			s.errorf("%s: Bad file descriptor", rd.N.Value)
			return undo{}, false
		}
		to = n
	}
	switch rd.Op {
	case syntax.Hdoc, syntax.DashHdoc:
		fd, err := s.p.Text(s.hereDocument(rd))
		if err != nil {
			s.errorf("%s", kernel.Reason(err))
			return undo{}, false
		}
		return s.place(fd, to), true
	case syntax.DplIn, syntax.DplOut:
		return s.duplicate(s.literal(rd.Word), to)
	default:
		name := s.literal(rd.Word)
		fd, ok := s.open(rd.Op, name)
		if !ok {
			return undo{}, false
		}
		return s.place(fd, to), true
	}
}

// place moves a fresh descriptor to where it is wanted.
func (s *shell) place(fd, to int) undo {
	if fd == to { // which was closed
		return undo{to, -1}
	}
	u := undo{to, s.p.Save(to)}
	s.move(fd, to)
	return u
}

func (s *shell) duplicate(from string, to int) (undo, bool) {
	if from == "-" {
		return undo{to, s.p.Save(to)}, true
	}
	fd, err := strconv.Atoi(from)
	if err != nil || !s.p.IsOpen(fd) || fd > 9999 {
		s.errorf("%s: Bad file descriptor", from)
		return undo{}, false
	}
	if fd == to {
		saved := s.p.Save(to)
		_ = s.p.Dup2(saved, to)
		return undo{to, saved}, true
	}
	u := undo{to, s.p.Save(to)}
	_ = s.p.Dup2(fd, to) // it is open
	return u, true
}

func (s *shell) open(op syntax.RedirOperator, name string) (int, bool) {
	flags := kernel.OpenFlags{Write: true, Create: true, Mode: 0o666}
	switch op {
	case syntax.RdrIn:
		flags = kernel.OpenFlags{Read: true}
	case syntax.RdrInOut:
		flags.Read = true
	case syntax.AppOut:
		flags.Append = true
	case syntax.RdrOut:
		if s.opts.noclobber {
			if info, err := s.p.Stat(name); err == nil && info.Mode.IsRegular() {
				s.errorf("cannot create %s: File exists", name)
				return -1, false
			}
		}
		flags.Truncate = true
	case syntax.RdrClob:
		flags.Truncate = true
	default:
		s.errorf("Syntax error: redirection unexpected")
		return -1, false
	}
	fd, err := s.p.Open(name, flags)
	switch {
	case err == nil:
		return fd, true
	case op == syntax.RdrIn:
		s.errorf("cannot open %s: %s", name, openReason(err))
	case errors.Is(err, kernel.ENOENT):
		s.errorf("cannot create %s: Directory nonexistent", name)
	default:
		s.errorf("cannot create %s: %s", name, kernel.Reason(err))
	}
	return -1, false
}

func openReason(err error) string {
	if errors.Is(err, kernel.ENOENT) {
		return "No such file"
	}
	return kernel.Reason(err)
}
