package conformance

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"
	"sync/atomic"
	"time"

	"github.com/caisson-dev/caisson/core"
)

// What reaches a command: arguments, environment, directory, standard input.
func commandCases() []Case {
	return []Case{
		{ID: "execute/args-verbatim", Title: "arguments arrive byte for byte, with no shell between", Level: Core, Run: argsVerbatim},
		{ID: "execute/args-big", Title: "an argument of 100 kB arrives whole", Level: Core, Run: func(e *Env) {
			arg := strings.Repeat("0123456789", 10_000)
			res := e.exec(e.Sandbox(), core.Program("sh", "-c", `printf %s "$1"`, "sh", arg))
			wantBytes(e, "an argument of 100 kB", res.Stdout.Bytes(), []byte(arg))
		}},
		{ID: "execute/env-verbatim", Title: "environment values arrive byte for byte", Level: Core, Run: envVerbatim},
		{ID: "execute/env-ends", Title: "the environment of one command is not that of the next", Level: Core, Run: func(e *Env) {
			sb, key := e.Sandbox(), "ONCE_"+e.Marker
			want(e, "with it", string(e.exec(sb, &core.Command{Shell: "echo $" + key, Env: map[string]string{key: "here"}}).Stdout.Bytes()), "here\n")
			want(e, "the next command", e.sh(sb, "echo ${"+key+"-unset}"), "unset\n")
		}},
		{ID: "execute/env-runtime", Title: "every command sees the runtime's environment, and its own variables win", Level: Core, Run: func(e *Env) {
			sb := e.Own(func(s *core.Spec) { s.Runtime.Env = map[string]string{"FIRST": "one", "SECOND": "a 'b' \"c\"\n$d"} })
			show := `printf '%s|%s' "$FIRST" "$SECOND"`
			want(e, "the runtime's own", e.sh(sb, show), "one|a 'b' \"c\"\n$d")
			want(e, "with FIRST for the command", string(e.exec(sb, &core.Command{Shell: show, Env: map[string]string{"FIRST": "1"}}).Stdout.Bytes()), "1|a 'b' \"c\"\n$d")
			want(e, "the next command", e.sh(sb, show), "one|a 'b' \"c\"\n$d")
		}},
		{ID: "execute/env-host", Title: "nothing of the caller's own environment is in the sandbox", Level: Core, Run: func(e *Env) {
			key := "HOST_" + e.Marker
			if err := os.Setenv(key, "secret"); err != nil {
				e.broken("set a variable of this process", err)
			}
			defer os.Unsetenv(key)
			want(e, "a variable of the caller's", strings.Contains(e.sh(e.Own(), "env"), key), false)
		}},
		{ID: "execute/env-home", Title: "HOME and /tmp can be written", Level: Core, Run: func(e *Env) {
			sb := e.Sandbox()
			want(e, "write and read", e.sh(sb, fmt.Sprintf(`for d in "$HOME" /tmp; do echo kept > "$d/%[1]s" && cat "$d/%[1]s" && rm "$d/%[1]s"; done`, e.Marker)), "kept\nkept\n")
		}},
		{ID: "execute/path-lookup", Title: "a program without a slash is looked up in the PATH that the command will have", Level: Core, Run: func(e *Env) {
			sb := e.Sandbox()
			dir := e.Dir(sb)
			work := strings.TrimSpace(e.sh(sb, "pwd"))
			e.uploadScript(sb, dir+"/tool-"+e.Marker, "#!/bin/sh\necho found \"$1\"\n")
			path := strings.TrimSpace(e.sh(sb, "echo $PATH"))
			res := e.exec(sb, &core.Command{Args: []string{"tool-" + e.Marker, "x y"}, Env: map[string]string{"PATH": work + "/" + dir + ":" + path}})
			want(e, "a tool in the command's PATH", string(res.Stdout.Bytes()), "found x y\n")
			wantExit(e, "without that PATH", e.exec(sb, core.Program("tool-"+e.Marker)), 127)
		}},
		{ID: "execute/dir-default", Title: "commands run in the work directory, which they can write", Level: Core, Run: func(e *Env) {
			sb := e.Sandbox()
			dir := e.Dir(sb)
			e.upload(sb, dir+"/here", []byte("relative"))
			work := e.sh(sb, "pwd")
			want(e, "pwd of a program", string(e.exec(sb, core.Program("pwd")).Stdout.Bytes()), work)
			want(e, "a relative path of a command", e.sh(sb, "cat "+dir+"/here"), "relative")
			if rt := e.Spec().Runtime.WithDefaults(); e.has(core.CapImages) {
				want(e, "the work directory", work, rt.WorkDir+"\n")
			}
		}},
		{ID: "execute/dir", Title: "a command runs in the directory that it names", Level: Core, Run: func(e *Env) {
			sb := e.Sandbox()
			dir := strings.TrimSpace(e.sh(sb, "pwd")) + "/" + e.Dir(sb)
			want(e, "pwd of a script in / ", string(e.exec(sb, &core.Command{Shell: "pwd", Dir: "/"}).Stdout.Bytes()), "/\n")
			want(e, "pwd of a program in "+dir, string(e.exec(sb, &core.Command{Args: []string{"pwd"}, Dir: dir}).Stdout.Bytes()), dir+"\n")
			want(e, "pwd of the next command", strings.HasSuffix(e.sh(sb, "pwd"), e.Marker+"\n"), false)
		}},
		{ID: "execute/dir-unusable", Title: "a directory that is missing, a file, or leads into a kernel tree is invalid, and nothing runs", Level: Core, Run: dirUnusable},
		{ID: "execute/invalid-commands", Title: "a command that cannot be run is invalid, and nothing runs", Level: Core, Run: invalidCommands},
		{ID: "execute/command-unchanged", Title: "Execute does not change the command, which can be used again", Level: Core, Run: func(e *Env) {
			sb := e.Sandbox()
			cmd := &core.Command{Shell: "echo $KEY; pwd", Env: map[string]string{"KEY": "v"}, Dir: "/", Timeout: 10 * time.Second}
			first, second := e.exec(sb, cmd), e.exec(sb, cmd)
			before := &core.Command{Shell: "echo $KEY; pwd", Env: map[string]string{"KEY": "v"}, Dir: "/", Timeout: 10 * time.Second}
			want(e, "the command is as it was after two uses", reflect.DeepEqual(cmd, before), true)
			want(e, "its second output", string(second.Stdout.Bytes()), string(first.Stdout.Bytes()))
		}},
		{ID: "execute/stdin-none", Title: "a command without input reads the end of the file at once", Level: Core, Run: func(e *Env) {
			res := e.exec(e.Sandbox(), &core.Command{Shell: "cat; echo end", Timeout: 3 * time.Second})
			wantExit(e, "cat; echo end", res, 0)
			want(e, "its output", string(res.Stdout.Bytes()), "end\n")
		}},
		{ID: "execute/stdin-echo", Title: "input of 10 MB comes back from cat byte for byte, and its end is seen", Level: Core, Run: func(e *Env) {
			data := noise(10_000_000)
			var out bytes.Buffer
			res := e.exec(e.Sandbox(), &core.Command{Args: []string{"cat"}, Stdin: bytes.NewReader(data), Stdout: &out})
			wantExit(e, "cat", res, 0)
			wantBytes(e, "cat of 10 MB", out.Bytes(), data)
		}},
		{ID: "execute/stdin-unread", Title: "input that the command does not read holds nothing up", Level: Core, Run: func(e *Env) {
			sb := e.Sandbox()
			e.within(5*time.Second, "true with 10 MB of input", func() {
				wantExit(e, "true", e.exec(sb, &core.Command{Args: []string{"true"}, Stdin: bytes.NewReader(noise(10_000_000))}), 0)
			})
		}},
		{ID: "execute/stdin-blocked", Title: "Execute does not wait for a blocked input once the command has ended", Level: Core, Run: func(e *Env) {
			sb := e.Sandbox()
			r, w := io.Pipe()
			e.Cleanup(func() { _ = w.Close() })
			e.within(5*time.Second, "true with an input that never comes", func() {
				wantExit(e, "true", e.exec(sb, &core.Command{Args: []string{"true"}, Stdin: r}), 0)
			})
		}},
		{ID: "execute/stdin-fails", Title: "an input that fails ends the command, and its error comes back", Level: Core, Run: func(e *Env) {
			err := stdinBreaks(e, failing{errSource})
			want(e, fmt.Sprintf("error %v tells the input's", err), err != nil && strings.Contains(err.Error(), errSource.Error()), true)
		}},
		{ID: "execute/stdin-panics", Title: "an input that panics ends its own command only", Level: Gold, Run: func(e *Env) { _ = stdinBreaks(e, panicking{}) }},
		{ID: "execute/stdin-let-go", Title: "no Read of the input begins once Execute has returned", Level: Core, Run: func(e *Env) {
			in := new(trickle)
			wantExit(e, "read one line of an endless input", e.exec(e.Sandbox(), &core.Command{Shell: "read -r line", Stdin: in}), 0)
			in.letGo(e)
		}},
	}
}

