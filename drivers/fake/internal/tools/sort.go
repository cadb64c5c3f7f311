package tools

import (
	"bytes"
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/caisson-dev/caisson/drivers/fake/internal/kernel"
)

// sortKey is what sort -k takes: "F[.C][opts][,F[.C][opts]]".
type sortKey struct {
	field, char       int // from 1; char 0 is the first
	endField, endChar int // 0 is the end of the line
	opts              string
}

// sorter compares lines.
type sorter struct {
	keys   []sortKey
	opts   string
	sep    string // "" is the border between blanks and others
	stable bool
}

// sortLines is sort.
func sortLines(t *tool) {
	s := sorter{sep: t.value('t', ""), stable: t.has("s")}
	for _, o := range t.options {
		if strings.ContainsRune("bdfghnrVM", o.flag) {
			s.opts += string(o.flag)
		}
	}
	if len(s.sep) > 1 && s.sep != `\0` {
		t.errorf("multi-character tab %s", quote(s.sep))
		t.status = 2
		return
	}
	for _, spec := range t.values('k') {
		key, ok := parseKey(spec)
		if !ok {
			t.errorf("invalid number at field start: invalid count at start of %s", quote(spec))
			t.status = 2
			return
		}
		if key.opts == "" {
			key.opts = s.opts
		}
		s.keys = append(s.keys, key)
	}
	end := byte('\n')
	if t.has("z") {
		end = 0
	}
	lines := t.sortInput(end)
	if t.has("cC") {
		t.sorted(&s, lines)
		return
	}
	slices.SortStableFunc(lines, func(a, b []byte) int {
		t.Check()
		return s.compare(a, b, t.has("u"))
	})
	if t.has("u") {
		lines = slices.CompactFunc(lines, func(a, b []byte) bool { return s.compare(a, b, true) == 0 })
	}
	if name := t.value('o', ""); name != "" {
		fd, ok := t.create(name, kernel.OpenFlags{Truncate: true})
		if !ok {
			t.status = 2
			return
		}
		defer t.shut(fd)
		defer t.flush()
		t.out.Reset(writer{t.Process, fd})
	}
	for _, line := range lines {
		_, _ = t.out.Write(line)
		_ = t.out.WriteByte(end)
	}
}

func (t *tool) sortInput(end byte) (lines [][]byte) {
	names := t.args
	if len(names) == 0 {
		names = []string{"-"}
	}
	for _, name := range names {
		fd := 0
		if name != "-" {
			var err error
			if fd, err = t.Process.Open(name, kernel.OpenFlags{Read: true}); err != nil {
				t.errorf("cannot read: %s: %s", name, kernel.Reason(err))
				t.status = 2
				t.flush()
				t.Exit(2)
			}
		}
		all := t.readAll(t.reporting(name, fd))
		t.shut(fd)
		if len(all) > 0 {
			lines = append(lines, bytes.Split(bytes.TrimSuffix(all, []byte{end}), []byte{end})...)
		}
	}
	return lines
}

// sorted is sort -c.
func (t *tool) sorted(s *sorter, lines [][]byte) {
	for i := 1; i < len(lines); i++ {
		if c := s.compare(lines[i-1], lines[i], t.has("u")); c > 0 || c == 0 && t.has("u") {
			if !t.has("C") {
				name := "-"
				if len(t.args) > 0 {
					name = t.args[0]
				}
				t.errorf("%s:%d: disorder: %s", name, i+1, lines[i])
			}
			t.status = 1
			return
		}
	}
}

func parseKey(spec string) (k sortKey, ok bool) {
	from, to, ranged := strings.Cut(spec, ",")
	half := func(text string) (field, char int, opts string, ok bool) {
		end := strings.IndexFunc(text, func(r rune) bool { return r != '.' && (r < '0' || r > '9') })
		if end < 0 {
			end = len(text)
		}
		number, rest, _ := strings.Cut(text[:end], ".")
		field, err := strconv.Atoi(number)
		if rest != "" {
			char, _ = strconv.Atoi(rest)
		}
		return field, char, text[end:], err == nil && field > 0
	}
	if k.field, k.char, k.opts, ok = half(from); !ok || !ranged {
		return k, ok
	}
	var opts string
	k.endField, k.endChar, opts, ok = half(to)
	k.opts += opts
	return k, ok
}

