package conformance

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/caisson-dev/caisson/core"
)

// A timeout and a cancelled context end every process that the command started.

// sleeper is a process that notes its id in $D/pids and stays.
const sleeper = `sh -c 'echo $$ >> "$D/pids"; exec sleep 300'`

// trees are what a kill of the command alone, or of its process group, leaves behind.
var trees = []struct{ name, title, script string }{
	{"plain", "the command itself", "exec " + sleeper},
	{"children", "its children", sleeper + " & " + sleeper + " & " + sleeper},
	{"pipeline", "a pipeline", sleeper + " | " + sleeper + " | " + sleeper},
	{"setsid", "children in sessions of their own", "setsid " + sleeper + " & setsid " + sleeper + " & " + sleeper},
	{"double-fork", "grandchildren whose parent has ended", "(setsid " + sleeper + " &); (" + sleeper + " &); " + sleeper},
	{"nohup", "children that ignore the hang-up", "nohup " + sleeper + " >/dev/null 2>&1 & " + sleeper},
	{"ignores-term", "processes that ignore every signal that can be ignored", "trap '' TERM HUP INT; " + sleeper + " & " + sleeper + "; " + sleeper + "; " + sleeper},
	{"stopped", "children that are stopped", `stop() { while ! grep -q "^$1$" "$D/pids"; do sleep 0.01; done; kill -STOP $1; }; ` + sleeper + " & stop $!; setsid " + sleeper + " & stop $!; " + sleeper},
	{"silent", "processes that have closed their output", sleeper + " >/dev/null 2>&1 </dev/null & exec " + sleeper + " >/dev/null 2>&1"},
	{"forking", "children that keep forking", "while :; do setsid " + sleeper + " & sleep 0.02; done & while :; do " + sleeper + " & sleep 0.02; done"},
}

func killCases() []Case {
	cases := []Case{
		{ID: "kill/timeout-result", Title: "a timeout is a result: timed out, without exit code, with the output so far, in time", Level: Core, Run: timeoutResult},
		{ID: "kill/cancel-result", Title: "a cancelled context is its error, with the result so far, at once", Level: Core, Run: cancelResult},
		{ID: "kill/deadline", Title: "a context's deadline is its error with the result so far, not a timeout of the command", Level: Core, Run: func(e *Env) {
			sb := e.Sandbox()
			ctx, cancel := context.WithTimeout(e.Context(), time.Second)
			defer cancel()
			res, err := sb.Execute(ctx, core.Shell("echo early; sleep 60"))
			wantCode(e, "sleep 60 under a deadline", err, core.ErrCanceled)
			wantError(e, "sleep 60 under a deadline", err, context.DeadlineExceeded)
			if res == nil {
				e.Fatalf("sleep 60 under a deadline: expected the result so far, got nil")
			}
			want(e, "Reason", res.Reason, core.Canceled)
			want(e, "ExitCode", res.ExitCode, core.NoExitCode)
			want(e, "stdout so far", string(res.Stdout.Bytes()), "early\n")
		}},
		{ID: "kill/context-ended", Title: "with a context that has ended nothing runs", Level: Core, Run: func(e *Env) {
			sb := e.Sandbox()
			dir := e.Dir(sb)
			ctx, cancel := context.WithCancel(e.Context())
			cancel()
			_, err := sb.Execute(ctx, core.Shell("echo ran > "+dir+"/ran"))
			wantError(e, "execute", err, context.Canceled)
			time.Sleep(100 * time.Millisecond)
			want(e, "what ran", e.sh(sb, "ls "+dir), "")
		}},
		{ID: "kill/timeout-unused", Title: "a command that ends before its timeout is not touched by it", Level: Core, Run: func(e *Env) {
			res := e.exec(e.Sandbox(), &core.Command{Shell: "sleep 0.1; echo done; exit 5", Timeout: 10 * time.Second})
			wantExit(e, "the command", res, 5)
			want(e, "its output", string(res.Stdout.Bytes()), "done\n")
		}},
		{ID: "kill/timeout-tiny", Title: "a timeout of a millisecond is a timeout", Level: Core, Run: func(e *Env) {
			sb := e.Sandbox()
			for range 5 {
				want(e, "Reason", e.exec(sb, &core.Command{Args: []string{"sleep", "60"}, Timeout: time.Millisecond}).Reason, core.TimedOut)
			}
		}},
		{ID: "kill/timeout-flood", Title: "a timeout ends a command that never stops writing", Level: Core, Run: func(e *Env) {
			sb := e.Sandbox()
			e.within(3*time.Second, "yes with a timeout of 300 ms", func() {
				res := e.exec(sb, &core.Command{Args: []string{"yes"}, Timeout: 300 * time.Millisecond, OutputLimit: 1000})
				want(e, "Reason", res.Reason, core.TimedOut)
				want(e, "truncated", res.Stdout.Truncated, true)
				want(e, "kept", len(res.Stdout.Bytes()), 1000)
			})
		}},
		{ID: "kill/sandbox-lives", Title: "after a timeout the sandbox works on, with its files", Level: Core, Run: func(e *Env) {
			sb := e.Sandbox()
			dir := e.Dir(sb)
			res := e.exec(sb, &core.Command{Shell: "echo kept > " + dir + "/file; sleep 60", Timeout: 500 * time.Millisecond})
			want(e, "Reason", res.Reason, core.TimedOut)
			want(e, "the file, by the next command", e.sh(sb, "cat "+dir+"/file"), "kept\n")
		}},
		{ID: "kill/spares-others", Title: "a kill touches no process of another command, running or left in the background", Level: Core, Run: sparesOthers},
		{ID: "kill/together", Title: "many timeouts at once all come in time", Level: Extended, Run: func(e *Env) {
			sb := e.Sandbox()
			var all []*background
			for range 20 {
				all = append(all, e.execute(e.Context(), sb, &core.Command{Shell: "sleep 60 & sleep 60", Timeout: 300 * time.Millisecond}))
			}
			e.within(5*time.Second, "20 commands with a timeout of 300 ms", func() {
				for _, b := range all {
					if e.ended(b, 10*time.Second, "a command with a timeout of 300 ms") && b.err == nil {
						want(e, "Reason", b.res.Reason, core.TimedOut)
					}
				}
			})
		}},
		{ID: "kill/restart-truth", Title: "a timeout that nothing but a restart of the sandbox can keep is kept, and the result says so", Level: Gold, Serial: true, Requires: core.CapIsolation, Run: restartTruth},
		{ID: "kill/stopped-runner", Title: "a command that stops all others keeps no call beyond its time, also while a file is on its way", Level: Gold, Serial: true, Requires: core.CapIsolation, Run: stoppedRunner},
		{ID: "kill/storm", Title: "of 40 hostile trees, timed out and cancelled, not one process is left", Level: Gold, Serial: true, Timeout: 3 * time.Minute, Run: storm},
	}
	for _, tree := range trees {
		cases = append(cases, Case{
			ID: "kill/timeout-" + tree.name, Level: Core, Title: "a timeout ends " + tree.title,
			Run: func(e *Env) { e.killTree(e.Sandbox(), e.Dir(e.Sandbox()), tree.script, false) },
		})
	}
	for _, i := range []int{3, 4, 6} {
		tree := trees[i]
		cases = append(cases, Case{
			ID: "kill/cancel-" + tree.name, Level: Core, Title: "a cancelled context ends " + tree.title,
			Run: func(e *Env) { e.killTree(e.Sandbox(), e.Dir(e.Sandbox()), tree.script, true) },
		})
	}
	return cases
}

