package tools

import (
	"bytes"
	"io"
	"strconv"
	"strings"
)

// tr translates, deletes and squeezes bytes.
func tr(t *tool) {
	args := t.args
	del, squeeze := t.has("d"), t.has("s")
	switch {
	case len(args) == 0:
		t.missing()
		return
	case len(args) == 1 && !del && !squeeze || len(args) == 1 && del && squeeze:
		t.errorf("missing operand after %s", quote(args[0]))
		if del {
			t.warn("Two strings must be given when both deleting and squeezing repeats.\n")
		} else {
			t.warn("Two strings must be given when translating.\n")
		}
		t.warn("Try 'tr --help' for more information.\n")
		return
	case len(args) > 2 || len(args) == 2 && del && !squeeze:
		t.usage("extra operand %s", quote(args[len(args)-1]))
		return
	}
	first, ok := t.byteSet(args[0])
	if !ok {
		return
	}
	if t.has("cC") {
		first = complement(first)
	}
	var second []byte
	if len(args) == 2 {
		if second, ok = t.byteSet(args[1]); !ok {
			return
		}
		if len(second) == 0 && !del {
			t.errorf("when not truncating set1, string2 must be non-empty")
			return
		}
	}
	var to [256]byte
	var dropped, squeezed [256]bool
	for i := range to {
		to[i] = byte(i)
	}
	switch {
	case del:
		for _, c := range first {
			dropped[c] = true
		}
	case second != nil:
		for i, c := range first {
			if i >= len(second) && t.has("t") {
				break
			}
			to[c] = second[min(i, len(second)-1)]
		}
	}
	if squeeze {
		set := first
		if second != nil {
			set = second
		}
		for _, c := range set {
			squeezed[c] = true
		}
	}
	last := -1
	buf := make([]byte, outSize)
	in := t.reporting("standard input", 0)
	for {
		n, err := in.Read(buf)
		for _, c := range buf[:n] {
			if dropped[c] {
				continue
			}
			c = to[c]
			if squeezed[c] && int(c) == last {
				continue
			}
			last = int(c)
			_ = t.out.WriteByte(c)
		}
		if err != nil {
			return
		}
	}
}

func complement(set []byte) (rest []byte) {
	for c := range 256 {
		if bytes.IndexByte(set, byte(c)) < 0 {
			rest = append(rest, byte(c))
		}
	}
	return rest
}

// byteSet reads a set such as "a-z\n[:digit:]".
func (t *tool) byteSet(spec string) (set []byte, ok bool) {
	for i := 0; i < len(spec); {
		if rest := spec[i:]; strings.HasPrefix(rest, "[:") {
			if end := strings.Index(rest, ":]"); end > 0 {
				class, known := byteClass(rest[2:end])
				if !known {
					t.errorf("invalid character class %s", quote(rest[2:end]))
					return nil, false
				}
				set = append(set, class...)
				i += end + 2
				continue
			}
		}
		if rest := spec[i:]; len(rest) >= 4 && rest[0] == '[' && rest[2] == '*' {
			if end := strings.IndexByte(rest, ']'); end > 0 {
				n, _ := strconv.Atoi(rest[3:end])
				set = append(set, bytes.Repeat([]byte{rest[1]}, max(n, 1))...)
				i += end + 1
				continue
			}
		}
		c, n := setByte(spec[i:])
		i += n
		if i+1 < len(spec) && spec[i] == '-' {
			end, n := setByte(spec[i+1:])
			if end < c {
				t.errorf("range-endpoints of '%s' are in reverse collating sequence order", spec[i-1:i+1+n])
				return nil, false
			}
			for x := int(c); x <= int(end); x++ {
				set = append(set, byte(x))
			}
			i += 1 + n
			continue
		}
		set = append(set, c)
	}
	return set, true
}

