package shell

import (
	"regexp"

	"mvdan.cc/sh/v3/pattern"
	"mvdan.cc/sh/v3/syntax"

	"github.com/caisson-dev/caisson/drivers/fake/internal/kernel"
)

// maxDepth bounds how deep commands and functions may nest, where a real shell runs out of stack.
const maxDepth = 2000

func (s *shell) stmts(list []*syntax.Stmt) flow {
	for _, st := range list {
		if f := s.stmt(st); f.kind != proceed {
			return f
		}
	}
	return flow{}
}

func (s *shell) stmt(st *syntax.Stmt) flow {
	s.p.Check()
	s.runTraps()
	if s.opts.noexec {
		return flow{}
	}
	s.depth++
	defer func() { s.depth-- }()
	if s.depth > maxDepth {
		s.errorf("Maximum recursion depth (%d) reached", maxDepth)
		s.exit(2)
	}
	s.line = st.Pos().Line()
	if st.Background {
		s.background(st)
		return flow{}
	}
	if st.Negated {
		s.tested++
		f := s.command(st)
		s.tested--
		s.status = truth(s.status != 0)
		return f
	}
	f := s.command(st)
	s.runTraps()
	if s.status != 0 && s.opts.errexit && s.tested == 0 && f.kind == proceed && simple(st.Cmd) {
		s.exit(s.status)
	}
	return f
}

// simple reports whether a failure of the command is its own, not one of a command within that was looked at already.
func simple(cmd syntax.Command) bool {
	switch cmd := cmd.(type) {
	case *syntax.CallExpr, *syntax.Subshell:
		return true
	case *syntax.BinaryCmd:
		return cmd.Op == syntax.Pipe
	default:
		return false
	}
}

// truth is the status of a condition.
func truth(b bool) int {
	if b {
		return 0
	}
	return 1
}

// command runs a statement in this process, with its redirections.
func (s *shell) command(st *syntax.Stmt) flow {
	if call, ok := st.Cmd.(*syntax.CallExpr); ok {
		return s.call(st, call)
	}
	if len(st.Redirs) == 0 {
		return s.compound(st.Cmd)
	}
	undo, ok := s.redirect(st.Redirs)
	if !ok {
		s.restore(undo)
		s.status = 2
		return flow{}
	}
	s.status = 0
	tail := s.tail
	s.tail = false
	f := s.compound(st.Cmd)
	s.tail = tail
	s.restore(undo)
	return f
}

func (s *shell) compound(cmd syntax.Command) flow {
	switch cmd := cmd.(type) {
	case nil:
	case *syntax.Block:
		return s.stmts(cmd.Stmts)
	case *syntax.Subshell:
		s.status = s.await(s.fork(func(c *shell) { c.subshell(cmd.Stmts) }), false)
	case *syntax.BinaryCmd:
		return s.binary(cmd)
	case *syntax.IfClause:
		return s.ifClause(cmd)
	case *syntax.WhileClause:
		return s.loop(func() bool {
			f := s.condition(cmd.Cond)
			return f.kind == proceed && (s.status == 0) != cmd.Until
		}, cmd.Do)
	case *syntax.ForClause:
		return s.forClause(cmd)
	case *syntax.CaseClause:
		return s.caseClause(cmd)
	case *syntax.FuncDecl:
		if cmd.Name == nil {
			s.errorf("Syntax error: a function without a name")
			s.status = 2
			break
		}
		s.funcs[cmd.Name.Value] = cmd.Body
		s.status = 0
	default:
		s.errorf("Syntax error: not in a POSIX shell")
		s.status = 2
	}
	return flow{}
}

// subshell runs the commands of a subshell, the last of which may take over the process.
func (s *shell) subshell(list []*syntax.Stmt) {
	for i, st := range list {
		s.tail = i == len(list)-1
		if f := s.stmt(st); f.kind != proceed {
			return
		}
	}
}

func (s *shell) binary(cmd *syntax.BinaryCmd) flow {
	if cmd.Op == syntax.Pipe {
		s.pipeline(cmd)
		return flow{}
	}
	tail := s.tail
	s.tail = false
	f := s.condition([]*syntax.Stmt{cmd.X})
	s.tail = tail
	if f.kind != proceed || (s.status == 0) != (cmd.Op == syntax.AndStmt) {
		return f
	}
	return s.stmt(cmd.Y)
}

