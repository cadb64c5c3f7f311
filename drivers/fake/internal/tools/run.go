package tools

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/caisson-dev/caisson/drivers/fake/internal/kernel"
)

// load finds a program as execvp(3) does.
func (t *tool) load(argv []string) (*kernel.Image, error) {
	search, ok := t.Getenv("PATH")
	if !ok {
		search = kernel.DefaultPath
	}
	file, err := t.Lookup(argv[0], search)
	if err != nil {
		return nil, err
	}
	return t.LoadFile(file, argv)
}

// notFound is the status of a program that cannot be run.
func notFound(err error) int {
	if errors.Is(err, kernel.ENOENT) {
		return 127
	}
	return 126
}

// run runs a program as a child and returns its status. In prepares the child.
func (t *tool) run(argv []string, in func(*kernel.Process)) int {
	image, err := t.load(argv)
	if err != nil {
		t.errorf("%s: %s", argv[0], kernel.Reason(err))
		return notFound(err)
	}
	child, err := t.Fork(func(p *kernel.Process) int {
		if in != nil {
			in(p)
		}
		p.Exec(image, p.Env)
		return 0
	})
	if err != nil {
		t.errorf("cannot fork: %s", kernel.Reason(err))
		return 126
	}
	_, status, err := t.Wait(child.PID, false)
	if err != nil {
		return 127
	}
	return status.Shell()
}

// become runs a program in place of the command. It returns if that cannot be.
func (t *tool) become(argv []string, failure string) {
	image, err := t.load(argv)
	if err != nil {
		t.warn(fmt.Sprintf("%s: %s: %s\n", t.name, failure, kernel.Reason(err)))
		t.status = notFound(err)
		return
	}
	t.flush()
	t.Exec(image, t.Env)
}

// xargs builds commands from its input.
func xargs(t *tool) {
	argv := t.args
	if len(argv) == 0 {
		argv = []string{"echo"}
	}
	items, ok := t.items()
	if !ok {
		return
	}
	if place := t.value('I', ""); place != "" {
		for _, item := range items {
			command := make([]string, len(argv))
			for i, arg := range argv {
				command[i] = strings.ReplaceAll(arg, place, item)
			}
			if !t.xargsRun(command) {
				return
			}
		}
		return
	}
	size := maxBatch
	for _, flag := range "nL" {
		if v := t.value(flag, ""); v != "" {
			n, err := strconv.Atoi(v)
			if err != nil || n < 1 {
				t.errorf("value %s for -%c option should be >= 1", v, flag)
				return
			}
			size = n
		}
	}
	if len(items) == 0 && !t.has("r") {
		t.xargsRun(argv)
		return
	}
	for len(items) > 0 {
		n := min(size, len(items))
		if !t.xargsRun(append(append([]string(nil), argv...), items[:n]...)) {
			return
		}
		items = items[n:]
	}
}

// items returns the words of the input, or its lines with -I, or what ends with NUL with -0.
func (t *tool) items() (items []string, ok bool) {
	in := readerFunc(func(b []byte) (int, error) { return t.Read(0, b) })
	if name := t.value('a', ""); name != "" {
		fd, ok := t.open(name)
		if !ok {
			return nil, false
		}
		in = func(b []byte) (int, error) { return t.Read(fd, b) }
	}
	all := t.readAll(in)
	split := func(sep string) {
		for part := range bytes.SplitSeq(bytes.TrimSuffix(all, []byte(sep)), []byte(sep)) {
			items = append(items, string(part))
		}
	}
	switch {
	case len(all) == 0:
		return nil, true
	case t.has("0"):
		split("\x00")
		return items, true
	case t.has("d"):
		sep, _ := unescape(t.value('d', ""), false)
		split(sep)
		return items, true
	case t.has("I"):
		for line := range strings.Lines(string(all)) {
			if line = strings.TrimLeft(strings.TrimSuffix(line, "\n"), " \t"); line != "" {
				items = append(items, line)
			}
		}
		return items, true
	}
	var word []byte
	var in1 bool
	var quoteChar byte
	for i := 0; i < len(all); i++ {
		c := all[i]
		switch {
		case quoteChar != 0 && c == quoteChar:
			quoteChar = 0
		case quoteChar != 0:
			if c == '\n' {
				t.errorf("unmatched %s quote; by default quotes are special to xargs unless you use the -0 option", map[byte]string{'"': "double", '\'': "single"}[quoteChar])
				return nil, false
			}
			word = append(word, c)
		case c == '"' || c == '\'':
			quoteChar, in1 = c, true
		case c == '\\' && i+1 < len(all):
			i++
			word, in1 = append(word, all[i]), true
		case c == ' ' || c == '\t' || c == '\n':
			if in1 {
				items = append(items, string(word))
			}
			word, in1 = nil, false
		default:
			word, in1 = append(word, c), true
		}
	}
	if in1 {
		items = append(items, string(word))
	}
	return items, true
}

