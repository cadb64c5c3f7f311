package saboteur

import (
	"context"
	"errors"
	"io"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/caisson-dev/caisson/core"
)

// Wrong about how commands are ended.
func kills() []Saboteur {
	return []Saboteur{
		killer("kill/leader-only", "kill/timeout-children", "it kills the command but not its children", "kill -KILL $P", treeDir),
		killer("kill/group-only", "kill/timeout-setsid", "it kills the process group of the command", "kill -KILL -- -$P", treeDir),
		killer("kill/term-only", "kill/timeout-ignores-term", "it asks the process group of the command to end, and no more", "kill -TERM -- -$P", treeDir),
		killer("kill/misses-one", "kill/storm", "it misses a process now and then when there is much to kill", "kill -KILL $P", regexp.MustCompile(`D=(case-[a-z0-9]+/7);`)),
		onExecute("kill/timeout-is-an-error", "kill/timeout-result", "it returns an error for a timeout", func(ctx context.Context, b core.Backend, cmd *core.Command) (*core.Result, error) {
			res, err := b.Execute(ctx, cmd)
			if err == nil && res.Reason == core.TimedOut {
				return res, core.Errorf(core.ErrTimeout, "execute", "timed out after %v", cmd.Timeout)
			}
			return res, err
		}),
		onResult("kill/timeout-is-124", "kill/timeout-result", "it reports a timeout as exit code 124", func(_ *core.Command, r *core.Result) {
			if r.Reason == core.TimedOut {
				r.Reason, r.ExitCode = core.Exited, 124
			}
		}),
		onResult("kill/timeout-loses-output", "kill/timeout-result", "it throws the output away when a command times out", func(_ *core.Command, r *core.Result) {
			if r.Reason == core.TimedOut {
				for _, o := range outputsOf(r) {
					*o = core.Output{}
				}
			}
		}),
		onCommand("kill/timeout-late", "kill/timeout-result", "it gives a command that times out three seconds to end", func(c *core.Command) {
			if c.Timeout >= time.Second {
				c.Timeout += 3 * time.Second
			}
		}),
		onCommand("kill/timeout-rounded", "kill/timeout-tiny", "it counts timeouts in seconds, and 0 is none", func(c *core.Command) {
			if c.Timeout = c.Timeout.Truncate(10 * time.Millisecond); c.Timeout == 0 && len(c.Args) > 1 {
				c.Args = []string{c.Args[0], "0.1"} // nobody waits for the rest
			}
		}),
		onExecute("kill/timeout-always-waits", "kill/timeout-unused", "it counts every command with a timeout as timed out", func(ctx context.Context, b core.Backend, cmd *core.Command) (*core.Result, error) {
			res, err := b.Execute(ctx, cmd)
			if err == nil && cmd.Timeout == 10*time.Second && res.ExitCode == 5 {
				res.Reason, res.ExitCode = core.TimedOut, core.NoExitCode
			}
			return res, err
		}),
		onResult("kill/flood-not-counted", "kill/timeout-flood", "it forgets that it dropped output when a command times out", func(_ *core.Command, r *core.Result) {
			if r.Reason == core.TimedOut {
				r.Stdout.Truncated = false
			}
		}),
		onResult("kill/restart-untold", "kill/restart-truth", "it restarts a sandbox without a word", func(_ *core.Command, r *core.Result) { r.Restarted = false }),
		{Name: "kill/stuck-behind-upload", Target: "kill/stopped-runner", Breaks: "its commands wait behind an upload that its sandbox does not take", arm: func() *methods {
			var stuck sync.Map // by backend
			return &methods{
				upload: func(ctx context.Context, b core.Backend, p string, src io.Reader, o *core.UploadOptions) error {
					err := b.Upload(ctx, p, src, o)
					if errors.Is(err, context.DeadlineExceeded) {
						stuck.Store(b, nil)
					}
					return err
				},
				execute: func(ctx context.Context, b core.Backend, cmd *core.Command) (*core.Result, error) {
					if _, yes := stuck.Load(b); yes {
						_ = wait(ctx, 14*time.Second)
					}
					return b.Execute(ctx, cmd)
				},
			}
		}},
		onExecute("kill/cancel-late", "kill/cancel-result", "it notices a cancelled context after three seconds", func(ctx context.Context, b core.Backend, cmd *core.Command) (*core.Result, error) {
			late, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
			defer cancel(nil)
			defer context.AfterFunc(ctx, func() { time.AfterFunc(3*time.Second, func() { cancel(context.Cause(ctx)) }) })()
			return b.Execute(late, cmd)
		}),
		onExecute("kill/cancel-is-a-result", "kill/cancel-result", "it returns no error for a cancelled context", func(ctx context.Context, b core.Backend, cmd *core.Command) (*core.Result, error) {
			res, err := b.Execute(ctx, cmd)
			if ctx.Err() != nil && res != nil {
				return res, nil
			}
			return res, err
		}),
		onExecute("kill/cancel-without-result", "kill/cancel-result", "it returns no output of a cancelled command", func(ctx context.Context, b core.Backend, cmd *core.Command) (*core.Result, error) {
			res, err := b.Execute(ctx, cmd)
			if err != nil {
				return nil, err
			}
			return res, nil
		}),
		onExecute("kill/deadline-is-a-timeout", "kill/deadline", "it takes a context's deadline for the command's timeout", func(ctx context.Context, b core.Backend, cmd *core.Command) (*core.Result, error) {
			res, err := b.Execute(ctx, cmd)
			if errors.Is(err, context.DeadlineExceeded) && res != nil {
				res.Reason = core.TimedOut
				return res, nil
			}
			return res, err
		}),
		onExecute("kill/deadline-without-result", "kill/deadline", "it returns no output of a command that a deadline has ended", func(ctx context.Context, b core.Backend, cmd *core.Command) (*core.Result, error) {
			res, err := b.Execute(ctx, cmd)
			if errors.Is(err, context.DeadlineExceeded) {
				return nil, err
			}
			return res, err
		}),
		onExecute("kill/timeout-awaits-stdin", "kill/timeout-stdin", "it waits for the input of a command that has timed out", func(ctx context.Context, b core.Backend, cmd *core.Command) (*core.Result, error) {
			res, err := b.Execute(ctx, cmd)
			if r, ok := cmd.Stdin.(*io.PipeReader); ok && err == nil && res.Reason == core.TimedOut {
				time.AfterFunc(4*time.Second, func() { _ = r.Close() })
				_, _ = io.Copy(io.Discard, r)
			}
			return res, err
		}),
		onExecute("kill/cancel-leaves", "kill/cancel-setsid", "it closes the stream of a cancelled command and leaves its processes", func(ctx context.Context, b core.Backend, cmd *core.Command) (*core.Result, error) {
			if !strings.Contains(cmd.Shell, "setsid") || cmd.Timeout > 0 {
				return b.Execute(ctx, cmd)
			}
			done := make(chan struct{})
			var res *core.Result
			var err error
			go func() {
				defer close(done)
				res, err = b.Execute(context.WithoutCancel(ctx), &core.Command{Shell: cmd.Shell, Timeout: 8 * time.Second})
			}()
			select {
			case <-done:
				return res, err
			case <-ctx.Done():
				return &core.Result{Reason: core.Canceled, ExitCode: core.NoExitCode, Stdout: capture([]byte("early\n"), 0)}, ctx.Err()
			}
		}),
		onExecute("kill/runs-when-canceled", "kill/context-ended", "it looks at the context once the command runs", func(ctx context.Context, b core.Backend, cmd *core.Command) (*core.Result, error) {
			if ctx.Err() != nil && cmd.Shell != "" {
				_, _ = b.Execute(context.WithoutCancel(ctx), cmd)
			}
			return b.Execute(ctx, cmd)
		}),
		{Name: "kill/ends-sandbox", Target: "kill/sandbox-lives", Breaks: "it kills the sandbox to end a command", arm: func() *methods {
			var dead sync.Map // words of cases whose sandbox is gone; other cases share it
			return &methods{execute: func(ctx context.Context, b core.Backend, cmd *core.Command) (*core.Result, error) {
				if _, gone := dead.Load(caseOf(cmd)); gone {
					return nil, core.Errorf(core.ErrLost, "execute", "no such container")
				}
				res, err := b.Execute(ctx, cmd)
				if err == nil && res.Reason == core.TimedOut && caseOf(cmd) != "" {
					dead.Store(caseOf(cmd), nil)
				}
				return res, err
			}}
		}},
		{Name: "kill/ends-others", Target: "kill/spares-others", Breaks: "it kills every command of the sandbox to end one", arm: func() *methods {
			var mu sync.Mutex
			running := map[string]map[context.Context]context.CancelFunc{} // by case
			return &methods{execute: func(ctx context.Context, b core.Backend, cmd *core.Command) (*core.Result, error) {
				word := caseOf(cmd)
				own, cancel := context.WithCancel(ctx)
				defer cancel()
				mu.Lock()
				if running[word] == nil {
					running[word] = map[context.Context]context.CancelFunc{}
				}
				running[word][own] = cancel
				mu.Unlock()
				res, err := b.Execute(own, cmd)
				mu.Lock()
				defer mu.Unlock()
				delete(running[word], own)
				switch {
				case own.Err() != nil && ctx.Err() == nil:
					return &core.Result{Reason: core.Exited, ExitCode: 137}, nil
				case ctx.Err() != nil || err == nil && res.Reason == core.TimedOut:
					if word == "" { // commands that name no case are those of case kill/spares-others too
						for _, all := range running {
							for other, end := range all {
								if other != own && ctx.Err() == nil && strings.Contains(cmd.Shell, "setsid sleep 60") {
									end()
								}
							}
						}
						break
					}
					for _, end := range running[word] {
						end()
					}
				}
				return res, err
			}}
		}},
		{Name: "kill/one-by-one", Target: "kill/together", Breaks: "it ends one command at a time, and takes its time", arm: func() *methods {
			turn := make(chan struct{}, 1)
			return &methods{execute: func(ctx context.Context, b core.Backend, cmd *core.Command) (*core.Result, error) {
				res, err := b.Execute(ctx, cmd)
				if err == nil && res.Reason == core.TimedOut && cmd.Shell == "sleep 60 & sleep 60" {
					turn <- struct{}{}
					time.Sleep(300 * time.Millisecond)
					<-turn
				}
				return res, err
			}}
		}},
	}
}

