package conformance

import (
	"fmt"
	"strings"
	"time"

	"github.com/caisson-dev/caisson/core"
)

// How a command ends, and what its Result says.
func executeCases() []Case {
	return []Case{
		{ID: "execute/success", Title: "exit status 0 is a success", Level: Core, Run: func(e *Env) {
			res := e.exec(e.Sandbox(), core.Shell("true"))
			wantExit(e, "sh: true", res, 0)
			want(e, "Signal of true", res.Signal, "")
			want(e, "output of true", len(res.Stdout.Bytes())+len(res.Stderr.Bytes())+len(res.Combined.Bytes()), 0)
		}},
		{ID: "execute/exit-codes", Title: "a non-zero exit status is a result with that status, whatever its number", Level: Core, Run: exitCodes},
		{ID: "execute/signals", Title: "death by a signal is a result that names the signal and has no exit code", Level: Core, Run: signals},
		{ID: "execute/child-signal", Title: "a shell that reports the death of its child has exited by itself", Level: Core, Run: func(e *Env) {
			wantExit(e, "sh: sh -c 'kill -KILL $$'; exit $?", e.exec(e.Sandbox(), core.Shell("sh -c 'kill -KILL $$'; exit $?")), 128+9)
		}},
		{ID: "execute/missing-program", Title: "a program that does not exist is a result with exit status 127", Level: Core, Run: func(e *Env) {
			for _, name := range []string{"no-such-program-" + e.Marker, "/no/such/" + e.Marker, "./" + e.Marker} {
				res := e.exec(e.Sandbox(), core.Program(name))
				wantExit(e, fmt.Sprintf("program %q", name), res, 127)
				want(e, fmt.Sprintf("program %q: it is named on stderr", name), strings.Contains(string(res.Stderr.Bytes()), name), true)
			}
		}},
		{ID: "execute/not-executable", Title: "a file that cannot be executed is a result with exit status 126", Level: Core, Run: func(e *Env) {
			sb := e.Sandbox()
			dir := e.Dir(sb)
			e.upload(sb, dir+"/plain", []byte("text"))
			for _, name := range []string{"./" + dir + "/plain", "./" + dir, "/"} {
				wantExit(e, fmt.Sprintf("program %q", name), e.exec(sb, core.Program(name)), 126)
			}
		}},
		{ID: "execute/duration", Title: "Duration is the time that the command took", Level: Core, Run: func(e *Env) {
			sb := e.Sandbox()
			start := time.Now()
			res := e.exec(sb, core.Program("sleep", "0.3"))
			passed := time.Since(start)
			want(e, fmt.Sprintf("sleep 0.3 in %v: Duration %v between them", passed, res.Duration), res.Duration >= 290*time.Millisecond && res.Duration <= passed, true)
		}},
		{ID: "execute/usage", Title: "resource usage that is reported is real, never a made-up 0", Level: Core, Run: func(e *Env) {
			res := e.exec(e.Sandbox(), core.Shell("head -c 16777216 /dev/zero | tr '\\0' x | sha256sum"))
			if res.Usage == nil {
				e.Logf("the driver knows no usage")
				return
			}
			u := *res.Usage
			want(e, fmt.Sprintf("hash 16 MiB: usage %+v has CPU time", u), u.UserTime+u.SystemTime > 0, true)
		}},
		{ID: "execute/no-exit-code", Title: "a command that did not exit by itself has no exit code", Level: Core, Run: func(e *Env) {
			want(e, "exit code after a timeout", e.exec(e.Sandbox(), &core.Command{Args: []string{"sleep", "60"}, Timeout: 200 * time.Millisecond}).ExitCode, core.NoExitCode)
		}},
		{ID: "execute/files-persist", Title: "what one command writes the next one reads", Level: Core, Run: func(e *Env) {
			sb := e.Sandbox()
			dir := e.Dir(sb)
			e.sh(sb, "echo hello > "+dir+"/greeting.txt")
			want(e, "cat of the file", e.sh(sb, "cat "+dir+"/greeting.txt"), "hello\n")
		}},
		{ID: "execute/shell-state-ends", Title: "variables and the directory of one command are not those of the next", Level: Core, Run: func(e *Env) {
			sb := e.Sandbox()
			before := e.sh(sb, "pwd")
			e.sh(sb, "cd /; STATE_"+e.Marker+"=1; export STATE_"+e.Marker)
			want(e, "the next command", e.sh(sb, "pwd; echo ${STATE_"+e.Marker+"-unset}"), before+"unset\n")
		}},
		{ID: "execute/shell-script", Title: "Shell is a script: lines, pipes, here-documents, substitutions", Level: Core, Run: func(e *Env) {
			script := "n=0\nfor i in 3 1 2; do echo $i; done | sort | tr '\\n' ' '\ncat <<END\n$(echo here) $((n + 2))\nEND\nif [ $n -eq 0 ]; then echo done; fi\n"
			want(e, "the script's output", e.sh(e.Sandbox(), script), "1 2 3 here 2\ndone\n")
		}},
		{ID: "execute/shell-dash", Title: "a script that begins as an option does is a script", Level: Core, Run: func(e *Env) {
			for _, script := range []string{"-x", "-c", "--", "+x"} {
				wantExit(e, fmt.Sprintf("the script %q, which names no program", script), e.exec(e.Sandbox(), core.Shell(script)), 127)
			}
			want(e, "-x || echo script", e.sh(e.Sandbox(), "-x 2>/dev/null || echo script"), "script\n")
		}},
		{ID: "execute/own-124", Title: "a command that exits with 124 by itself has not timed out", Level: Core, Run: func(e *Env) {
			wantExit(e, "exit 124 with a timeout of a minute", e.exec(e.Sandbox(), &core.Command{Shell: "exit 124", Timeout: time.Minute}), 124)
		}},
		{ID: "execute/broken-pipe", Title: "a program that writes to a closed pipe dies of it", Level: Core, Run: func(e *Env) {
			res := e.exec(e.Sandbox(), &core.Command{Shell: "yes | head -n 1", Timeout: 10 * time.Second})
			wantExit(e, "yes | head -n 1", res, 0)
			want(e, "its output", string(res.Stdout.Bytes())+string(res.Stderr.Bytes()), "y\n")
		}},
	}
}

func exitCodes(e *Env) {
	sb := e.Sandbox()
	for _, code := range []int{1, 2, 77, 125, 126, 127, 128, 137, 255} {
		wantExit(e, fmt.Sprintf("exit %d", code), e.exec(sb, core.Shell(fmt.Sprintf("exit %d", code))), code)
	}
	wantExit(e, "program false", e.exec(sb, core.Program("false")), 1)
}

func signals(e *Env) {
	sb := e.Sandbox()
	for _, name := range []string{"TERM", "KILL", "SEGV", "ABRT", "HUP"} {
		res := e.exec(sb, core.Shell("echo before; kill -"+name+" $$; sleep 5"))
		done := "kill -" + name + " $$"
		want(e, done+": Reason", res.Reason, core.Signaled)
		want(e, done+": Signal", res.Signal, "SIG"+name)
		want(e, done+": ExitCode", res.ExitCode, core.NoExitCode)
		want(e, done+": output before it", string(res.Stdout.Bytes()), "before\n")
	}
}

// wantExit reports a command that did not exit by itself with this status.
func wantExit(e *Env, done string, res *core.Result, code int) {
	e.Helper()
	if res.Reason != core.Exited || res.ExitCode != code || res.Signal != "" {
		e.Errorf("%s: expected exit code %d, got %s", done, code, ending(res))
	}
}
