// Package shell is the sandbox's /bin/sh: it parses and expands with
// mvdan.cc/sh and runs the result as processes of the imitated kernel. It
// behaves like dash, Debian's /bin/sh, diagnostics included.
//
// The interpreter of mvdan.cc/sh is not used because it knows no processes: it
// makes its pipes and finds its programs on the host, and has neither signals nor pids.
package shell

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"

	"github.com/caisson-dev/caisson/drivers/fake/internal/kernel"
)

// shell is one shell process. A subshell is a process with a copy of it.
type shell struct {
	p       *kernel.Process
	pid     int    // $$, which subshells keep
	name    string // $0
	args    []string
	vars    map[string]expand.Variable
	frames  []frame // of the functions that run
	funcs   map[string]*syntax.Stmt
	aliases map[string][]*syntax.Word
	opts    options
	status  int // $?
	subst   int // status of the last command substitution
	last    int // $!
	jobs    []*job
	traps   map[kernel.Signal]string // 0 is the end of the shell
	line    uint
	tested  int  // inside of so many conditions, where a failure does not end the shell
	loops   int  // that run around this command, in this function
	depth   int  // of nested commands
	tail    bool // the command that runs is the last of this process
	ending  bool // the trap of the end has run or runs
	getopts int  // position in a cluster of options
	cfg     *expand.Config
}

// frame is the scope of a function: what its local variables hide.
type frame map[string]expand.Variable

// flow says what a command asks of those around it.
type flow struct {
	kind   flowKind
	levels int // of loops, to break or continue
}

type flowKind byte

const (
	proceed flowKind = iota
	breaking
	continuing
	returning
)

// Main is the program sh.
func Main(p *kernel.Process) int {
	s := &shell{
		p: p, pid: p.PID, name: p.Args[0], vars: make(map[string]expand.Variable),
		funcs: make(map[string]*syntax.Stmt), traps: make(map[kernel.Signal]string), line: 1,
	}
	s.bind()
	s.inherit()
	script, code := s.begin()
	if code != 0 {
		return code
	}
	s.runScript(script)
	s.exit(s.status)
	return 0
}

// inherit takes the variables of the environment.
func (s *shell) inherit() {
	for _, kv := range s.p.Env {
		if k, v, ok := strings.Cut(kv, "="); ok && syntax.ValidName(k) {
			s.vars[k] = expand.Variable{Set: true, Exported: true, Kind: expand.String, Str: v}
		}
	}
	set := func(k, v string) {
		s.vars[k] = expand.Variable{Set: true, Kind: expand.String, Str: v, Exported: s.vars[k].Exported}
	}
	set("IFS", " \t\n")
	set("OPTIND", "1")
	set("PWD", s.p.Dir)
	set("PS4", "+ ")
	if !s.vars["PATH"].Set {
		set("PATH", kernel.DefaultPath)
	}
}

// begin reads the arguments and returns the script to run.
func (s *shell) begin() (script string, code int) {
	args := s.p.Args[1:]
	var command, stdin bool
	for len(args) > 0 && len(args[0]) > 1 && (args[0][0] == '-' || args[0][0] == '+') {
		arg := args[0]
		args = args[1:]
		if arg == "--" {
			break
		}
		on := arg[0] == '-'
		for _, c := range arg[1:] {
			switch {
			case c == 'c':
				command = true
			case c == 's':
				stdin = true
			case c == 'i' || c == 'l':
			case c == 'o' && len(args) > 0:
				if !s.opts.setName(args[0], on) {
					s.errorf("Illegal option -o %s", args[0])
					return "", 2
				}
				args = args[1:]
			case !s.opts.setFlag(c, on):
				s.line = 0
				s.errorf("Illegal option -%c", c)
				return "", 2
			}
		}
	}
	switch {
	case command && len(args) == 0:
		s.line = 0
		s.errorf("-c requires an argument")
		return "", 2
	case command:
		script = args[0]
		if len(args) > 1 {
			s.name, s.args = args[1], args[2:]
		}
		return script, 0
	case stdin || len(args) == 0:
		s.args = args
		text, _ := s.readAll(0)
		return text, 0
	}
	s.name, s.args = args[0], args[1:]
	text, err := s.readFile(args[0])
	if err != nil {
		s.name, s.line = s.p.Args[0], 0
		s.errorf("cannot open %s: %s", args[0], openReason(err))
		return "", 2
	}
	return text, 0
}

const maxScript = 4 << 20 // bytes

// readAll reads a descriptor to its end.
func (s *shell) readAll(fd int) (string, error) {
	var b strings.Builder
	buf := make([]byte, 16<<10)
	for b.Len() < maxScript {
		n, err := s.p.Read(fd, buf)
		b.Write(buf[:n])
		if err == io.EOF { //nolint:errorlint // Read does not wrap it
			break
		}
		if err != nil {
			return b.String(), err
		}
	}
	return b.String(), nil
}

func (s *shell) readFile(name string) (string, error) {
	fd, err := s.p.Open(name, kernel.OpenFlags{Read: true})
	if err != nil {
		return "", err
	}
	text, err := s.readAll(fd)
	_ = s.p.Close(fd)
	return text, err
}