func argsVerbatim(e *Env) {
	args := []string{
		"", " ", "a b", "a\nb", "tab\t", "'", `"`, `\`, `\n`, "$HOME", "${PATH}", "`id`", "$(id)", "*", "~", "-rf", "--", "&&", ";", "|", ">x", "ünï→", "\xff\xfe", "%s%d", "last ",
	}
	var expected bytes.Buffer
	for _, a := range args {
		expected.WriteString(a)
		expected.WriteByte('|')
	}
	script := []string{"sh", "-c", `for a; do printf '%s|' "$a"; done`, "sh"}
	res := e.exec(e.Sandbox(), core.Program(script[0], append(script[1:], args...)...))
	wantBytes(e, "arguments", res.Stdout.Bytes(), expected.Bytes())
	res = e.exec(e.Sandbox(), core.Program("echo", "$HOME", "`id`", ";", "*"))
	want(e, "program echo", string(res.Stdout.Bytes()), "$HOME `id` ; *\n")
}

func envVerbatim(e *Env) {
	for name, value := range map[string]string{
		"empty": "", "newline": "a\nb\n", "quotes": `'"'"`, "dollar": "$HOME ${PATH}", "backslash": "a\\\nb\\", "hash": "#x", "equals": "a=b=c",
		"unicode": "ünï", "bytes": "\xff\x01", "big": strings.Repeat("v", 100_000),
	} {
		cmd := &core.Command{Shell: `printf '%s|' "$VALUE"`, Env: map[string]string{"VALUE": value}}
		wantBytes(e, "a value with "+name, e.exec(e.Sandbox(), cmd).Stdout.Bytes(), []byte(value+"|"))
	}
}