var caseWord = regexp.MustCompile(`case-[a-z0-9]+`)

// caseOf returns the word of the case that a command belongs to. Cases share
// sandboxes; a saboteur that disturbed those of others would not show what it breaks.
func caseOf(cmd *core.Command) string {
	return caseWord.FindString(strings.Join(cmd.Argv(), " ") + cmd.Dir)
}

// treeDir is where the tree of a case notes its processes.
var treeDir = regexp.MustCompile(`D=(case-[a-z0-9]+);`)

// killer is a saboteur that ends a command by a script of its own, in which $P
// is the id of the command's process. It is for the trees whose directory matches.
func killer(name, target, breaks, script string, trees *regexp.Regexp) Saboteur {
	return onExecute(name, target, breaks, func(ctx context.Context, b core.Backend, cmd *core.Command) (*core.Result, error) {
		dir := trees.FindStringSubmatch(cmd.Shell)
		if dir == nil || cmd.Timeout == 0 {
			return b.Execute(ctx, cmd)
		}
		note := dir[1] + "/saboteur"
		c := *cmd
		c.Timeout = cmd.Timeout + 8*time.Second // so that what survives the script does not outlive the case by long
		c.Shell = "echo $$ > " + note + "; " + cmd.Shell
		over := make(chan struct{})
		defer close(over)
		go func() {
			select {
			case <-over:
			case <-time.After(cmd.Timeout):
				_, _ = b.Execute(ctx, core.Shell("P=$(cat "+note+"); "+script))
			}
		}()
		res, err := b.Execute(ctx, &c)
		if err == nil {
			res.Reason, res.Signal, res.ExitCode = core.TimedOut, "", core.NoExitCode
		}
		return res, err
	})
}
