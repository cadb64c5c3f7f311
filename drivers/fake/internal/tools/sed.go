package tools

import (
	"bytes"
	"regexp"
	"strings"

	"github.com/caisson-dev/caisson/drivers/fake/internal/kernel"
)

// sedCommand is one command of a script.
type sedCommand struct {
	from, to *sedAddress
	not      bool
	name     byte
	text     string // of a, i, c, y, labels and file names
	re       *regexp.Regexp
	replace  string
	global   bool
	print    bool
	nth      int
	target   int // where b, t and T lead, and "{" if it does not apply
	active   bool
	until    int // line at which an active range ends
}

// sedAddress selects lines.
type sedAddress struct {
	line  int // 0 if it is not by number
	last  bool
	step  int
	plus  int
	match *regexp.Regexp
}

// sedRun is the state of an editor at work.
type sedRun struct {
	*tool
	script   []sedCommand
	pattern  []byte
	hold     []byte
	number   int
	next     func() ([]byte, bool) // the next line without its end
	more     func() bool
	appended []string
	swapped  bool // the last substitution since a new line was read replaced something
	quit     bool
	ended    bool // the present line had an end
}

// sed edits streams.
func sed(t *tool) {
	var script string
	if t.has("ef") {
		var parts []string
		for _, o := range t.options {
			switch o.flag {
			case 'e':
				parts = append(parts, o.value)
			case 'f':
				fd, ok := t.open(o.value)
				if !ok {
					return
				}
				parts = append(parts, strings.TrimSuffix(string(t.readAll(t.reporting(o.value, fd))), "\n"))
				t.shut(fd)
			}
		}
		script = strings.Join(parts, "\n")
	} else {
		if len(t.args) == 0 {
			t.warn("Usage: sed [OPTION]... {script-only-if-no-other-script} [input-file]...\n")
			t.status = 1
			return
		}
		script, t.args = t.args[0], t.args[1:]
	}
	p := sedParser{text: script, extended: t.has("rE")}
	list, err := p.parse()
	if err != nil {
		t.errorf("-e expression #1, char %d: %s", p.pos, err)
		return
	}
	if t.has("i") {
		t.editInPlace(list)
		return
	}
	names := t.args
	if len(names) == 0 {
		names = []string{"-"}
	}
	t.edit(list, names)
}

// editInPlace edits each file by itself.
func (t *tool) editInPlace(list []sedCommand) {
	for _, name := range t.args {
		info, err := t.Stat(name)
		if err != nil {
			t.errorf("can't read %s: %s", name, kernel.Reason(err))
			t.status = 4
			continue
		}
		temp := name + ".sed-tmp"
		fd, ok := t.create(temp, kernel.OpenFlags{Truncate: true, Mode: 0o600})
		if !ok {
			t.status = 4
			return
		}
		t.out.Reset(writer{t.Process, fd})
		for i := range list {
			list[i].active = false
		}
		t.edit(list, []string{name})
		t.flush()
		t.shut(fd)
		t.out.Reset(writer{t.Process, 1})
		if suffix := t.value('i', ""); suffix != "" {
			_ = t.Rename(name, name+suffix) // or the file keeps its place
		}
		_ = t.Chmod(temp, info.Mode)
		if err := t.Rename(temp, name); err != nil {
			t.errorf("cannot rename %s: %s", temp, kernel.Reason(err))
			t.status = 4
		}
	}
}

// edit runs a script over the lines of files, as one stream.
func (t *tool) edit(list []sedCommand, names []string) {
	pull := t.puller(names)
	line, there := pull()
	run := &sedRun{tool: t, script: list, ended: true}
	run.next = func() ([]byte, bool) {
		now, ok := line, there
		if ok {
			line, there = pull()
		}
		return now, ok
	}
	run.more = func() bool { return there }
	for !run.quit {
		if !run.read() {
			return
		}
		run.cycle()
	}
}

// puller returns a function that returns the lines of files, one by one, with their ends.
func (t *tool) puller(names []string) func() ([]byte, bool) {
	var rest []byte
	return func() ([]byte, bool) {
		for len(rest) == 0 {
			if len(names) == 0 {
				return nil, false
			}
			name := names[0]
			names = names[1:]
			fd := 0
			if name != "-" {
				var err error
				if fd, err = t.Process.Open(name, kernel.OpenFlags{Read: true}); err != nil {
					t.errorf("can't read %s: %s", name, kernel.Reason(err))
					t.status = 2
					continue
				}
			}
			if info, err := t.Stat(name); name != "-" && err == nil && info.IsDir() {
				t.errorf("couldn't edit %s: not a regular file", name)
				t.status = 2
				continue
			}
			rest = t.readAll(t.reporting(name, fd))
			t.shut(fd)
		}
		at := bytes.IndexByte(rest, '\n') + 1
		if at == 0 {
			at = len(rest)
		}
		line := rest[:at]
		rest = rest[at:]
		return line, true
	}
}
