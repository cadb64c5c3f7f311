package runner_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
)

func TestGlob(t *testing.T) {
	b := open(t)
	for _, name := range []string{
		"a.go", "b.txt", "z[1].go", "{x}.go", "sub/c.go", "sub/deep/d.go", "sub/deep/e.txt", "sub-x/f.go",
		".hidden.go", ".git/config", "sub/.secret/g.go", "ünï.go", "back\\slash",
	} {
		b.put(t, name, "")
	}
	b.link(t, "a.go", "link.go")
	b.link(t, "sub", "dirlink")
	b.link(t, "missing.go", "dangling.go")
	require.NoError(t, syscall.Mkfifo(b.at("fifo.go"), 0o600))
	require.NoError(t, os.Mkdir(b.at("dir.go"), 0o755))
	for _, c := range []struct {
		name, pattern string
		search        core.Search
		want          string
	}{
		{"star", "*.go", core.Search{}, "a.go link.go z[1].go {x}.go ünï.go"},
		{"star stays within a name", "sub/*", core.Search{}, "sub/c.go"},
		{"question mark", "?.go", core.Search{}, "a.go"},
		{"question mark is a character", "?n?.go", core.Search{}, "ünï.go"},
		{"literal", "sub/deep/d.go", core.Search{}, "sub/deep/d.go"},
		{"two stars", "**/*.go", core.Search{}, "a.go link.go sub-x/f.go sub/c.go sub/deep/d.go z[1].go {x}.go ünï.go"},
		{"two stars in the middle", "sub/**/*.go", core.Search{}, "sub/c.go sub/deep/d.go"},
		{"two stars at the end", "sub/**", core.Search{}, "sub/c.go sub/deep/d.go sub/deep/e.txt"},
		{"two stars twice", "**/deep/**/*.txt", core.Search{}, "sub/deep/e.txt"},
		{"braces", "{a,b}.{go,txt}", core.Search{}, "a.go b.txt"},
		{"nested braces", "{a,s{ub,ub-x}/?}.go", core.Search{}, "a.go sub-x/f.go sub/c.go"},
		{"braces with slashes", "{sub/deep,sub-x}/*", core.Search{}, "sub-x/f.go sub/deep/d.go sub/deep/e.txt"},
		{"overlapping braces find once", "{*.go,a.*}", core.Search{}, "a.go link.go z[1].go {x}.go ünï.go"},
		{"class", "[ab].*", core.Search{}, "a.go b.txt"},
		{"negated class", "[^a].txt", core.Search{}, "b.txt"},
		{"range", "sub/[a-d].go", core.Search{}, "sub/c.go"},
		{"escapes", `z\[1\].go`, core.Search{}, "z[1].go"},
		{"escaped brace", `\{x\}.go`, core.Search{}, "{x}.go"},
		{"escaped backslash", `back\\slash`, core.Search{}, `back\slash`},
		{"dot is spelled", ".*.go", core.Search{}, ".hidden.go"},
		{"dot in a directory", "**/.secret/*", core.Search{}, "sub/.secret/g.go"},
		{"hidden", "**/*.go", core.Search{Hidden: true}, ".hidden.go a.go link.go sub-x/f.go sub/.secret/g.go sub/c.go sub/deep/d.go z[1].go {x}.go ünï.go"},
		{"root", "*.go", core.Search{Root: "sub/deep"}, "sub/deep/d.go"},
		{"root with ** ", "**", core.Search{Root: b.dir + "/sub"}, "sub/c.go sub/deep/d.go sub/deep/e.txt"},
		{"root is a link", "*.go", core.Search{Root: "dirlink"}, "dirlink/c.go"},
		{"links are not entered", "*/c.go", core.Search{}, "sub/c.go"},
		{"absolute", b.dir + "/sub/*.go", core.Search{}, "sub/c.go"},
		{"absolute below the root", b.dir + "/sub/**/*.go", core.Search{Root: "sub"}, "sub/c.go sub/deep/d.go"},
		{"dots and slashes", "./sub//./c.go", core.Search{}, "sub/c.go"},
		{"nothing", "*.rs", core.Search{}, ""},
		{"missing directory", "nowhere/*.go", core.Search{}, ""},
		{"through a file", "a.go/*", core.Search{}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			found, err := b.Glob(t.Context(), c.pattern, &c.search)
			require.NoError(t, err)
			require.Equal(t, b.paths(strings.Fields(c.want)...), found.Paths)
			require.False(t, found.Truncated)
			require.Zero(t, found.Skipped)
		})
	}
	for _, pattern := range []string{
		"", "[", "a[", "[a", "{a", "a{b,c", `a\`, "[]", "a//", "sub/", "..", "../*", "a/../b", "a\x00", "[a/b]",
		strings.Repeat("{a,b}", 9), strings.Repeat("x", 5000), "/etc/*", "/proc/*/environ", "/",
	} {
		_, err := b.Glob(t.Context(), pattern, &core.Search{Root: "sub"})
		require.ErrorIs(t, err, core.ErrInvalid, "%q", pattern)
	}
	_, err := b.Glob(t.Context(), "*", &core.Search{Root: "nowhere"})
	require.ErrorIs(t, err, core.ErrNotFound)
	_, err = b.Glob(t.Context(), "*", &core.Search{Root: "a.go"})
	require.ErrorIs(t, err, core.ErrNotRegular)
}

func TestGlobIsBounded(t *testing.T) {
	b := open(t)
	for i := range 30 {
		b.put(t, fmt.Sprintf("d%d/file", i%3)+fmt.Sprintf("%02d", i), "")
	}
	found, err := b.Glob(t.Context(), "**", &core.Search{Max: 5})
	require.NoError(t, err)
	require.True(t, found.Truncated)
	require.Equal(t, b.paths("d0/file00", "d0/file03", "d0/file06", "d0/file09", "d0/file12"), found.Paths, "the first in order")
	found, err = b.Glob(t.Context(), "**", &core.Search{Max: 30})
	require.NoError(t, err)
	require.False(t, found.Truncated)
	require.Len(t, found.Paths, 30)

	b.faults.failing(func(call, path string) error {
		if call == "readdir" && filepath.Base(path) == "d1" {
			return syscall.EACCES
		}
		return nil
	})
	found, err = b.Glob(t.Context(), "**", nil)
	require.NoError(t, err)
	require.Len(t, found.Paths, 20)
	require.Equal(t, 1, found.Skipped)
	_, err = b.Glob(t.Context(), "**", &core.Search{Root: "d1"})
	require.ErrorIs(t, err, os.ErrPermission, "where the search begins it is an error")
}

func TestSearchesEndWithTheirContext(t *testing.T) {
	b := open(t)
	b.put(t, "large", "")
	require.NoError(t, os.Truncate(b.at("large"), 1<<40))
	b.put(t, "zeros.txt", "text\n")
	f, err := os.OpenFile(b.at("zeros.txt"), os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteAt([]byte(strings.Repeat("x", 8000)), 0)
	require.NoError(t, err)
	require.NoError(t, f.Truncate(1<<40)) // begins as text, then goes on for hours
	require.NoError(t, f.Close())
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	begin := time.Now()
	_, err = b.Grep(ctx, "needle", nil)
	require.ErrorIs(t, err, context.Canceled)
	require.Less(t, time.Since(begin), 5*time.Second)
	require.Eventually(t, func() bool { return !isOpen(t, b.at("zeros.txt")) }, 5*time.Second, time.Millisecond, "the search goes on")
}

func TestGrep(t *testing.T) {
	b := open(t)
	b.put(t, "a.txt", "first needle\nsecond\nthird needle")
	b.put(t, "crlf.txt", "one\r\nneedle\r\n")
	b.put(t, "sub/b.go", "func needle() {}\n\n// x.y*z\n")
	b.put(t, "sub/c.md", "Needle\n")
	b.put(t, ".hidden", "needle\n")
	b.put(t, "empty", "")
	b.put(t, "binary", "needle\x00needle\n")
	b.put(t, "latin1", "needle \xe9\n")
	b.link(t, "a.txt", "link")
	b.link(t, "sub", "dirlink")
	require.NoError(t, syscall.Mkfifo(b.at("fifo"), 0o600))
	for _, c := range []struct {
		name, pattern string
		search        core.Search
		want          []string
		skipped       int
	}{
		{"expression", `needle$`, core.Search{}, []string{"a.txt:1:first needle", "a.txt:3:third needle", "crlf.txt:2:needle"}, 1},
		{"anything", `needle`, core.Search{Include: "*.{txt,go}"}, []string{"a.txt:1:first needle", "a.txt:3:third needle", "crlf.txt:2:needle", "sub/b.go:1:func needle() {}"}, 0},
		{"flags", `(?i)^needle$`, core.Search{}, []string{"crlf.txt:2:needle", "sub/c.md:1:Needle"}, 1},
		{"empty line", `^$`, core.Search{Root: "sub"}, []string{"sub/b.go:2:"}, 0},
		{"literal", `x.y*z`, core.Search{Literal: true}, []string{"sub/b.go:3:// x.y*z"}, 1},
		{"the same as an expression", `x.y*z`, core.Search{}, nil, 1},
		{"hidden", `^needle$`, core.Search{Hidden: true}, []string{".hidden:1:needle", "crlf.txt:2:needle"}, 1},
		{"include by path", `needle`, core.Search{Include: "sub/*"}, []string{"sub/b.go:1:func needle() {}"}, 0},
		{"include from the root", `needle`, core.Search{Include: "/*.txt", Root: b.dir}, []string{"a.txt:1:first needle", "a.txt:3:third needle", "crlf.txt:2:needle"}, 0},
		{"root is a file", `needle`, core.Search{Root: "a.txt"}, []string{"a.txt:1:first needle", "a.txt:3:third needle"}, 0},
		{"root is a hidden file", `needle`, core.Search{Root: ".hidden"}, []string{".hidden:1:needle"}, 0},
		{"root is a link to a file", `first`, core.Search{Root: "link"}, []string{"link:1:first needle"}, 0},
		{"root is a binary file", `needle`, core.Search{Root: "binary"}, nil, 1},
		{"bytes that are not UTF-8", `needle .`, core.Search{Include: "latin1"}, []string{"latin1:1:needle \xe9"}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			found, err := b.Grep(t.Context(), c.pattern, &c.search)
			require.NoError(t, err)
			var lines []string
			for _, m := range found.Matches {
				rel, err := filepath.Rel(b.dir, m.Path)
				require.NoError(t, err)
				lines = append(lines, fmt.Sprintf("%s:%d:%s", rel, m.Line, m.Text))
			}
			require.Equal(t, c.want, lines)
			require.Equal(t, c.skipped, found.Skipped)
			require.False(t, found.Truncated)
		})
	}
	for _, c := range []struct {
		pattern string
		search  core.Search
	}{
		{"", core.Search{}},
		{"(", core.Search{}},
		{`(?=x)`, core.Search{}},
		{strings.Repeat("x", 40<<10), core.Search{}},
		{"a\nb", core.Search{Literal: true}},
		{"x", core.Search{Include: "["}},
		{"x", core.Search{Include: "../*"}},
	} {
		_, err := b.Grep(t.Context(), c.pattern, &c.search)
		require.ErrorIs(t, err, core.ErrInvalid, "%.20q %+v", c.pattern, c.search)
	}
	_, err := b.Grep(t.Context(), "x", &core.Search{Root: "nowhere"})
	require.ErrorIs(t, err, core.ErrNotFound)
	_, err = b.Grep(t.Context(), "x", &core.Search{Root: "fifo"})
	require.ErrorIs(t, err, core.ErrNotRegular)
}

func TestGrepIsBounded(t *testing.T) {
	b := open(t)
	b.put(t, "many", strings.Repeat("needle\n", 100))
	found, err := b.Grep(t.Context(), "needle", &core.Search{Max: 7})
	require.NoError(t, err)
	require.Len(t, found.Matches, 7)
	require.True(t, found.Truncated)
	found, err = b.Grep(t.Context(), "needle", &core.Search{Max: 100})
	require.NoError(t, err)
	require.False(t, found.Truncated)

	// Without an end of a line a file is one line, of which the beginning is searched.
	long := strings.Repeat("x", 60<<10) + "needle" + strings.Repeat("é", 5<<20) + "far\nnext needle\n"
	b.put(t, "many", long)
	found, err = b.Grep(t.Context(), "needle|far", nil)
	require.NoError(t, err)
	require.Len(t, found.Matches, 2)
	require.Equal(t, 1, found.Matches[0].Line)
	require.Len(t, found.Matches[0].Text, core.MaxMatchText)
	require.Equal(t, core.Match{Path: b.at("many"), Line: 2, Text: "next needle"}, found.Matches[1])

	// A cut does not split a character.
	b.put(t, "many", "x"+strings.Repeat("é", core.MaxMatchText))
	found, err = b.Grep(t.Context(), "x", nil)
	require.NoError(t, err)
	require.Equal(t, "x"+strings.Repeat("é", core.MaxMatchText/2-1), found.Matches[0].Text)

	// Many long lines: the answer is cut before it is too large.
	b.put(t, "many", strings.Repeat(strings.Repeat("y", core.MaxMatchText)+"\n", 4000))
	found, err = b.Grep(t.Context(), "y", nil)
	require.NoError(t, err)
	require.True(t, found.Truncated)
	require.Greater(t, len(found.Matches), 1000)

	b.put(t, "other", "needle\n")
	b.put(t, "many", "needle\n")
	b.faults.failing(func(call, path string) error {
		if call == "open" && filepath.Base(path) == "many" {
			return syscall.EACCES
		}
		return nil
	})
	found, err = b.Grep(t.Context(), "needle", nil)
	require.NoError(t, err)
	require.Len(t, found.Matches, 1)
	require.Equal(t, 1, found.Skipped)
}

func TestEdit(t *testing.T) {
	b := open(t)
	for _, c := range []struct {
		name, content, old, text string
		all                      bool
		want                     string
		n                        int
	}{
		{"once", "a b c", "b", "x", false, "a x c", 1},
		{"remove", "a b c", " b", "", false, "a c", 1},
		{"grow", "ab", "b", "xyz", false, "axyz", 1},
		{"literal", "a.*b $1", ".*", `$1\n`, false, `a$1\nb $1`, 1},
		{"all", "aXbXc", "X", "--", true, "a--b--c", 2},
		{"all without overlaps", "aaaaa", "aa", "b", true, "bba", 2},
		{"the same text", "abc", "b", "b", false, "abc", 1},
		{"the new text holds the old", "abc", "b", "bbb", true, "abbbc", 1},
		{"lines", "1\n2\n3\n", "1\n2", "x\ny\nz", false, "x\ny\nz\n3\n", 1},
		{"crlf file, lf text", "1\r\n2\r\n3\r\n", "1\n2\n", "x\ny\n", false, "x\r\ny\r\n3\r\n", 1},
		{"crlf file, crlf text", "1\r\n2\r\n", "1\r\n2", "x\r\ny", false, "x\r\ny\r\n", 1},
		{"crlf file, one line", "1\r\n2\r\n", "2", "x\ny", false, "1\r\nx\r\ny\r\n", 1},
		{"crlf text, lf file", "1\n2\n", "1\n2", "x\r\ny", false, "x\r\ny\n", 1},
		{"mixed file", "1\r\n2\n1\n2\n", "1\n2", "x\ny", true, "x\r\ny\nx\ny\n", 2},
		{"bytes", "\xff\xfea\x00", "\xfe", "\xfd", false, "\xff\xfda\x00", 1},
		{"whole file", "abc", "abc", "", false, "", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			b.put(t, "file", c.content)
			n, err := b.Edit(t.Context(), "file", c.old, c.text, c.all)
			require.NoError(t, err)
			require.Equal(t, c.n, n)
			require.Equal(t, c.want, b.content(t, "file"))
			require.Equal(t, []string{"file"}, b.names(t, "."))
		})
	}
}

func TestEditThatCannotBe(t *testing.T) {
	b := open(t)
	ctx := t.Context()
	b.put(t, "file", "secret one secret")
	b.put(t, "dir/x", "")
	b.link(t, "file", "link")
	require.NoError(t, os.Chmod(b.at("file"), 0o751))
	for _, c := range []struct {
		name, path, old, text string
		want                  core.Code
	}{
		{"no match", "file", "absent", "x", core.ErrNotFound},
		{"several matches", "file", "secret", "x", core.ErrConflict},
		{"empty text", "file", "", "x", core.ErrInvalid},
		{"missing file", "missing", "a", "b", core.ErrNotFound},
		{"directory", "dir", "a", "b", core.ErrIsDirectory},
		{"device", "/dev/null", "a", "b", core.ErrNotRegular},
		{"too large", "file", "one", strings.Repeat("x", 4<<20-100), ""},
	} {
		_, err := b.Edit(ctx, c.path, c.old, c.text, false)
		if c.want == "" {
			require.NoError(t, err, c.name)
			b.put(t, "file", "secret one secret")
			continue
		}
		require.ErrorIs(t, err, c.want, c.name)
		require.NotContains(t, err.Error(), "secret", c.name)
		require.Equal(t, "secret one secret", b.content(t, "file"))
	}
	n, err := b.Edit(ctx, "link", "one", "two", false)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.Equal(t, os.ModeSymlink, b.mode(t, "link").Type())
	require.Equal(t, os.FileMode(0o751), b.mode(t, "file"))

	large := strings.Repeat("x", 17<<20)
	b.put(t, "large", large)
	_, err = b.Edit(ctx, "large", "x", "y", true)
	require.ErrorIs(t, err, core.ErrTooLarge)
	b.put(t, "large", large[:8<<20])
	_, err = b.Edit(ctx, "large", "x", "yyy", true)
	require.ErrorIs(t, err, core.ErrTooLarge)
	require.Equal(t, large[:8<<20], b.content(t, "large"))

	for _, call := range []string{"create", "write", "chmod", "replace"} {
		b.faults.failing(on(call, syscall.ENOSPC))
		_, err = b.Edit(ctx, "file", "two", "three", false)
		require.ErrorIs(t, err, core.ErrResource)
		require.Equal(t, "secret two secret", b.content(t, "file"), call)
	}
	// Somebody else changes the file between its reading and its replacement.
	b.faults.failing(func(call, _ string) error {
		if call == "chmod" {
			return os.WriteFile(b.at("file"), []byte("another two"), 0o600)
		}
		return nil
	})
	_, err = b.Edit(ctx, "file", "two", "three", false)
	require.ErrorIs(t, err, core.ErrConflict)
	b.faults.failing(nil)
	require.Equal(t, "another two", b.content(t, "file"))
	require.Equal(t, []string{"dir", "file", "large", "link"}, b.names(t, "."))
}
