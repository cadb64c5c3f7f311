package tools

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/caisson-dev/caisson/drivers/fake/internal/kernel"
)

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
