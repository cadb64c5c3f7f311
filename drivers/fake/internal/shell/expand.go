package shell

import (
	"errors"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"

	"github.com/caisson-dev/caisson/drivers/fake/internal/kernel"
)

// bind gives the shell an expander of its own.
func (s *shell) bind() {
	s.cfg = &expand.Config{Env: variables{s}, CmdSubst: s.substitute}
}

// prepare sets what the options say.
func (s *shell) prepare() *expand.Config {
	s.cfg.NoUnset = s.opts.nounset
	s.cfg.ReadDir2 = s.readDir
	if s.opts.noglob {
		s.cfg.ReadDir2 = nil
	}
	return s.cfg
}

// readDir is how patterns are matched with files.
func (s *shell) readDir(dir string) ([]fs.DirEntry, error) {
	infos, err := s.p.ReadDir(filepath.ToSlash(dir))
	if err != nil {
		return nil, err
	}
	entries := make([]fs.DirEntry, len(infos))
	for i := range infos {
		entries[i] = entry{&infos[i]}
	}
	return entries, nil
}

type entry struct{ info *kernel.FileInfo }

func (e entry) Name() string               { return path.Base(e.info.Path) }
func (e entry) IsDir() bool                { return e.info.IsDir() }
func (e entry) Type() fs.FileMode          { return e.info.Mode.Type() }
func (e entry) Info() (fs.FileInfo, error) { return nil, errors.ErrUnsupported }

// substitute runs $(...) in a subshell.
func (s *shell) substitute(w io.Writer, cs *syntax.CmdSubst) error {
	read, write, err := s.p.Pipe()
	if err != nil {
		return err
	}
	pid := s.fork(func(c *shell) {
		_ = c.p.Close(read)
		c.move(write, 1)
		c.subshell(cs.Stmts)
	})
	_ = s.p.Close(write)
	err = s.collect(w, read)
	_ = s.p.Close(read)
	if err != nil {
		return err
	}
	s.subst = s.await(pid, false)
	return nil
}

