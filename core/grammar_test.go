package core_test

import (
	"path"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
)

func TestCleanPath(t *testing.T) {
	for in, want := range map[string]string{
		".": ".", "./": ".", "a": "a", "./a": "a", "a/./b//c": "a/b/c", "a/../b": "b", "a/b/": "a/b", "a/..": ".", "..a": "..a", "a..": "a..", "...": "...", "notes..md": "notes..md",
		"/": "/", "/..": "/", "/a/../../b": "/b", "//a": "/a", "/workspace/x": "/workspace/x", "/procs": "/procs", "/system": "/system", "/dev/null": "/dev/null",
		" ": " ", "~": "~", "-rf": "-rf", "a\nb": "a\nb", "\xff": "\xff", "$(x)": "$(x)",
		strings.Repeat("x", core.MaxPathBytes): strings.Repeat("x", core.MaxPathBytes),
	} {
		got, err := core.CleanPath(in)
		require.NoError(t, err, "%q", in)
		require.Equal(t, want, got, "%q", in)
	}
	for _, in := range []string{
		"", "..", "../", "../x", "a/../..", "a/../../x", "./../x", "a\x00b", "\x00", "/proc", "/proc/", "/proc/self/environ", "/sys/x", "//proc/1", "/x/../proc/1", strings.Repeat("x", core.MaxPathBytes+1),
	} {
		_, err := core.CleanPath(in)
		require.ErrorIs(t, err, core.ErrInvalid, "%q", in)
	}
}

func TestCleanFilePath(t *testing.T) {
	got, err := core.CleanFilePath("./a//b")
	require.NoError(t, err)
	require.Equal(t, "a/b", got)
	for in, code := range map[string]core.Code{".": core.ErrInvalid, "./": core.ErrInvalid, "a/..": core.ErrInvalid, "a/": core.ErrIsDirectory, "/a/": core.ErrIsDirectory, "../a/": core.ErrInvalid} {
		_, err := core.CleanFilePath(in)
		require.ErrorIs(t, err, code, "%q", in)
	}
}

// FuzzCleanPath: a clean path stays where it is when it is cleaned again, and a
// relative one, joined to a directory, stays in it.
func FuzzCleanPath(f *testing.F) {
	for _, p := range []string{"a/../../b", "..", "/proc/../proc", "a//b/./c", "....//", "..\x00/", "/..//../x"} {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, p string) {
		clean, err := core.CleanPath(p)
		if err != nil {
			require.ErrorIs(t, err, core.ErrInvalid)
			return
		}
		again, err := core.CleanPath(clean)
		require.NoError(t, err)
		require.Equal(t, clean, again)
		require.NotContains(t, clean, "\x00")
		joined := path.Join("/work/dir", clean)
		if !path.IsAbs(clean) {
			require.True(t, joined == "/work/dir" || strings.HasPrefix(joined, "/work/dir/"), "%q leads to %q", p, joined)
		} else {
			require.False(t, clean == "/proc" || strings.HasPrefix(clean, "/proc/") || clean == "/sys" || strings.HasPrefix(clean, "/sys/"))
		}
	})
}

func TestCommandIsValidated(t *testing.T) {
	big := strings.Repeat("x", core.MaxArgBytes)
	for name, cmd := range map[string]*core.Command{
		"args": core.Program("ls", "-l", ""), "shell": core.Shell("true"), "largest argument": core.Program("echo", big),
		"everything":         {Args: []string{"x"}, Dir: "/a/../b", Env: map[string]string{"_A1": "\n$x'\xff"}, Timeout: 1, OutputLimit: 1},
		"largest variable":   {Args: []string{"x"}, Env: map[string]string{"K": big[:len(big)-2]}},
		"a name of a tree":   {Args: []string{"x"}, Dir: "/procs"},
		"invalid UTF-8":      core.Program("\xff", "\xfe"),
		"the whole megabyte": {Args: append([]string{"x"}, repeat(big, 7)...)},
	} {
		require.NoError(t, cmd.Validate(), name)
	}
	for name, cmd := range map[string]*core.Command{
		"nil": nil, "neither": {}, "both": {Args: []string{"x"}, Shell: "y"}, "empty program": {Args: []string{"", "x"}},
		"timeout": {Shell: "x", Timeout: -1}, "limit": {Shell: "x", OutputLimit: -1},
		"NUL in an argument": core.Program("a", "b\x00"), "NUL in a script": core.Shell("a\x00"), "too large an argument": core.Program("a", big+"x"), "too large a script": core.Shell(big + "x"),
		"too much":   {Args: append([]string{"x"}, repeat(big, 9)...)},
		"key with =": {Shell: "x", Env: map[string]string{"A=B": ""}}, "empty key": {Shell: "x", Env: map[string]string{"": ""}}, "key with a digit first": {Shell: "x", Env: map[string]string{"1A": ""}},
		"key with a line end": {Shell: "x", Env: map[string]string{"A\n": ""}}, "NUL in a value": {Shell: "x", Env: map[string]string{"A": "\x00"}}, "too large a variable": {Shell: "x", Env: map[string]string{"K": big[1:]}},
		"relative": {Shell: "x", Dir: "a"}, "dot": {Shell: "x", Dir: "."}, "proc": {Shell: "x", Dir: "/proc/self/fd/7"}, "proc behind dots": {Shell: "x", Dir: "/a/../proc"}, "sys": {Shell: "x", Dir: "/sys"}, "dev": {Shell: "x", Dir: "/dev/shm"},
		"NUL in the directory": {Shell: "x", Dir: "/a\x00"}, "too long a directory": {Shell: "x", Dir: "/" + strings.Repeat("x", core.MaxPathBytes)},
	} {
		require.ErrorIs(t, cmd.Validate(), core.ErrInvalid, name)
	}
}

func TestArgv(t *testing.T) {
	require.Equal(t, []string{"a", "b c"}, core.Program("a", "b c").Argv())
	require.Equal(t, []string{"/bin/sh", "-c", "--", "a; b"}, core.Shell("a; b").Argv())
}

func TestValidationShowsNoValues(t *testing.T) {
	secret := "secret\x00"
	require.NotContains(t, (&core.Command{Shell: "x", Env: map[string]string{"A": secret}}).Validate().Error(), "secret")
	require.NotContains(t, (&core.Runtime{Image: "a", Env: map[string]string{"A": secret}}).Validate().Error(), "secret")
}

func repeat(s string, n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = s
	}
	return list
}
