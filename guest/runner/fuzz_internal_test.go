package runner

import (
	"context"
	"io"
	"path"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/caisson-dev/caisson/core"
)

// matchPath takes a path through a pattern as a walk does, name by name.
func matchPath(p globPattern, file string) bool {
	states := p.start()
	for name := range strings.SplitSeq(file, "/") {
		states = p.step(states, name, true)
	}
	return p.matches(states)
}

func FuzzGlob(f *testing.F) {
	for _, pattern := range []string{
		"*.go", "**/*.go", "**", "a/**/b", "{a,b/{c,d}}/*", "[a-c]?[^d]", `\{a\}`, "**/**/x", "./a//b", "{a,b}{c,d}{e,f}", "[!a]", "a{,b}", "{}", "{**,a}/b",
	} {
		f.Add(pattern, "a/b/c.go")
		f.Add(pattern, "x")
	}
	f.Fuzz(func(t *testing.T, pattern, file string) {
		p, err := parseGlob(pattern)
		if err != nil {
			if core.CodeOf(err) != core.ErrInvalid {
				t.Errorf("parseGlob(%q) = %v, want %v", pattern, err, core.ErrInvalid)
			}
			return
		}
		file = path.Clean("/" + file)[1:]
		if file == "" {
			return
		}
		got := matchPath(p, file)
		for _, names := range p {
			if len(names) == 0 {
				t.Fatalf("parseGlob(%q) has an alternative without names", pattern)
			}
		}
		fixed := p.fixed()
		if got && !strings.HasPrefix(file, strings.Join(fixed, "/")) {
			t.Errorf("%q matches %q, which does not begin with its fixed part %q", pattern, file, fixed)
		}
		// The library sees paths as they are, so what this package makes of dots and slashes is not comparable.
		if path.Clean(pattern) != pattern || strings.HasPrefix(pattern, "/") || strings.Contains(pattern, "\\") || strings.Contains(pattern, "{") {
			return
		}
		if want, err := doublestar.Match(pattern, file); err == nil && got != want {
			t.Errorf("pattern %q, path %q: matches = %v, want %v", pattern, file, got, want)
		}
	})
}

func FuzzExpandBraces(f *testing.F) {
	for _, pattern := range []string{"{a,b}", "x{a,{b,c}d}y", `\{a,b}`, "[{]a,b}", "{a", "{,}", "{a,b}{c,d}", "[^]{a]"} {
		f.Add(pattern, "xay")
	}
	f.Fuzz(func(t *testing.T, pattern, name string) {
		if name == "" || len(pattern) > 100 || !doublestar.ValidatePattern(pattern) || strings.Contains(pattern+name, "/") || !utf8.ValidString(pattern+name) {
			return // no name, or bytes that are all the same to the library
		}
		plain, ok := expandBraces(pattern, maxAlternatives)
		if len(plain) > maxAlternatives || ok && len(plain) == 0 {
			t.Fatalf("expandBraces(%q) = %d patterns", pattern, len(plain))
		}
		if !ok {
			return
		}
		want, err := doublestar.Match(pattern, name)
		if err != nil {
			return
		}
		got := false
		for _, p := range plain {
			match, err := doublestar.Match(p, name)
			if err != nil || strings.Contains(p, "**") {
				return // refused by parseGlob, or stars that were apart before
			}
			got = got || match
		}
		if got != want {
			t.Errorf("expandBraces(%q) = %q matches %q: %v, want %v", pattern, plain, name, got, want)
		}
	})
}

func FuzzSubstitute(f *testing.F) {
	f.Add("a b c", "b", "x", true)
	f.Add("1\r\n2\r\n", "1\n2", "x\ny", false)
	f.Add("1\r\n2\n1\n2", "1\n2", "\n", true)
	f.Add("aaaa", "aa", "a", true)
	f.Fuzz(func(t *testing.T, content, old, text string, all bool) {
		if old == "" {
			return
		}
		edited, n, err := substitute([]byte(content), old, text, all)
		if err != nil {
			if code := core.CodeOf(err); code != core.ErrNotFound && code != core.ErrConflict {
				t.Errorf("substitute() = %v", err)
			}
			if strings.Contains(content, old) && (all || strings.Count(content, old) == 1 && !strings.Contains(old, "\n")) {
				t.Errorf("substitute(%q, %q) = %v", content, old, err)
			}
			return
		}
		switch {
		case n == 0 || !all && n != 1:
			t.Errorf("substitute(%q, %q, %q, %v) replaced %d", content, old, text, all, n)
		case !strings.Contains(content, "\r") && string(edited) != strings.ReplaceAll(content, old, text):
			t.Errorf("substitute(%q, %q, %q) = %q", content, old, text, edited)
		}
	})
}

func FuzzLineReader(f *testing.F) {
	f.Add("a\nb\r\n\nc", 1)
	f.Add("\n", 3)
	f.Add(strings.Repeat("x", maxLine+1)+"\ny", 4096)
	f.Add(strings.Repeat("x", maxLine), 100)
	f.Fuzz(func(t *testing.T, text string, chunk int) {
		lines := newLineReader(context.Background(), &chunks{rest: text, size: max(chunk&0xffff, 1)})
		lines.binary()
		want := strings.Split(text, "\n")
		if want[len(want)-1] == "" {
			want = want[:len(want)-1]
		}
		i := 0
		for ; lines.next(); i++ {
			if i >= len(want) {
				t.Fatalf("more than %d lines in %q", len(want), text)
			}
			line := want[i]
			if len(line) < maxLine {
				line = strings.TrimSuffix(line, "\r")
			} else {
				line = line[:maxLine]
			}
			if string(lines.text) != line || lines.number != i+1 {
				t.Fatalf("line %d is %.40q, number %d, want %.40q", i+1, lines.text, lines.number, line)
			}
		}
		if i != len(want) || lines.err != nil {
			t.Fatalf("%d lines, want %d; %v", i, len(want), lines.err)
		}
	})
}

type chunks struct {
	rest string
	size int
}

func (c *chunks) Read(p []byte) (int, error) {
	if c.rest == "" {
		return 0, io.EOF
	}
	n := copy(p, c.rest[:min(c.size, len(c.rest))])
	c.rest = c.rest[n:]
	return n, nil
}
