package tools

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/caisson-dev/caisson/drivers/fake/internal/kernel"
)

const (
	grepFlags = "abcEFGhHiIlLm:noPqrRsvwxe:f:A:B:C:zZ"
	grepLong  = "count=c extended-regexp=E fixed-strings=F ignore-case=i files-with-matches=l files-without-match=L line-number=n only-matching=o " +
		"quiet=q silent=q recursive=r no-messages=s invert-match=v word-regexp=w line-regexp=x regexp=e file=f max-count=m no-filename=h " +
		"with-filename=H include=+ exclude=- exclude-dir=/ text=a color=~ colour=~ after-context=A before-context=B context=C"
)

// searcher is one run of grep.
type searcher struct {
	*tool
	re            *regexp.Regexp
	names         bool
	before, after int
	limit         int
	matched       bool
	failed        bool
	printed       bool // something, so that "--" parts what follows
}

// grep prints lines that match. egrep and fgrep are grep -E and grep -F.
func grep(t *tool) {
	switch t.name {
	case "egrep":
		t.options = append(t.options, option{flag: 'E'})
	case "fgrep":
		t.options = append(t.options, option{flag: 'F'})
	}
	patterns, ok := t.grepPatterns()
	if !ok {
		t.status = 2
		return
	}
	s := searcher{tool: t, limit: -1}
	var err error
	if s.re, err = t.compile(patterns); err != nil {
		t.errorf("%s", reasonRE(err))
		t.status = 2
		return
	}
	for flag, to := range map[rune]*int{'A': &s.after, 'B': &s.before, 'm': &s.limit} {
		if v := t.value(flag, ""); v != "" {
			if *to, err = strconv.Atoi(v); err != nil {
				t.errorf("%s: invalid context length argument", v)
				t.status = 2
				return
			}
		}
	}
	if v := t.value('C', ""); v != "" {
		n, _ := strconv.Atoi(v)
		s.before, s.after = n, n
	}
	recursive := t.has("rR")
	names := t.args
	if len(names) == 0 {
		names = []string{"-"}
		if recursive {
			names = []string{"."}
		}
	}
	s.names = (len(names) > 1 || recursive) && !t.has("h") || t.has("H")
	for _, name := range names {
		s.walk(name, recursive, true)
		if t.has("q") && s.matched {
			break
		}
	}
	switch {
	case s.failed && !(t.has("q") && s.matched):
		t.status = 2
	case !s.matched:
		t.status = 1
	default:
		t.status = 0
	}
}

func (t *tool) grepPatterns() (patterns []string, ok bool) {
	for _, e := range t.values('e') {
		patterns = append(patterns, strings.Split(e, "\n")...)
	}
	for _, name := range t.values('f') {
		fd, ok := t.open(name)
		if !ok {
			return nil, false
		}
		t.lines(t.reporting(name, fd), func(line []byte) bool {
			text, _ := chomp(line)
			patterns = append(patterns, string(text))
			return true
		})
		t.shut(fd)
	}
	if !t.has("ef") {
		if len(t.args) == 0 {
			t.warn("Usage: grep [OPTION]... PATTERNS [FILE]...\nTry 'grep --help' for more information.\n")
			return nil, false
		}
		patterns, t.args = strings.Split(t.args[0], "\n"), t.args[1:]
	}
	return patterns, true
}

// compile makes one expression of patterns.
func (t *tool) compile(patterns []string) (*regexp.Regexp, error) {
	list := make([]string, len(patterns))
	for i, p := range patterns {
		switch {
		case t.has("F"):
			p = regexp.QuoteMeta(p)
		case t.has("P"):
		case t.has("E"):
			p = extendedToRE2(p)
		default:
			p = basicToRE2(p)
		}
		list[i] = "(?:" + p + ")"
	}
	all := "(?:" + strings.Join(list, "|") + ")"
	if len(list) == 0 {
		all = `[^\x00-\x{10FFFF}]` // matches nothing
	}
	switch {
	case t.has("x"):
		all = "^" + all + "$"
	case t.has("w"):
		all = `(?:\b|^)` + all + `(?:\b|$)`
	}
	if t.has("i") {
		all = "(?i)" + all
	}
	re, err := regexp.Compile(all)
	if err == nil && !t.has("P") {
		re.Longest()
	}
	return re, err
}

// reasonRE describes a bad expression without the one that was made of it.
func reasonRE(err error) string {
	var e interface{ Error() string } = err
	text := strings.TrimPrefix(e.Error(), "error parsing regexp: ")
	if i := strings.Index(text, ": `"); i >= 0 {
		text = text[:i]
	}
	switch {
	case strings.HasPrefix(text, "missing closing ]"):
		return "Unmatched [, [^, [:, [., or [="
	case strings.HasPrefix(text, "missing closing )"), strings.HasPrefix(text, "unexpected )"):
		return "Unmatched ( or \\("
	case strings.HasPrefix(text, "missing argument to repetition"):
		return "Invalid preceding regular expression"
	}
	return "Invalid regular expression: " + text
}