// compare compares lines by keys and then, unless only keys count, as a whole.
func (s *sorter) compare(a, b []byte, keysOnly bool) int {
	if len(s.keys) == 0 {
		if c := compareBy(s.opts, string(a), string(b)); c != 0 || s.opts == "" || s.opts == "r" {
			return c
		}
	}
	for i := range s.keys {
		k := &s.keys[i]
		if c := compareBy(k.opts, s.extract(string(a), k), s.extract(string(b), k)); c != 0 {
			return c
		}
	}
	if keysOnly || s.stable {
		return 0
	}
	c := bytes.Compare(a, b)
	if strings.Contains(s.opts, "r") {
		return -c
	}
	return c
}

// extract returns the part of a line that a key means.
func (s *sorter) extract(line string, k *sortKey) string {
	starts := s.fields(line)
	from := len(line)
	if k.field <= len(starts) {
		from = starts[k.field-1]
		if strings.Contains(k.opts, "b") {
			from += len(line[from:]) - len(strings.TrimLeft(line[from:], " \t"))
		}
		from = min(from+max(k.char-1, 0), len(line))
	}
	to := len(line)
	if k.endField > 0 && k.endField <= len(starts) {
		switch {
		case k.endChar > 0:
			to = min(starts[k.endField-1]+k.endChar, len(line))
		case k.endField < len(starts):
			to = starts[k.endField]
			if s.sep != "" {
				to--
			}
		}
	}
	return line[from:max(from, to)]
}

// fields returns where the fields of a line begin.
func (s *sorter) fields(line string) []int {
	starts := []int{0}
	for i := 1; i <= len(line); i++ {
		switch {
		case s.sep != "" && line[i-1:i] == s.sep:
			starts = append(starts, i)
		case s.sep == "" && i < len(line) && isBlank(line[i]) && !isBlank(line[i-1]):
			starts = append(starts, i)
		}
	}
	return starts
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

// compareBy compares two keys as the options say.
func compareBy(opts, a, b string) int {
	var c int
	has := func(o string) bool { return strings.ContainsAny(opts, o) }
	if has("b") {
		a, b = strings.TrimLeft(a, " \t"), strings.TrimLeft(b, " \t")
	}
	switch {
	case has("n"):
		c = cmp.Compare(leadingNumber(a), leadingNumber(b))
	case has("g"):
		c = cmp.Compare(generalNumber(a), generalNumber(b))
	case has("h"):
		c = cmp.Compare(humanNumber(a), humanNumber(b))
	case has("V"):
		c = compareVersions(a, b)
	default:
		if has("d") {
			a, b = strings.Map(dictionary, a), strings.Map(dictionary, b)
		}
		if has("f") {
			a, b = strings.ToUpper(a), strings.ToUpper(b)
		}
		c = strings.Compare(a, b)
	}
	if has("r") {
		return -c
	}
	return c
}

func dictionary(r rune) rune {
	if r == ' ' || r == '\t' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
		return r
	}
	return -1
}

func leadingNumber(text string) float64 {
	text = strings.TrimLeft(text, " \t")
	end := 0
	for end < len(text) && (isDigit(text[end], 10) || text[end] == '.' || end == 0 && text[end] == '-') {
		end++
	}
	x, _ := strconv.ParseFloat(text[:end], 64)
	return x
}

func generalNumber(text string) float64 {
	text = strings.TrimSpace(text)
	for end := len(text); end > 0; end-- {
		if x, err := strconv.ParseFloat(text[:end], 64); err == nil {
			return x
		}
	}
	return 0
}

func humanNumber(text string) float64 {
	x := leadingNumber(text)
	text = strings.TrimLeft(text, " \t-0123456789.")
	if text != "" {
		if power := strings.IndexByte("KMGTPE", text[0]&^0x20); power >= 0 {
			for range power + 1 {
				x *= 1024
			}
		}
	}
	return x
}

// compareVersions compares numbers within texts as numbers.
func compareVersions(a, b string) int {
	for a != "" && b != "" {
		na, nb := digits(a), digits(b)
		if na > 0 && nb > 0 {
			x, y := strings.TrimLeft(a[:na], "0"), strings.TrimLeft(b[:nb], "0")
			if c := cmp.Or(cmp.Compare(len(x), len(y)), strings.Compare(x, y)); c != 0 {
				return c
			}
			a, b = a[na:], b[nb:]
			continue
		}
		if a[0] != b[0] {
			return cmp.Compare(a[0], b[0])
		}
		a, b = a[1:], b[1:]
	}
	return cmp.Compare(len(a), len(b))
}

func digits(text string) int {
	n := 0
	for n < len(text) && isDigit(text[n], 10) {
		n++
	}
	return n
}
