package tools

import (
	"io/fs"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestExpressionsAreTranslated(t *testing.T) {
	for _, c := range []struct {
		re, text string
		extended bool
		want     bool
	}{
		{`a*b`, "aab", false, true},
		{`a\+b`, "aab", false, true},
		{`a+b`, "aab", false, false},
		{`a+b`, "a+b", false, true},
		{`^*a`, "*a", false, true},
		{`\(a\|b\)\{2\}`, "ab", false, true},
		{`a\.b`, "axb", false, false},
		{`[]x]`, "]", false, true},
		{`[^]x]`, "]", false, false},
		{`[\n]`, "\n", false, true},
		{`[[:digit:]-]`, "-", false, true},
		{`[a\]`, `\`, false, true},
		{`a$b`, "a$b", false, true},
		{`\<b`, "a b", false, true},
		{`(a|b){2}`, "ba", true, true},
		{`a{`, "a{", true, true},
		{`\(a\)`, "(a)", true, true},
		{`a/b`, "a/b", true, true},
	} {
		expr := basicToRE2(c.re)
		if c.extended {
			expr = extendedToRE2(c.re)
		}
		re, err := regexp.Compile(expr)
		require.NoError(t, err, "%q became %q", c.re, expr)
		require.Equal(t, c.want, re.MatchString(c.text), "%q on %q, as %q", c.re, c.text, expr)
	}
}

func TestModes(t *testing.T) {
	for _, c := range []struct {
		text string
		old  fs.FileMode
		dir  bool
		want fs.FileMode
	}{
		{"640", 0, false, 0o640},
		{"1777", 0, true, fs.ModeSticky | 0o777},
		{"u+x", 0o644, false, 0o744},
		{"a-w", 0o666, false, 0o444},
		{"go=", 0o777, false, 0o700},
		{"u=rw,g=u,o=g", 0, false, 0o666},
		{"+X", 0o644, false, 0o644},
		{"+X", 0o644, true, 0o755},
		{"+X", 0o744, false, 0o755},
		{"u+s", 0o755, false, fs.ModeSetuid | 0o755},
		{"u+r-w", 0o200, false, 0o400},
	} {
		got, err := ParseMode(c.text, c.old, c.dir)
		require.NoError(t, err, c.text)
		require.Equal(t, c.want, got, "%s on %o", c.text, c.old)
	}
	for _, bad := range []string{"", "zz", "u", "u+q", "99999", "8"} {
		_, err := ParseMode(bad, 0, false)
		require.Error(t, err, "%q", bad)
	}
}

func TestDurations(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"1": time.Second, "0.5": time.Second / 2, "2m": 2 * time.Minute, "1h": time.Hour, "1d": 24 * time.Hour, "infinity": -1, "1e300": -1,
	} {
		got, ok := parseDuration(text)
		require.True(t, ok, text)
		require.Equal(t, want, got, text)
	}
	for _, bad := range []string{"", "x", "-1", "1x", "nan"} {
		_, ok := parseDuration(bad)
		require.False(t, ok, bad)
	}
}

// FuzzSed looks that no script makes the parser panic or go on for ever.
func FuzzSed(f *testing.F) {
	for _, seed := range []string{`s/a/b/g`, `1,/x/{s/\(a\)/\1/;p}`, `:x;N;$!bx`, `y/ab/cd/`, "a\\\ntext", `/[/]/d`, `s`, `{`, `2~3!d`, `0,/a/d`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, script string) {
		for _, extended := range []bool{false, true} {
			p := sedParser{text: script, extended: extended}
			list, err := p.parse()
			if err != nil {
				continue
			}
			for i := range list {
				require.LessOrEqual(t, list[i].target, len(list))
			}
		}
	})
}

// FuzzExpressions looks that what is made of an expression is one of Go's or is refused, without a panic.
func FuzzExpressions(f *testing.F) {
	for _, seed := range []string{`a*`, `[[:alpha:]]`, `[]`, `\(`, `a\{1,2\}`, `\`, `[^]`, `[[.a.]]`, `*`} {
		f.Add(seed)
	}
	f.Fuzz(func(_ *testing.T, re string) {
		_, _ = regexp.Compile(basicToRE2(re)) // either is fine
		_, _ = regexp.Compile(extendedToRE2(re))
	})
}
