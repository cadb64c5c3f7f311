package conformance

import (
	"context"
	"io"
	"strings"
	"time"

	"github.com/caisson-dev/caisson/core"
)

// What a command leaves in the background, and who talks while it runs.
func backgroundCases() []Case {
	return []Case{
		{ID: "execute/background-does-not-delay", Title: "a background child that holds the output open does not delay the result", Level: Core, Run: func(e *Env) {
			sb := e.Sandbox()
			e.within(3*time.Second, "sleep 60 & echo hi", func() {
				res := e.exec(sb, &core.Command{Shell: "sleep 60 & echo $! >&2; echo hi", Timeout: 10 * time.Second})
				wantExit(e, "sleep 60 & echo hi", res, 0)
				want(e, "its output", string(res.Stdout.Bytes()), "hi\n")
				e.sh(sb, "kill -9 "+strings.TrimSpace(string(res.Stderr.Bytes())))
			})
		}},
		{ID: "execute/background-writer", Title: "a background child does not delay the result either when writers and an input are set", Level: Core, Run: func(e *Env) {
			sb := e.Sandbox()
			r, w := io.Pipe()
			e.Cleanup(func() { _ = w.Close() })
			out, errs := newSignalWriter(), newSignalWriter()
			e.within(3*time.Second, "sleep 60 & echo hi, with writers and an input that does not end", func() {
				res := e.exec(sb, &core.Command{Shell: "sleep 60 & echo $! >&2; echo hi", Stdin: r, Stdout: out, Stderr: errs})
				wantExit(e, "sleep 60 & echo hi", res, 0)
			})
			want(e, "its output", out.String(), "hi\n")
			e.sh(sb, "kill -9 "+strings.TrimSpace(errs.String()))
		}},
		{ID: "execute/background-lives", Title: "a background child lives on after its command", Level: Core, Run: func(e *Env) {
			sb := e.Sandbox()
			dir := e.Dir(sb)
			e.sh(sb, "sh -c 'sleep 0.3; echo alive > "+dir+"/proof' & true")
			e.eventually(5*time.Second, "the background child writes its file", func() bool {
				return e.sh(sb, "cat "+dir+"/proof 2>/dev/null || true") == "alive\n"
			})
		}},
		{ID: "execute/background-writes", Title: "a background child that goes on writing to its command's outputs neither stalls nor dies of it", Level: Core, Run: func(e *Env) {
			sb := e.Sandbox()
			dir := e.Dir(sb)
			e.sh(sb, "cd "+dir+"; (until [ -e go ]; do sleep 0.05; done; head -c 300000 /dev/zero && head -c 300000 /dev/zero >&2 && echo alive > proof) & echo hi")
			e.sh(sb, "touch "+dir+"/go")
			e.eventually(5*time.Second, "the background child writes its file", func() bool {
				return e.sh(sb, "cat "+dir+"/proof 2>/dev/null || true") == "alive\n"
			})
		}},
		{ID: "streams/live-stderr", Title: "a writer of stderr gets output while the command runs", Level: Core, Run: func(e *Env) {
			r, w := io.Pipe()
			errs := newSignalWriter()
			b := e.execute(e.Context(), e.Sandbox(), &core.Command{Shell: "echo ready >&2; read -r line; echo \"got $line\" >&2; read -r line; echo out", Stdin: r, Stderr: errs})
			e.Cleanup(func() { _ = w.Close() })
			e.await(errs, "ready\n")
			_, _ = io.WriteString(w, "this\n")
			e.await(errs, "ready\ngot this\n")
			_ = w.Close()
			if e.ended(b, 5*time.Second, "the command after the end of its input") && b.err == nil {
				want(e, "captured stdout", string(b.res.Stdout.Bytes()), "out\n")
			}
			want(e, "error", b.err, nil)
		}},
		{ID: "kill/timeout-stdin", Title: "a timeout and a cancelled context end a command that waits for an input which does not come", Level: Core, Run: func(e *Env) {
			sb := e.Sandbox()
			r, w := io.Pipe()
			e.Cleanup(func() { _ = w.Close() })
			e.within(3*time.Second, "cat with a timeout of 500 ms", func() {
				res := e.exec(sb, &core.Command{Args: []string{"cat"}, Stdin: r, Timeout: 500 * time.Millisecond})
				want(e, "Reason", res.Reason, core.TimedOut)
			})
			ctx, cancel := context.WithTimeout(e.Context(), 500*time.Millisecond)
			defer cancel()
			e.within(3*time.Second, "cat under a deadline of 500 ms", func() {
				_, err := sb.Execute(ctx, &core.Command{Args: []string{"cat"}, Stdin: r})
				wantError(e, "cat under a deadline", err, context.DeadlineExceeded)
			})
		}},
	}
}