// setByte reads one byte of a set, which may be escaped, and returns how long it is.
func setByte(spec string) (c byte, n int) {
	if spec[0] != '\\' || len(spec) == 1 {
		return spec[0], 1
	}
	if isDigit(spec[1], 8) {
		n = 2
		for n < len(spec) && n < 4 && isDigit(spec[n], 8) {
			n++
		}
		value, _ := strconv.ParseUint(spec[1:n], 8, 16)
		return byte(value), n
	}
	if at := strings.IndexByte(`abfnrtv\`, spec[1]); at >= 0 {
		return "\a\b\f\n\r\t\v\\"[at], 2
	}
	return spec[1], 2
}

func byteClass(name string) (class []byte, known bool) {
	in := map[string]func(c byte) bool{
		"alnum":  func(c byte) bool { return isDigit(c, 10) || c|0x20 >= 'a' && c|0x20 <= 'z' },
		"alpha":  func(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' },
		"blank":  isBlank,
		"cntrl":  func(c byte) bool { return c < 32 || c == 127 },
		"digit":  func(c byte) bool { return isDigit(c, 10) },
		"graph":  func(c byte) bool { return c > 32 && c < 127 },
		"lower":  func(c byte) bool { return c >= 'a' && c <= 'z' },
		"print":  func(c byte) bool { return c >= 32 && c < 127 },
		"punct":  func(c byte) bool { return c > 32 && c < 127 && !isDigit(c, 10) && !(c|0x20 >= 'a' && c|0x20 <= 'z') },
		"space":  func(c byte) bool { return c == ' ' || c >= 9 && c <= 13 },
		"upper":  func(c byte) bool { return c >= 'A' && c <= 'Z' },
		"xdigit": func(c byte) bool { return isDigit(c, 16) },
	}[name]
	if in == nil {
		return nil, false
	}
	for c := range 256 {
		if in(byte(c)) {
			class = append(class, byte(c))
		}
	}
	return class, true
}

// span is a range of positions, from 1; an open end is the largest.
type span struct{ from, to int }

// spans reads a list such as "1,3-5,7-".
func spans(text string) (list []span, ok bool) {
	for part := range strings.SplitSeq(text, ",") {
		from, to, ranged := strings.Cut(part, "-")
		s := span{1, 1 << 30}
		var err error
		if from != "" {
			if s.from, err = strconv.Atoi(from); err != nil || s.from < 1 {
				return nil, false
			}
		}
		switch {
		case !ranged:
			s.to = s.from
		case to != "":
			if s.to, err = strconv.Atoi(to); err != nil {
				return nil, false
			}
		}
		if from == "" && to == "" || s.to < s.from {
			return nil, false
		}
		list = append(list, s)
	}
	return list, true
}

func within(list []span, n int) bool {
	for _, s := range list {
		if n >= s.from && n <= s.to {
			return true
		}
	}
	return false
}

// cut prints parts of lines.
func cut(t *tool) {
	var spec string
	for _, flag := range "bcf" {
		if t.has(string(flag)) {
			if spec != "" {
				t.usage("only one list may be specified")
				return
			}
			spec = t.value(flag, "")
		}
	}
	if spec == "" {
		t.usage("you must specify a list of bytes, characters, or fields")
		return
	}
	list, ok := spans(spec)
	switch {
	case !ok && strings.HasPrefix(spec, "0") && t.has("f"):
		t.usage("fields are numbered from 1")
		return
	case !ok && strings.HasPrefix(spec, "0"):
		t.usage("byte/character positions are numbered from 1")
		return
	case !ok:
		t.usage("invalid byte, character or field list")
		return
	}
	delim := t.value('d', "\t")
	if len(delim) != 1 {
		t.usage("the delimiter must be a single character")
		return
	}
	joint := t.value('o', delim)
	selected := func(n int) bool { return within(list, n) != t.has("C") }
	t.inputs(func(_ string, r io.Reader) {
		t.lines(r, func(line []byte) bool {
			text, _ := chomp(line)
			if !t.has("f") {
				for i, c := range text {
					if selected(i + 1) {
						_ = t.out.WriteByte(c)
					}
				}
				_ = t.out.WriteByte('\n')
				return true
			}
			if bytes.IndexByte(text, delim[0]) < 0 {
				if !t.has("s") {
					t.println(string(text))
				}
				return true
			}
			var parts []string
			for i, part := range strings.Split(string(text), delim) {
				if selected(i + 1) {
					parts = append(parts, part)
				}
			}
			t.println(strings.Join(parts, joint))
			return true
		})
	})
}

// paste joins lines of files side by side or, with -s, one after the other.
func paste(t *tool) {
	delims, _ := unescape(t.value('d', "\t"), false)
	names := t.args
	if len(names) == 0 {
		names = []string{"-"}
	}
	var files [][]string
	for _, name := range names {
		fd, ok := t.open(name)
		if !ok {
			return
		}
		var lines []string
		t.lines(t.reporting(name, fd), func(line []byte) bool {
			text, _ := chomp(line)
			lines = append(lines, string(text))
			return true
		})
		t.shut(fd)
		files = append(files, lines)
	}
	delim := func(i int) string {
		if delims == "" {
			return ""
		}
		return string(delims[i%len(delims)])
	}
	if t.has("s") {
		for _, lines := range files {
			for i, line := range lines {
				if i > 0 {
					_, _ = t.out.WriteString(delim(i - 1))
				}
				_, _ = t.out.WriteString(line)
			}
			t.println("")
		}
		return
	}
	for row := 0; ; row++ {
		more := false
		for _, lines := range files {
			more = more || row < len(lines)
		}
		if !more {
			return
		}
		for i, lines := range files {
			if i > 0 {
				_, _ = t.out.WriteString(delim(i - 1))
			}
			if row < len(lines) {
				_, _ = t.out.WriteString(lines[row])
			}
		}
		t.println("")
	}
}