// walk searches a file or, with recursive set, a tree.
func (s *searcher) walk(name string, recursive, top bool) {
	if name == "-" && top {
		shown := "(standard input)"
		s.search(shown, reader{s.Process, 0})
		return
	}
	info, err := s.Stat(name)
	if err != nil {
		s.complain(name, err)
		return
	}
	if info.IsDir() {
		if !recursive {
			s.complain(name, kernel.EISDIR)
			return
		}
		children, err := s.ReadDir(name)
		if err != nil {
			s.complain(name, err)
			return
		}
		for i := range children {
			child := path.Base(children[i].Path)
			if children[i].Mode&fs.ModeSymlink != 0 && !s.has("R") || children[i].IsDir() && anyMatch(s.values('/'), child) {
				continue
			}
			s.walk(join(name, child, top && len(s.args) == 0), true, false)
		}
		return
	}
	if recursive && !top && !info.Mode.IsRegular() {
		return
	}
	base := path.Base(name)
	if includes := s.values('+'); recursive && len(includes) > 0 && !anyMatch(includes, base) || anyMatch(s.values('-'), base) {
		return
	}
	fd, err := s.Process.Open(name, kernel.OpenFlags{Read: true})
	if err != nil {
		s.complain(name, err)
		return
	}
	defer s.shut(fd)
	s.search(name, reader{s.Process, fd})
}

// join returns the name of a child; bare leaves out the "." that nobody asked for.
func join(dir, child string, bare bool) string {
	if bare && dir == "." {
		return child
	}
	return strings.TrimRight(dir, "/") + "/" + child
}

func anyMatch(patterns []string, name string) bool {
	for _, p := range patterns {
		if ok, _ := path.Match(p, name); ok {
			return true
		}
	}
	return false
}

func (s *searcher) complain(name string, err error) {
	if errors.Is(err, kernel.EISDIR) {
		if !s.has("s") {
			s.warn("grep: " + name + ": Is a directory\n")
		}
		return
	}
	s.failed = true
	if !s.has("s") {
		s.errorf("%s: %s", name, kernel.Reason(err))
	}
}

// search looks through one input.
func (s *searcher) search(name string, r io.Reader) {
	var number, count, last, trailing int
	var context []string
	binary := false
	quiet := s.has("qclL")
	show := func(sep byte, n int, text []byte) {
		if s.names {
			s.printf("%s%c", name, sep)
		}
		if s.has("n") {
			s.printf("%d%c", n, sep)
		}
		_, _ = s.out.Write(text)
		_ = s.out.WriteByte('\n')
		last, s.printed = n, true
	}
	s.lines(r, func(line []byte) bool {
		text, _ := chomp(line)
		number++
		binary = binary || bytes.IndexByte(text, 0) >= 0 && !s.has("a")
		if s.re.Match(text) == s.has("v") {
			switch {
			case quiet:
			case trailing > 0:
				trailing--
				show('-', number, text)
			case s.before > 0:
				context = append(context, string(text))
				context = context[max(len(context)-s.before, 0):]
			}
			return s.limit < 0 || count < s.limit || trailing > 0
		}
		if s.limit >= 0 && count >= s.limit {
			return false
		}
		count++
		s.matched = true
		switch {
		case s.has("qlL"):
			return false
		case quiet:
		case binary:
			return false
		case s.has("o"):
			s.onlyMatches(text, func(part []byte) { show(':', number, part) })
		default:
			from := number - len(context)
			if s.printed && (s.before > 0 || s.after > 0) && (last == 0 || from > last+1) {
				s.println("--")
			}
			for i, c := range context {
				show('-', from+i, []byte(c))
			}
			context = nil
			show(':', number, text)
			trailing = s.after
		}
		return s.limit < 0 || count < s.limit || trailing > 0
	})
	switch {
	case s.has("q"):
	case s.has("l"):
		if count > 0 {
			s.println(name)
		}
	case s.has("L"):
		if count == 0 {
			s.println(name)
		}
	case s.has("c"):
		if s.names {
			s.printf("%s:", name)
		}
		s.printf("%d\n", count)
	case binary && count > 0:
		s.printf("grep: %s: binary file matches\n", name)
	}
}

func (s *searcher) onlyMatches(text []byte, show func([]byte)) {
	if s.has("v") {
		return
	}
	for _, at := range s.re.FindAllIndex(text, -1) {
		if at[1] > at[0] {
			show(text[at[0]:at[1]])
		}
	}
}
