package tools

import (
	"io"
	"strconv"
	"strings"

	"github.com/caisson-dev/caisson/drivers/fake/internal/kernel"
)

// uniq drops or counts lines that repeat the one before.
func uniq(t *tool) {
	if len(t.args) > 1 {
		fd, ok := t.create(t.args[1], kernel.OpenFlags{Truncate: true})
		if !ok {
			return
		}
		defer t.shut(fd)
		defer t.flush()
		t.out.Reset(writer{t.Process, fd})
		t.args = t.args[:1]
	}
	skipFields, _ := strconv.Atoi(t.value('f', "0"))
	skipChars, _ := strconv.Atoi(t.value('s', "0"))
	width, err := strconv.Atoi(t.value('w', "-1"))
	if err != nil {
		t.errorf("%s: invalid number of bytes to compare", t.value('w', ""))
		return
	}
	key := func(line string) string {
		for range skipFields {
			line = strings.TrimLeft(line, " \t")
			line = line[max(strings.IndexAny(line+" ", " \t"), 0):]
		}
		line = line[min(skipChars, len(line)):]
		if width >= 0 {
			line = line[:min(width, len(line))]
		}
		if t.has("i") {
			line = strings.ToLower(line)
		}
		return line
	}
	var group []string
	show := func() {
		n := len(group)
		switch {
		case n == 0 || t.has("d") && n == 1 || t.has("u") && n > 1:
		case t.has("D"):
			if n > 1 {
				t.println(strings.Join(group, "\n"))
			}
		case t.has("c"):
			t.printf("%7d %s\n", n, group[0])
		default:
			t.println(group[0])
		}
	}
	t.inputs(func(_ string, r io.Reader) {
		t.lines(r, func(line []byte) bool {
			text, _ := chomp(line)
			if len(group) > 0 && key(group[0]) != key(string(text)) {
				show()
				group = nil
			}
			if len(group) > 0 && !t.has("D") {
				group = append(group, group[0]) // only their number counts
			} else {
				group = append(group, string(text))
			}
			return true
		})
	})
	show()
}

// comm compares two sorted files line by line.
func comm(t *tool) {
	if len(t.args) < 2 {
		if len(t.args) == 1 {
			t.usage("missing operand after %s", quote(t.args[0]))
			return
		}
		t.missing()
		return
	}
	var texts [2][]string
	for i, name := range t.args[:2] {
		fd, ok := t.open(name)
		if !ok {
			return
		}
		t.lines(t.reporting(name, fd), func(line []byte) bool {
			text, _ := chomp(line)
			texts[i] = append(texts[i], string(text))
			return true
		})
		t.shut(fd)
	}
	a, b := texts[0], texts[1]
	show := func(column int, text string) {
		if t.has(strconv.Itoa(column)) {
			return
		}
		indent := 0
		for before := 1; before < column; before++ {
			if !t.has(strconv.Itoa(before)) {
				indent++
			}
		}
		t.println(strings.Repeat("\t", indent) + text)
	}
	for len(a) > 0 || len(b) > 0 {
		switch {
		case len(b) == 0 || len(a) > 0 && a[0] < b[0]:
			show(1, a[0])
			a = a[1:]
		case len(a) == 0 || a[0] > b[0]:
			show(2, b[0])
			b = b[1:]
		default:
			show(3, a[0])
			a, b = a[1:], b[1:]
		}
	}
}
