package tools

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// od dumps bytes: octal by default, or as -t says.
func od(t *tool) {
	format := t.value('t', "o2")
	for flag, f := range map[string]string{"x": "x2", "c": "c", "b": "o1", "d": "u2", "o": "o2"} {
		if t.has(flag) {
			format = f
		}
	}
	radix := t.value('A', "o")
	limit := int64(1 << 62)
	if v := t.value('N', ""); v != "" {
		var ok bool
		if limit, ok = parseSize(v); !ok {
			t.errorf("invalid -N argument %s", quote(v))
			return
		}
	}
	var all []byte
	t.inputs(func(_ string, r io.Reader) { all = append(all, t.readAll(io.LimitReader(r, limit-int64(len(all))))...) })
	if v := t.value('j', ""); v != "" {
		skip, _ := parseSize(v)
		all = all[min(skip, int64(len(all))):]
	}
	const row = 16
	address := func(n int) string {
		switch radix {
		case "n":
			return ""
		case "x":
			return fmt.Sprintf("%06x", n)
		case "d":
			return fmt.Sprintf("%07d", n)
		default:
			return fmt.Sprintf("%07o", n)
		}
	}
	starred := false
	for at := 0; at < len(all); at += row {
		part := all[at:min(at+row, len(all))]
		if at > 0 && len(part) == row && bytes.Equal(part, all[at-row:at]) && !t.has("v") {
			if !starred {
				t.println("*")
			}
			starred = true
			continue
		}
		starred = false
		t.println(address(at) + odRow(part, format))
	}
	if radix != "n" {
		t.println(address(len(all)))
	}
}

func odRow(part []byte, format string) string {
	var b strings.Builder
	if format == "c" || format == "a" {
		for _, c := range part {
			fmt.Fprintf(&b, "%4s", odChar(c))
		}
		return b.String()
	}
	size := 1
	if n, err := strconv.Atoi(format[1:]); err == nil {
		size = n
	} else if len(format) == 1 {
		size = 4
	}
	for i := 0; i < len(part); i += size {
		var n uint64
		for k := size - 1; k >= 0; k-- {
			n <<= 8
			if i+k < len(part) {
				n |= uint64(part[i+k])
			}
		}
		switch format[0] {
		case 'x':
			fmt.Fprintf(&b, " %0*x", 2*size, n)
		case 'u':
			fmt.Fprintf(&b, " %*d", []int{0, 3, 5, 0, 10, 0, 0, 0, 20}[min(size, 8)], n)
		case 'd':
			shift := 64 - 8*size
			fmt.Fprintf(&b, " %*d", []int{0, 4, 6, 0, 11, 0, 0, 0, 20}[min(size, 8)], int64(n<<shift)>>shift)
		default:
			fmt.Fprintf(&b, " %0*o", []int{0, 3, 6, 0, 11, 0, 0, 0, 22}[min(size, 8)], n)
		}
	}
	return b.String()
}

func odChar(c byte) string {
	if at := strings.IndexByte("\x00\a\b\t\n\v\f\r", c); at >= 0 {
		return `\` + string("0abtnvfr"[at])
	}
	if c < 32 || c > 126 {
		return fmt.Sprintf("%03o", c)
	}
	return string(c)
}

// compareTool is cmp.
func compareTool(t *tool) {
	if len(t.args) < 2 {
		t.usage("missing operand after %s", quoteName(t.name))
		return
	}
	var data [2][]byte
	for i, name := range t.args[:2] {
		fd, ok := t.open(name)
		if !ok {
			t.status = 2
			return
		}
		data[i] = t.readAll(t.reporting(name, fd))
		t.shut(fd)
	}
	a, b := data[0], data[1]
	line := 1
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			t.status = 1
			if t.has("l") {
				t.printf("%d %3o %3o\n", i+1, a[i], b[i])
				continue
			}
			if !t.has("s") {
				t.printf("%s %s differ: byte %d, line %d\n", t.args[0], t.args[1], i+1, line)
			}
			return
		}
		if a[i] == '\n' {
			line++
		}
	}
	if len(a) != len(b) {
		shorter, n := t.args[0], len(a)
		if len(b) < len(a) {
			shorter, n = t.args[1], len(b)
		}
		t.status = 1
		if !t.has("s") {
			t.flush()
			where := fmt.Sprintf("after byte %d, line %d", n, max(line-1, 1))
			if n == 0 {
				where = "which is empty"
			}
			t.warn(fmt.Sprintf("cmp: EOF on %s %s\n", shorter, where))
		}
	}
}