func dirUnusable(e *Env) {
	sb := e.Sandbox()
	dir := strings.TrimSpace(e.sh(sb, "pwd")) + "/" + e.Dir(sb)
	e.sh(sb, fmt.Sprintf("cd %s; echo text > file; ln -s /proc/self proc; ln -s / root", dir))
	for _, d := range []string{
		dir + "/missing", dir + "/file", dir + "/proc", dir + "/root/proc/self/fd", "relative", "./relative", "/proc/self/fd/7", "/proc/1/root", "/sys", "/dev/shm/..", "/" + strings.Repeat("x/", 3000), "/\x00",
	} {
		res, err := sb.Execute(e.Context(), &core.Command{Shell: "echo ran > " + dir + "/ran", Dir: d})
		wantCode(e, fmt.Sprintf("run in %.60q", d), err, core.ErrInvalid)
		want(e, fmt.Sprintf("run in %.60q: no result", d), res == nil, true)
	}
	want(e, "nothing ran", e.sh(sb, "ls "+dir), "file\nproc\nroot\n")
}

func invalidCommands(e *Env) {
	sb := e.Sandbox()
	dir := e.Dir(sb)
	mark := "echo ran > " + dir + "/ran"
	for name, cmd := range map[string]*core.Command{
		"nil":                    nil,
		"neither Args nor Shell": {Env: map[string]string{"A": "b"}},
		"both Args and Shell":    {Args: []string{"sh", "-c", mark}, Shell: mark},
		"an empty program":       {Args: []string{"", mark}},
		"a NUL in an argument":   {Args: []string{"sh", "-c", mark, "\x00"}},
		"an argument too large":  {Args: []string{"sh", "-c", mark, strings.Repeat("x", core.MaxArgBytes+1)}},
		"too many arguments":     {Args: append([]string{"sh", "-c", mark}, many(strings.Repeat("x", 100<<10), 12)...)},
		"a negative timeout":     {Shell: mark, Timeout: -1},
		"a negative limit":       {Shell: mark, OutputLimit: -1},
		"a bad variable":         {Shell: mark, Env: map[string]string{"A-B": ""}},
		"a variable with =":      {Shell: mark, Env: map[string]string{"A=B": ""}},
		"a NUL in a variable":    {Shell: mark, Env: map[string]string{"A": "\x00"}},
	} {
		_, err := sb.Execute(e.Context(), cmd)
		wantCode(e, "execute with "+name, err, core.ErrInvalid)
	}
	want(e, "nothing ran", e.sh(sb, "ls "+dir), "")
}

// stdinBreaks runs a command with half an input and then a broken one. What takes
// the half for all must not go on, so it looks for the command's processes too.
func stdinBreaks(e *Env, broken io.Reader) (err error) {
	sb := e.Sandbox()
	dir := e.Dir(sb)
	e.sh(sb, ": > "+dir+"/pids")
	e.within(5*time.Second, "cat of an input that breaks", func() {
		_, err = sb.Execute(e.Context(), &core.Command{
			Shell: "echo $$ > " + dir + "/pids; cat > /dev/null && echo all > " + dir + "/all; sleep 60",
			Stdin: io.MultiReader(strings.NewReader("half"), broken),
		})
	})
	wantCode(e, "an input that breaks", err, core.ErrInvalid)
	e.gone(sb, dir)
	want(e, "what took the half for all", e.sh(sb, "cat "+dir+"/all 2>/dev/null || true"), "")
	return err
}

// trickle is an endless input of one line a millisecond, which counts who reads it.
type trickle struct{ begun atomic.Int64 }

func (r *trickle) Read(p []byte) (int, error) {
	r.begun.Add(1)
	time.Sleep(time.Millisecond)
	return copy(p, "line\n"), nil
}

// letGo reports an input that is read though the call has returned.
func (r *trickle) letGo(e *Env) {
	e.Helper()
	before := r.begun.Load()
	time.Sleep(300 * time.Millisecond)
	want(e, "Reads that began after the call", r.begun.Load()-before, 0)
}

func many(s string, n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = s
	}
	return list
}
