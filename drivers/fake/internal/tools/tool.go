// Package tools is the everyday commands of a sandbox, as Debian has them:
// their options as far as scripts commonly use them, their output and their
// diagnostics.
package tools

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/caisson-dev/caisson/drivers/fake/internal/kernel"
)

// tool is one run of a command.
type tool struct {
	*kernel.Process
	name    string
	label   string   // that begins diagnostics
	args    []string // operands; all arguments of a command that parses its own
	options []option
	out     *bufio.Writer
	status  int
}

type option struct {
	flag  rune
	value string
}

// An entry is a command.
type entry struct {
	run func(*tool)
	// flags are its options as for getopt(3). A '+' before them means that
	// options end at the first operand; "raw" that the command parses its own.
	// One ':' after a letter is for a value, two for a value that may be left out.
	flags string
	// long gives letters to long options: "all=a lines=n".
	long string
}

// Lookup returns the command of a name, or nil.
func Lookup(name string) kernel.Program {
	e, ok := table[name]
	if !ok {
		return nil
	}
	return func(p *kernel.Process) int { return e.main(p, name, name) }
}

// Builtin runs the command that p.Args names in the process of a shell, with
// diagnostics that begin with label.
func Builtin(p *kernel.Process, label string) int {
	name := p.Args[0]
	return table[name].main(p, name, label)
}

// Names returns the names of all commands.
func Names() []string {
	names := make([]string, 0, len(table))
	for name := range table {
		names = append(names, name)
	}
	return names
}

const outSize = 32 << 10 // bytes of output that are kept until they are written

func (e entry) main(p *kernel.Process, name, label string) int {
	t := &tool{Process: p, name: name, label: label, args: p.Args[1:]}
	t.out = bufio.NewWriterSize(writer{p, 1}, outSize)
	if e.flags != "raw" && !t.parse(e) {
		return t.status
	}
	e.run(t)
	t.flush()
	return t.status
}

// flush writes what is buffered.
func (t *tool) flush() {
	if err := t.out.Flush(); err != nil {
		t.writeFailed(err)
	}
}

// parse takes the options from the arguments, wherever they stand.
func (t *tool) parse(e entry) bool {
	flags, early := strings.CutPrefix(e.flags, "+")
	var operands []string
	args := t.args
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		switch {
		case arg == "--":
			t.args = append(operands, args...)
			return true
		case strings.HasPrefix(arg, "--"):
			name, value, given := strings.Cut(arg[2:], "=")
			flag, ok := longFlag(e.long, name)
			if !ok {
				return t.usage("unrecognized option '--%s'", name)
			}
			if takesValue(flags, flag) && !given && !mayTakeValue(flags, flag) {
				if len(args) == 0 {
					return t.usage("option '--%s' requires an argument", name)
				}
				value, args = args[0], args[1:]
			}
			t.options = append(t.options, option{flag, value})
		case len(arg) > 1 && arg[0] == '-':
			var ok bool
			if args, ok = t.cluster(flags, arg[1:], args); !ok {
				return false
			}
		case early:
			t.args = append([]string{arg}, args...)
			return true
		default:
			operands = append(operands, arg)
		}
	}
	t.args = operands
	return true
}

// cluster takes options such as "la" or "n5".
func (t *tool) cluster(flags, cluster string, args []string) ([]string, bool) {
	for i, flag := range cluster {
		if flag == ':' || !strings.ContainsRune(flags, flag) {
			return args, t.usage("invalid option -- '%c'", flag)
		}
		if !takesValue(flags, flag) {
			t.options = append(t.options, option{flag: flag})
			continue
		}
		value := cluster[i+len(string(flag)):]
		if value == "" && !mayTakeValue(flags, flag) {
			if len(args) == 0 {
				return args, t.usage("option requires an argument -- '%c'", flag)
			}
			value, args = args[0], args[1:]
		}
		t.options = append(t.options, option{flag, value})
		break
	}
	return args, true
}

func longFlag(long, name string) (rune, bool) {
	for pair := range strings.FieldsSeq(long) {
		if full, flag, _ := strings.Cut(pair, "="); full == name {
			for _, r := range flag {
				return r, true
			}
		}
	}
	return 0, false
}

func takesValue(flags string, flag rune) bool {
	at := strings.IndexRune(flags, flag)
	return at >= 0 && strings.HasPrefix(flags[at+len(string(flag)):], ":")
}

// mayTakeValue reports whether an option has its value in the same argument, if it has one.
func mayTakeValue(flags string, flag rune) bool {
	at := strings.IndexRune(flags, flag)
	return at >= 0 && strings.HasPrefix(flags[at+len(string(flag)):], "::")
}

// has reports whether an option was given.
func (t *tool) has(flags string) bool {
	for _, o := range t.options {
		if strings.ContainsRune(flags, o.flag) {
			return true
		}
	}
	return false
}

// value returns the last value of an option, or def.
func (t *tool) value(flag rune, def string) string {
	for _, o := range t.options {
		if o.flag == flag {
			def = o.value
		}
	}
	return def
}

// values returns every value of an option.
func (t *tool) values(flag rune) (list []string) {
	for _, o := range t.options {
		if o.flag == flag {
			list = append(list, o.value)
		}
	}
	return list
}

// errorf prints a diagnostic and makes the status at least 1.
func (t *tool) errorf(format string, args ...any) {
	t.warn(fmt.Sprintf("%s: %s\n", t.label, fmt.Sprintf(format, args...)))
	t.status = max(t.status, 1)
}