// killTree runs the script of a tree, ends it and looks for what is left. It notes the tree's processes in dir.
func (e *Env) killTree(sb core.Backend, dir, script string, cancel bool) {
	e.Helper()
	e.sh(sb, "mkdir -p "+dir+"; : > "+dir+"/pids")
	ctx, stop := context.WithCancel(e.Context())
	defer stop()
	cmd := &core.Command{Shell: "D=" + dir + "; export D; echo early; " + script}
	if !cancel {
		cmd.Timeout = 600 * time.Millisecond
	}
	b := e.execute(ctx, sb, cmd)
	if cancel {
		e.eventually(10*time.Second, "the tree has begun", func() bool { return e.sh(sb, "cat "+dir+"/pids") != "" })
		stop()
	}
	if !e.ended(b, 5*time.Second, "the command") {
		return
	}
	reason := core.TimedOut
	if cancel {
		reason = core.Canceled
		wantError(e, "the command", b.err, context.Canceled)
	} else {
		want(e, "error of the command", b.err, nil)
	}
	if b.res != nil {
		want(e, "Reason", b.res.Reason, reason)
		want(e, "output so far", strings.HasPrefix(string(b.res.Stdout.Bytes()), "early\n"), true)
	}
	if got := e.sh(sb, "cat "+dir+"/pids"); got == "" {
		e.Errorf("the tree never began")
	}
	e.gone(sb, dir)
}