// xargsRun runs one command and reports whether to go on.
func (t *tool) xargsRun(argv []string) bool {
	if t.has("t") {
		t.warn(strings.Join(argv, " ") + "\n")
	}
	status := t.run(argv, func(p *kernel.Process) {
		if fd, err := p.Open("/dev/null", kernel.OpenFlags{Read: true}); err == nil {
			_ = p.Dup2(fd, 0) // both are open
			_ = p.Close(fd)
		}
	})
	switch {
	case status == 126 || status == 127:
		t.status = status
		return false
	case status == 255:
		t.errorf("%s: exited with status 255; aborting", argv[0])
		t.status = 124
		return false
	case status > 128:
		t.errorf("%s: terminated by signal %d", argv[0], status-128)
		t.status = 125
		return false
	case status != 0:
		t.status = 123
	}
	return true
}

// env shows or changes the environment of a program.
func env(t *tool) {
	if t.has("i") {
		t.Env = nil
	}
	for _, name := range t.values('u') {
		t.unset(name)
	}
	if dir := t.value('C', ""); dir != "" {
		if err := t.Chdir(dir); err != nil {
			t.errorf("cannot change directory to %s: %s", quoteName(dir), kernel.Reason(err))
			t.status = 125
			return
		}
	}
	args := t.args
	if s := t.value('S', ""); s != "" {
		args = append(strings.Fields(s), args...)
	}
	for len(args) > 0 && (strings.Contains(args[0], "=") || args[0] == "-") {
		if args[0] == "-" {
			t.Env = nil
		} else {
			name, _, _ := strings.Cut(args[0], "=")
			t.unset(name)
			t.Env = append(t.Env, args[0])
		}
		args = args[1:]
	}
	if len(args) == 0 {
		end := "\n"
		if t.has("0") {
			end = "\x00"
		}
		for _, kv := range t.Env {
			_, _ = t.out.WriteString(kv + end)
		}
		return
	}
	t.become(args, quote(args[0]))
}

func (t *tool) unset(name string) {
	var rest []string
	for _, kv := range t.Env {
		if !strings.HasPrefix(kv, name+"=") {
			rest = append(rest, kv)
		}
	}
	t.Env = rest
}

// printenv shows variables.
func printenv(t *tool) {
	if len(t.args) == 0 {
		for _, kv := range t.Env {
			t.println(kv)
		}
	}
	for _, name := range t.args {
		value, ok := t.Getenv(name)
		if !ok {
			t.status = 1
			continue
		}
		t.println(value)
	}
}

// nohup runs a program that a hangup does not end.
func nohup(t *tool) {
	if len(t.args) == 0 {
		t.missing()
		return
	}
	t.SetAction(kernel.SIGHUP, kernel.Ignore)
	t.become(t.args, "failed to run command "+quoteName(t.args[0]))
}

// setsid runs a program in a new session, as a child if need be.
func setsid(t *tool) {
	if len(t.args) == 0 {
		t.usage("no command specified")
		return
	}
	if t.Setsid() == nil && !t.has("f") {
		t.become(t.args, "failed to execute "+t.args[0])
		return
	}
	image, err := t.load(t.args)
	if err != nil {
		t.errorf("failed to execute %s: %s", t.args[0], kernel.Reason(err))
		t.status = notFound(err)
		return
	}
	child, err := t.Fork(func(p *kernel.Process) int {
		_ = p.Setsid() // a fresh process can
		p.Exec(image, p.Env)
		return 0
	})
	if err != nil {
		t.errorf("fork: %s", kernel.Reason(err))
		return
	}
	if t.has("w") {
		_, status, _ := t.Wait(child.PID, false) // it is there
		t.status = status.Shell()
	}
}

// nice runs a program with a priority that nothing here has.
func nice(t *tool) {
	if len(t.args) == 0 {
		t.println("0")
		return
	}
	t.become(t.args, quote(t.args[0]))
}

// tee copies its input to files and on.
func tee(t *tool) {
	type output struct {
		name string
		fd   int
	}
	outs := []output{{"standard output", 1}}
	for _, name := range t.args {
		if fd, ok := t.create(name, kernel.OpenFlags{Append: t.has("a"), Truncate: !t.has("a")}); ok {
			outs = append(outs, output{name, fd})
		}
	}
	in := t.reporting("-", 0)
	buf := make([]byte, outSize)
	for {
		n, err := in.Read(buf)
		for i, out := range outs {
			if out.fd < 0 || n == 0 {
				continue
			}
			if _, err := t.Write(out.fd, buf[:n]); err != nil {
				t.errorf("%s: %s", quoteName(out.name), kernel.Reason(err))
				outs[i].fd = -1
			}
		}
		if err == io.EOF { //nolint:errorlint // reporting does not wrap it
			return
		}
	}
}