// condition runs commands whose failure ends nothing.
func (s *shell) condition(list []*syntax.Stmt) flow {
	tail := s.tail
	s.tail = false
	s.tested++
	f := s.stmts(list)
	s.tested--
	s.tail = tail
	return f
}

// pipeline runs each command in a process of its own.
func (s *shell) pipeline(cmd *syntax.BinaryCmd) {
	var parts []*syntax.Stmt
	for {
		parts = append([]*syntax.Stmt{cmd.Y}, parts...)
		left, ok := cmd.X.Cmd.(*syntax.BinaryCmd)
		if !ok || left.Op != syntax.Pipe || len(cmd.X.Redirs) > 0 || cmd.X.Negated {
			parts = append([]*syntax.Stmt{cmd.X}, parts...)
			break
		}
		cmd = left
	}
	var pids []int
	input := -1
	for i, part := range parts {
		read, write := -1, -1
		if i < len(parts)-1 {
			var err error
			if read, write, err = s.p.Pipe(); err != nil {
				s.errorf("Pipe call failed: %s", kernel.Reason(err))
				s.status = 2
				break
			}
		}
		from := input // the shell goes on while the child begins
		pids = append(pids, s.fork(func(c *shell) {
			c.move(from, 0)
			if read >= 0 {
				_ = c.p.Close(read)
			}
			c.move(write, 1)
			c.subshell([]*syntax.Stmt{part})
		}))
		s.shut(input)
		s.shut(write)
		input = read
	}
	s.shut(input)
	complete := len(pids) == len(parts)
	worst := 0
	for i, pid := range pids {
		status := s.await(pid, i < len(pids)-1)
		if status != 0 {
			worst = status
		}
		if complete {
			s.status = status
		}
	}
	if complete && s.opts.pipefail {
		s.status = worst
	}
}

// move makes the descriptor to what from is, which it closes; -1 is none.
func (s *shell) move(from, to int) {
	if from < 0 || from == to {
		return
	}
	_ = s.p.Dup2(from, to) // from is open
	_ = s.p.Close(from)
}

func (s *shell) shut(fd int) {
	if fd >= 0 {
		_ = s.p.Close(fd)
	}
}

func (s *shell) ifClause(cmd *syntax.IfClause) flow {
	for cmd != nil {
		if len(cmd.Cond) == 0 { // else
			return s.stmts(cmd.Then)
		}
		if f := s.condition(cmd.Cond); f.kind != proceed {
			return f
		}
		if s.status == 0 {
			return s.stmts(cmd.Then)
		}
		cmd = cmd.Else
	}
	s.status = 0
	return flow{}
}

// loop runs body for as long as next returns true.
func (s *shell) loop(next func() bool, body []*syntax.Stmt) flow {
	s.loops++
	tail := s.tail
	s.tail = false
	defer func() { s.loops--; s.tail = tail }()
	status := 0
	for {
		if !next() {
			s.status = status
			return flow{}
		}
		f := s.stmts(body)
		status = s.status
		switch {
		case f.kind == returning:
			return f
		case f.kind == proceed:
		case f.levels > 1:
			f.levels--
			return f
		case f.kind == breaking:
			return flow{}
		}
		s.p.Check()
	}
}

func (s *shell) forClause(cmd *syntax.ForClause) flow {
	iter, ok := cmd.Loop.(*syntax.WordIter)
	if !ok {
		s.errorf("Syntax error: Bad for loop variable")
		s.status = 2
		return flow{}
	}
	items := s.args
	if iter.InPos.IsValid() {
		items = s.fields(iter.Items)
	}
	i := 0
	s.status = 0
	return s.loop(func() bool {
		if i >= len(items) {
			return false
		}
		s.set(iter.Name.Value, items[i])
		i++
		return true
	}, cmd.Do)
}

func (s *shell) caseClause(cmd *syntax.CaseClause) flow {
	word := s.literal(cmd.Word)
	s.status = 0
	for _, item := range cmd.Items {
		for _, p := range item.Patterns {
			if match(s.pattern(p), word) {
				return s.stmts(item.Stmts)
			}
		}
	}
	return flow{}
}

// match reports whether a shell pattern matches all of text.
func match(pat, text string) bool {
	expr, err := pattern.Regexp(pat, pattern.EntireString)
	if err != nil {
		return pat == text
	}
	re, err := regexp.Compile(expr)
	return err == nil && re.MatchString(text)
}