// collect copies a descriptor to memory of the process, which must have room for it.
func (s *shell) collect(w io.Writer, fd int) error {
	buf := make([]byte, 32<<10)
	var held int64
	defer func() { s.release(held) }()
	for {
		n, err := s.p.Read(fd, buf)
		s.p.Charge(int64(n))
		held += int64(n)
		_, _ = w.Write(buf[:n]) // it is memory
		if err == io.EOF {      //nolint:errorlint // Read does not wrap it
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (s *shell) release(n int64) {
	select {
	case <-s.p.Killed(): // then everything is given back at once
	default:
		s.p.Charge(-n)
	}
}

// failed reports an expansion that cannot be made, which ends a shell that nobody types into.
func (s *shell) failed(err error) {
	if err == nil {
		return
	}
	if e, ok := errors.AsType[expand.UnsetParameterError](err); ok {
		message := e.Message
		switch message {
		case "unbound variable":
			message = "parameter not set"
		case "":
			message = "parameter not set or null"
		}
		s.errorf("%s: %s", e.Node.Param.Value, message)
	} else {
		s.errorf("%s", kernel.Reason(err))
	}
	s.exit(2)
}

func (s *shell) fields(words []*syntax.Word) []string {
	list, err := expand.Fields(s.prepare(), words...)
	s.failed(err)
	if filepath.Separator != '/' { // patterns come back in the host's notation
		for i := range list {
			list[i] = filepath.ToSlash(list[i])
		}
	}
	return list
}

func (s *shell) literal(word *syntax.Word) string {
	text, err := expand.Literal(s.prepare(), word)
	s.failed(err)
	return text
}

func (s *shell) pattern(word *syntax.Word) string {
	text, err := expand.Pattern(s.prepare(), word)
	s.failed(err)
	return text
}

// hereDocument returns the text of <<.
func (s *shell) hereDocument(rd *syntax.Redirect) string {
	if rd.Hdoc == nil {
		return ""
	}
	word := rd.Hdoc
	if rd.Op == syntax.DashHdoc {
		word = untab(word)
	}
	if quoted(rd.Word) {
		var b strings.Builder
		for _, part := range word.Parts {
			if lit, ok := part.(*syntax.Lit); ok {
				b.WriteString(lit.Value)
			}
		}
		return b.String()
	}
	text, err := expand.Document(s.prepare(), word)
	s.failed(err)
	return text
}

// untab returns a copy without the tabs that begin a line.
func untab(word *syntax.Word) *syntax.Word {
	c := *word
	c.Parts = nil
	begin := true
	for _, part := range word.Parts {
		lit, ok := part.(*syntax.Lit)
		if !ok {
			begin = false
			c.Parts = append(c.Parts, part)
			continue
		}
		var b strings.Builder
		for line := range strings.Lines(lit.Value) {
			if begin {
				line = strings.TrimLeft(line, "\t")
			}
			b.WriteString(line)
			begin = strings.HasSuffix(line, "\n")
		}
		stripped := *lit
		stripped.Value = b.String()
		c.Parts = append(c.Parts, &stripped)
	}
	return &c
}

// quoted reports whether the word that ends a here-document makes it literal.
func quoted(word *syntax.Word) bool {
	for _, part := range word.Parts {
		switch part := part.(type) {
		case *syntax.Lit:
			if strings.Contains(part.Value, `\`) {
				return true
			}
		case *syntax.SglQuoted, *syntax.DblQuoted:
			return true
		}
	}
	return false
}

// variables are the shell's parameters as the expander sees them.
type variables struct{ s *shell }

var _ expand.WriteEnviron = variables{}

func text(v string) expand.Variable {
	return expand.Variable{Set: true, Kind: expand.String, Str: v}
}

// Get returns a parameter by its name.
func (v variables) Get(name string) expand.Variable {
	s := v.s
	switch name {
	case "?":
		return text(strconv.Itoa(s.status))
	case "#":
		return text(strconv.Itoa(len(s.args)))
	case "@", "*":
		return expand.Variable{Set: true, Kind: expand.Indexed, List: s.args}
	case "$":
		return text(strconv.Itoa(s.pid))
	case "!":
		if s.last == 0 {
			return expand.Variable{}
		}
		return text(strconv.Itoa(s.last))
	case "-":
		return text(s.opts.flags())
	case "PPID":
		return text(strconv.Itoa(s.p.Parent()))
	case "0":
		return text(s.name)
	}
	if name != "" && name[0] >= '1' && name[0] <= '9' {
		if n, err := strconv.Atoi(name); err == nil && n <= len(s.args) {
			return text(s.args[n-1])
		}
		return expand.Variable{}
	}
	if user, ok := strings.CutPrefix(name, "HOME "); ok {
		return text(s.homeOf(user))
	}
	return s.vars[name]
}

// homeOf returns what ~user stands for: itself if there is no such user. It must not be left to the host.
func (s *shell) homeOf(user string) string {
	passwd, err := s.readFile("/etc/passwd")
	if err == nil {
		for line := range strings.Lines(passwd) {
			if f := strings.Split(strings.TrimSpace(line), ":"); len(f) >= 6 && f[0] == user {
				return f[5]
			}
		}
	}
	return "~" + user
}

// Set sets a variable.
func (v variables) Set(name string, vr expand.Variable) error {
	if v.s.vars[name].ReadOnly {
		return errors.New(name + ": is read only")
	}
	vr.Exported = vr.Exported || v.s.vars[name].Exported || v.s.opts.allexport
	v.s.store(name, vr)
	return nil
}

// Each calls f with every variable.
func (v variables) Each(f func(string, expand.Variable) bool) {
	for name, vr := range v.s.vars {
		if !f(name, vr) {
			return
		}
	}
}

// store replaces a variable, whose memory must be there.
func (s *shell) store(name string, vr expand.Variable) {
	s.p.Charge(int64(len(vr.Str) - len(s.vars[name].Str)))
	s.vars[name] = vr
}

// set assigns a value; a variable that is read-only ends the shell.
func (s *shell) set(name, value string) {
	if err := (variables{s}).Set(name, text(value)); err != nil {
		s.errorf("%v", err)
		s.exit(2)
	}
}

func (s *shell) get(name string) string { return s.vars[name].Str }

// environ returns what programs get.
func (s *shell) environ() []string {
	var env []string
	for name, vr := range s.vars {
		if vr.Exported && vr.Set {
			env = append(env, name+"="+vr.Str)
		}
	}
	return env
}