func (t *tool) warn(text string) { _, _ = t.Write(2, []byte(text)) } // nobody could be told

// usageStatus is the status of wrong usage where it is not 1.
var usageStatus = map[string]int{
	"ls": 2, "sort": 2, "grep": 2, "test": 2, "[": 2, "expr": 2, "diff": 2, "cmp": 2,
	"env": 125, "timeout": 125, "nohup": 125, "printenv": 2, "pgrep": 2,
}

// usage prints what is wrong with the arguments. It returns false.
func (t *tool) usage(format string, args ...any) bool {
	t.errorf(format, args...)
	t.warn(fmt.Sprintf("Try '%s --help' for more information.\n", t.name))
	t.status = max(1, usageStatus[t.name])
	return false
}

// missing reports an operand that is not there.
func (t *tool) missing() { t.usage("missing operand") }

// number reads a number that an option or operand must be.
func (t *tool) number(text, what string) (int64, bool) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.errorf("invalid %s: %s", what, quote(text))
		return 0, false
	}
	return n, true
}

// quote returns a text as most diagnostics show it.
func quote(text string) string { return "‘" + text + "’" }

// quoteName returns the name of a file as some diagnostics show it.
func quoteName(name string) string {
	if strings.Contains(name, "'") {
		return `"` + name + `"`
	}
	return "'" + name + "'"
}

// printf prints to the standard output.
func (t *tool) printf(format string, args ...any) { fmt.Fprintf(t.out, format, args...) }

// println prints a line to the standard output.
func (t *tool) println(line string) { _, _ = t.out.WriteString(line + "\n") } // flush tells

// reader reads a descriptor.
type reader struct {
	p  *kernel.Process
	fd int
}

func (r reader) Read(b []byte) (int, error) { return r.p.Read(r.fd, b) }

// writer writes to a descriptor.
type writer struct {
	p  *kernel.Process
	fd int
}

func (w writer) Write(b []byte) (int, error) { return w.p.Write(w.fd, b) }

// open opens a file to read; "-" is the standard input. It reports what fails.
func (t *tool) open(name string) (fd int, ok bool) {
	if name == "-" {
		return 0, true
	}
	fd, err := t.Process.Open(name, kernel.OpenFlags{Read: true})
	if err != nil {
		t.errorf("%s: %s", name, kernel.Reason(err))
		return -1, false
	}
	return fd, true
}

func (t *tool) shut(fd int) {
	if fd > 2 {
		_ = t.Close(fd)
	}
}

// create opens a file to write and reports what fails.
func (t *tool) create(name string, flags kernel.OpenFlags) (fd int, ok bool) {
	flags.Write, flags.Create = true, true
	if flags.Mode == 0 {
		flags.Mode = 0o666
	}
	fd, err := t.Process.Open(name, flags)
	if err != nil {
		t.errorf("%s: %s", name, kernel.Reason(err))
		return -1, false
	}
	return fd, true
}

// inputs calls f with each operand, or with the standard input if there is none.
func (t *tool) inputs(f func(name string, r io.Reader)) {
	names := t.args
	if len(names) == 0 {
		names = []string{"-"}
	}
	for _, name := range names {
		fd, ok := t.open(name)
		if !ok {
			continue
		}
		f(name, t.reporting(name, fd))
		t.shut(fd)
	}
}

// reporting reads a descriptor and reports an error, which then is the end.
func (t *tool) reporting(name string, fd int) io.Reader {
	return readerFunc(func(b []byte) (int, error) {
		n, err := t.Read(fd, b)
		if err != nil && err != io.EOF { //nolint:errorlint // Read does not wrap it
			t.errorf("%s: %s", name, kernel.Reason(err))
			err = io.EOF
		}
		return n, err
	})
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

// lines calls f with each line, its end included, until it returns false. The line is f's only until it returns.
func (t *tool) lines(r io.Reader, f func(line []byte) bool) {
	t.records(r, '\n', f)
}

func (t *tool) records(r io.Reader, end byte, f func([]byte) bool) {
	buf := bufio.NewReaderSize(r, outSize)
	var long []byte
	for {
		part, err := buf.ReadSlice(end)
		if errors.Is(err, bufio.ErrBufferFull) {
			t.Charge(int64(len(part)))
			long = append(long, part...)
			continue
		}
		line := part
		if long != nil {
			line = append(long, part...)
		}
		if len(line) > 0 && !f(line) {
			return
		}
		if long != nil {
			t.Charge(-int64(len(long)))
			long = nil
		}
		if err != nil {
			return
		}
		t.Check()
	}
}

// readAll reads everything, for which there must be memory until the command ends.
func (t *tool) readAll(r io.Reader) []byte {
	var all []byte
	buf := make([]byte, outSize)
	for {
		n, err := r.Read(buf)
		t.Charge(int64(n))
		all = append(all, buf[:n]...)
		if err != nil {
			return all
		}
	}
}

// chomp returns a line without its end, and whether it had one.
func chomp(line []byte) ([]byte, bool) {
	if n := len(line); n > 0 && line[n-1] == '\n' {
		return line[:n-1], true
	}
	return line, false
}

// writeFailed reports that the standard output takes no more.
func (t *tool) writeFailed(err error) {
	t.out.Reset(io.Discard)
	t.errorf("write error: %s", kernel.Reason(err))
}