// gone reports the processes that noted their ids in dir/pids and still live. It
// gives those that were killed a moment to be reaped.
func (e *Env) gone(sb core.Backend, dir string) {
	e.Helper()
	script := "for p in $(cat " + dir + "/pids); do kill -0 $p 2>/dev/null && echo $p; done; true"
	left := ""
	for range 20 {
		if left = e.sh(sb, script); left == "" {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	e.Errorf("end of the command: expected every process gone, %d live", len(strings.Fields(left)))
	e.sh(sb, "kill -9 "+strings.Join(strings.Fields(left), " ")+" 2>/dev/null; true")
}

func timeoutResult(e *Env) {
	sb := e.Sandbox()
	start := time.Now()
	res, err := sb.Execute(e.Context(), &core.Command{Shell: "echo early; echo problem >&2; sleep 300", Timeout: time.Second})
	took := time.Since(start)
	if err != nil || res == nil {
		e.Fatalf("sleep 300 with a timeout of 1 s: expected a result, got %v and error %v", res, err)
	}
	want(e, "Reason", res.Reason, core.TimedOut)
	want(e, "ExitCode", res.ExitCode, core.NoExitCode)
	want(e, "stdout so far", string(res.Stdout.Bytes()), "early\n")
	want(e, "stderr so far", string(res.Stderr.Bytes()), "problem\n")
	want(e, fmt.Sprintf("1 s <= %v <= 3 s", took), took >= time.Second && took <= 3*time.Second, true)
	want(e, "Success", res.Success(), false)
}

func cancelResult(e *Env) {
	sb := e.Sandbox()
	dir := e.Dir(sb)
	ctx, cancel := context.WithCancel(e.Context())
	defer cancel()
	b := e.execute(ctx, sb, core.Shell("echo early; echo up > "+dir+"/up; sleep 300"))
	e.started(sb, dir+"/up", "up\n")
	cancel()
	if !e.ended(b, 2*time.Second, "the cancelled command") {
		return
	}
	wantCode(e, "the cancelled command", b.err, core.ErrCanceled)
	wantError(e, "the cancelled command", b.err, context.Canceled)
	if b.res == nil {
		e.Fatalf("the cancelled command: expected the result so far, got nil")
	}
	want(e, "Reason", b.res.Reason, core.Canceled)
	want(e, "ExitCode", b.res.ExitCode, core.NoExitCode)
	want(e, "stdout so far", string(b.res.Stdout.Bytes()), "early\n")
}

func sparesOthers(e *Env) {
	sb := e.Sandbox()
	dir := e.Dir(sb)
	left := strings.TrimSpace(e.sh(sb, "sleep 100 & echo $!"))
	other := e.execute(e.Context(), sb, core.Shell("echo up > "+dir+"/up; while [ ! -e "+dir+"/stop ]; do sleep 0.05; done; echo finished"))
	e.started(sb, dir+"/up", "up\n")
	res := e.exec(sb, &core.Command{Shell: "sleep 60 & setsid sleep 60 & sleep 60", Timeout: 300 * time.Millisecond})
	want(e, "Reason", res.Reason, core.TimedOut)
	want(e, "Restarted", res.Restarted, false)
	want(e, "the background process of an earlier command", e.sh(sb, "kill -9 "+left+" && echo lived"), "lived\n")
	e.sh(sb, "touch "+dir+"/stop")
	if e.ended(other, 5*time.Second, "the other command") && other.err == nil {
		wantExit(e, "the other command", other.res, 0)
		want(e, "its output", string(other.res.Stdout.Bytes()), "finished\n")
	}
	want(e, "error of the other command", other.err, nil)
}

// stopAll stops whatever the workload may signal, which a runner is too.
const stopAll = "kill -STOP -1; sleep 60"

func restartTruth(e *Env) {
	sb := e.Own()
	e.sh(sb, "echo kept > file; echo kept > /tmp/file")
	e.within(13*time.Second, "all processes stopped, with a timeout of 1 s", func() {
		res := e.exec(sb, &core.Command{Shell: stopAll, Timeout: time.Second})
		want(e, "Reason", res.Reason, core.TimedOut)
		want(e, "the file in /tmp is still there", e.exec(sb, core.Program("test", "-e", "/tmp/file")).Success(), !res.Restarted)
	})
	want(e, "the file in the work directory", e.sh(sb, "cat file"), "kept\n")
}

func stoppedRunner(e *Env) {
	sb := e.Own()
	stopping := e.execute(e.Context(), sb, core.Shell(stopAll))
	pause(e, 500*time.Millisecond)
	ctx, cancel := context.WithTimeout(e.Context(), 2*time.Second)
	defer cancel()
	e.within(13*time.Second, "upload of 8 MiB under a deadline of 2 s", func() {
		want(e, "an error of the upload", sb.Upload(ctx, "file", bytes.NewReader(noise(8<<20)), nil) != nil, true)
	})
	e.within(13*time.Second, "a command with a timeout of 1 s", func() {
		res, err := sb.Execute(e.Context(), &core.Command{Shell: "sleep 60", Timeout: time.Second})
		if err != nil {
			wantCode(e, "a command with a timeout of 1 s", err, core.ErrLost)
			return
		}
		want(e, "Reason", res.Reason, core.TimedOut)
	})
	e.within(13*time.Second, "the next command", func() {
		if res, err := sb.Execute(e.Context(), core.Shell("echo next")); err != nil {
			wantCode(e, "the next command", err, core.ErrLost)
		} else {
			want(e, "the next command", string(res.Stdout.Bytes()), "next\n")
		}
	})
	e.ended(stopping, 5*time.Second, "the command that stopped the others")
}

func storm(e *Env) {
	sb := e.Own(func(s *core.Spec) { s.Limits.PIDs = 1024 })
	dir := e.Dir(sb)
	slots := make(chan struct{}, 8)
	var all sync.WaitGroup
	for i := range 40 {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			e.killTree(sb, fmt.Sprintf("%s/%d", dir, i), trees[i%len(trees)].script, i%2 == 0)
		})
	}
	all.Wait()
	want(e, "the next command", e.sh(sb, "echo next"), "next\n")
}