// runScript runs a whole text. A syntax error ends the shell, after what stands on the lines before it.
func (s *shell) runScript(text string) flow {
	list, err := parse(text, s.name)
	f := s.stmts(list)
	if err != nil && f.kind == proceed {
		s.syntaxError(err)
		s.exit(2)
	}
	return f
}

func (s *shell) syntaxError(err error) {
	line, text := whereAndWhat(err)
	if line > 0 {
		s.line = line
	}
	s.errorf("Syntax error: %s", text)
}

// whereAndWhat takes an error of the parser apart, which it does not wrap.
func whereAndWhat(err error) (line uint, text string) {
	switch e := err.(type) { //nolint:errorlint // see above
	case syntax.ParseError:
		return e.Pos.Line(), e.Text
	case syntax.LangError:
		return e.Pos.Line(), fmt.Sprintf("%s: not in a POSIX shell", e.Feature)
	default:
		return 0, err.Error()
	}
}

// parse returns the commands of a text. With an error come those that end on a line before it.
func parse(text, name string) ([]*syntax.Stmt, error) {
	if i := strings.IndexByte(text, 0); i >= 0 {
		text = strings.ReplaceAll(text, "\x00", "")
	}
	if n := openers(text); n > maxOpeners {
		return nil, fmt.Errorf("%d nested constructs are more than %d", n, maxOpeners)
	}
	parser := syntax.NewParser(syntax.Variant(syntax.LangPOSIX))
	file, err := parser.Parse(strings.NewReader(text), name)
	if err == nil {
		return file.Stmts, nil
	}
	line, _ := whereAndWhat(err)
	var list []*syntax.Stmt
	for stmt, stmtErr := range parser.StmtsSeq(strings.NewReader(text)) {
		if stmtErr == nil { // the iterator must not be left early
			list = append(list, stmt)
		}
	}
	for len(list) > 0 && list[len(list)-1].End().Line() >= line {
		list = list[:len(list)-1] // here-documents may be missing in these
	}
	return list, err
}

// maxOpeners bounds what a script can nest. The parser calls itself for each
// level, and a stack that overflows would end the program that the fake is part of.
const maxOpeners = 50_000

// openers counts what may begin a nested construct, wherever it stands.
func openers(text string) int {
	n := 0
	for _, o := range []string{"(", "{", "`", "!", "if", "while", "until", "for", "case"} {
		n += strings.Count(text, o)
	}
	return n
}

// fork starts a subshell that calls run and ends with the status that it
// leaves. A shell that cannot fork ends.
func (s *shell) fork(run func(*shell)) (pid int) {
	s.reap()
	c := s.clone()
	child, err := s.p.Fork(func(p *kernel.Process) int {
		c.p = p
		c.bind()
		run(c)
		c.exit(c.status)
		return 0
	})
	if err != nil {
		s.errorf("Cannot fork")
		s.exit(2)
	}
	return child.PID
}

// clone returns a copy for a subshell, which the caller gives its process.
func (s *shell) clone() *shell {
	c := *s
	c.vars, c.funcs, c.aliases = maps.Clone(s.vars), maps.Clone(s.funcs), maps.Clone(s.aliases)
	c.args, c.frames = slices.Clone(s.args), slices.Clone(s.frames)
	c.jobs, c.ending, c.tail = nil, false, false
	c.traps = make(map[kernel.Signal]string)
	for sig, action := range s.traps {
		if action == "" && sig != 0 {
			c.traps[sig] = "" // what is ignored stays so
		}
	}
	return &c
}

// await waits for a child of the foreground and returns its status.
func (s *shell) await(pid int, silent bool) int {
	_, status, err := s.p.Wait(pid, false)
	if err != nil {
		return 127
	}
	if !silent {
		s.tell(status)
	}
	return status.Shell()
}

// tell says that a signal has ended a child, unless that is how commands usually end.
func (s *shell) tell(status kernel.Status) {
	if sig := status.Signal; sig != 0 && sig != kernel.SIGPIPE && sig != kernel.SIGINT {
		s.warn(sig.Describe() + "\n")
	}
}

// exit ends the shell, its trap first.
func (s *shell) exit(code int) {
	s.status = code
	if action := s.traps[0]; action != "" && !s.ending {
		s.ending = true
		s.runTrap(action)
	}
	s.p.Exit(s.status)
}

// errorf prints a diagnostic with the shell's name and line.
func (s *shell) errorf(format string, args ...any) {
	s.warn(fmt.Sprintf("%s: %d: %s\n", s.name, s.line, fmt.Sprintf(format, args...)))
}

func (s *shell) warn(text string) { _, _ = s.p.Write(2, []byte(text)) } // nobody could be told

// print writes to the standard output and returns the status of a builtin.
func (s *shell) print(text string) int {
	if text == "" {
		return 0
	}
	if _, err := s.p.Write(1, []byte(text)); err != nil {
		s.errorf("write error: %s", kernel.Reason(err))
		return 1
	}
	return 0
}
