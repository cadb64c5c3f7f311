package saboteur

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/caisson-dev/caisson/core"
)

// onResult is a saboteur that changes every result.
func onResult(name, target, breaks string, change func(cmd *core.Command, res *core.Result)) Saboteur {
	return Saboteur{Name: name, Target: target, Breaks: breaks, arm: func() *methods {
		return &methods{execute: func(ctx context.Context, b core.Backend, cmd *core.Command) (*core.Result, error) {
			res, err := b.Execute(ctx, cmd)
			if res != nil {
				change(cmd, res)
			}
			return res, err
		}}
	}}
}

// onCommand is a saboteur that changes every command on its way.
func onCommand(name, target, breaks string, change func(cmd *core.Command)) Saboteur {
	return Saboteur{Name: name, Target: target, Breaks: breaks, arm: func() *methods {
		return &methods{execute: func(ctx context.Context, b core.Backend, cmd *core.Command) (*core.Result, error) {
			c := *cmd
			change(&c)
			return b.Execute(ctx, &c)
		}}
	}}
}

// onExecute is a saboteur with an Execute of its own.
func onExecute(name, target, breaks string, execute func(ctx context.Context, b core.Backend, cmd *core.Command) (*core.Result, error)) Saboteur {
	return Saboteur{Name: name, Target: target, Breaks: breaks, arm: func() *methods { return &methods{execute: execute} }}
}

// Wrong about how a command ended.
func executes() []Saboteur {
	return []Saboteur{
		onResult("execute/zero-for-unknown", "execute/no-exit-code", "it reports exit code 0 for a command whose code it does not know", func(_ *core.Command, r *core.Result) {
			if r.ExitCode == core.NoExitCode {
				r.ExitCode = 0
			}
		}),
		onResult("execute/shell-codes", "execute/signals", "it reports a signal as exit code 128 and more, as shells do", func(_ *core.Command, r *core.Result) {
			if code := map[string]int{"SIGTERM": 143, "SIGKILL": 137, "SIGSEGV": 139, "SIGABRT": 134, "SIGHUP": 129}[r.Signal]; code != 0 {
				r.Reason, r.Signal, r.ExitCode = core.Exited, "", code
			}
		}),
		onResult("execute/137-is-a-signal", "execute/child-signal", "it takes exit code 137 for a death by SIGKILL", func(_ *core.Command, r *core.Result) {
			if r.ExitCode == 137 {
				r.Reason, r.Signal, r.ExitCode = core.Signaled, "SIGKILL", core.NoExitCode
			}
		}),
		onResult("execute/124-is-a-timeout", "execute/own-124", "it takes exit code 124 for a timeout, as with the timeout utility", func(_ *core.Command, r *core.Result) {
			if r.ExitCode == 124 {
				r.Reason, r.ExitCode = core.TimedOut, core.NoExitCode
			}
		}),
		onResult("execute/7-bits", "execute/exit-codes", "it keeps seven bits of an exit code", func(_ *core.Command, r *core.Result) {
			if r.Reason == core.Exited {
				r.ExitCode &= 127
			}
		}),
		onExecute("execute/failure-is-an-error", "execute/exit-codes", "it returns an error for a command that fails", func(ctx context.Context, b core.Backend, cmd *core.Command) (*core.Result, error) {
			res, err := b.Execute(ctx, cmd)
			if err == nil && res.Reason == core.Exited && res.ExitCode != 0 {
				return nil, core.Errorf(core.ErrInternal, "execute", "exit code %d", res.ExitCode)
			}
			return res, err
		}),
		onExecute("execute/success-is-unknown", "execute/success", "it does not know the code of a command that printed nothing", func(ctx context.Context, b core.Backend, cmd *core.Command) (*core.Result, error) {
			res, err := b.Execute(ctx, cmd)
			if err == nil && res.Success() && res.Combined.Total == 0 && cmd.Shell == "true" {
				res.Reason, res.ExitCode = core.Unknown, core.NoExitCode
			}
			return res, err
		}),
		onExecute("execute/missing-is-an-error", "execute/missing-program", "it returns an engine error for a program that does not exist", func(ctx context.Context, b core.Backend, cmd *core.Command) (*core.Result, error) {
			res, err := b.Execute(ctx, cmd)
			if err == nil && res.ExitCode == 127 && cmd.Shell == "" {
				return nil, core.Errorf(core.ErrNotFound, "execute", "no such program")
			}
			return res, err
		}),
		onResult("execute/no-diagnosis", "execute/missing-program", "it says nowhere which program is missing", func(cmd *core.Command, r *core.Result) {
			if r.ExitCode == 127 && cmd.Shell == "" {
				r.Stderr = core.Output{}
			}
		}),
		onResult("execute/126-as-127", "execute/not-executable", "it reports what cannot be executed as missing", func(cmd *core.Command, r *core.Result) {
			if r.ExitCode == 126 && cmd.Shell == "" {
				r.ExitCode = 127
			}
		}),
		onResult("execute/no-duration", "execute/duration", "it measures no time", func(_ *core.Command, r *core.Result) { r.Duration = 0 }),
		onResult("execute/made-up-usage", "execute/usage", "it makes up a usage of 0", func(_ *core.Command, r *core.Result) { r.Usage = new(core.Usage) }),
		onCommand("execute/waits-for-background", "execute/background-does-not-delay", "it waits until every process has closed the output", func(c *core.Command) {
			if c.Shell != "" {
				c.Shell += "\ncode=$?; wait; exit $code"
			}
		}),
		onCommand("execute/ends-background", "execute/background-lives", "it ends what a command leaves in the background", func(c *core.Command) {
			if strings.Contains(c.Shell, "&") {
				c.Shell += "\ncode=$?; kill -9 $! 2>/dev/null; exit $code"
			}
		}),
		onCommand("execute/waits-for-writers", "execute/background-writer", "it waits until nobody writes to a writer any more", func(c *core.Command) {
			if c.Stdout != nil && c.Stderr != nil && c.Shell != "" {
				c.Shell += "\nwait"
				c.Timeout = 4 * time.Second
			}
		}),
		onCommand("execute/closes-outputs", "execute/background-writes", "it closes the outputs of a command that has ended", func(c *core.Command) {
			if strings.Contains(c.Shell, "until [ -e go ]") {
				c.Shell = "{ " + c.Shell + "\n} 2>&1 | { read -r line; echo \"$line\"; }" // who reads no further than its own output
			}
		}),
		{Name: "execute/again", Target: "execute/once", Breaks: "it runs a command again, in another sandbox, when the first was lost", arm: func() *methods {
			var started sync.Map // how to start another, by backend
			return &methods{
				start: func(ctx context.Context, d core.Driver, spec *core.Spec) (core.Backend, error) {
					b, err := d.Start(ctx, spec)
					if err == nil && spec.Workspace != "" {
						started.Store(b, func() (core.Backend, error) { return d.Start(context.WithoutCancel(ctx), spec) })
					}
					return b, err
				},
				execute: func(ctx context.Context, b core.Backend, cmd *core.Command) (*core.Result, error) {
					res, err := b.Execute(ctx, cmd)
					start, ok := started.Load(b)
					if !ok || !errors.Is(err, core.ErrLost) && !errors.Is(err, core.ErrIndeterminate) {
						return res, err
					}
					other, startErr := start.(func() (core.Backend, error))()
					for range 20 { // until the workspace is given back
						if startErr == nil {
							break
						}
						time.Sleep(100 * time.Millisecond)
						other, startErr = start.(func() (core.Backend, error))()
					}
					if startErr == nil {
						c := *cmd
						c.Timeout = time.Second
						_, _ = other.Execute(ctx, &c)
						_ = other.Stop(ctx)
					}
					return res, err
				},
			}
		}},
		{Name: "execute/forgets-files", Target: "execute/files-persist", Breaks: "it runs every command in a fresh copy of the work directory", arm: func() *methods {
			return &methods{execute: func(ctx context.Context, b core.Backend, cmd *core.Command) (*core.Result, error) {
				c := *cmd
				if c.Dir == "" {
					if res, err := b.Execute(ctx, core.Shell("mktemp -d")); err == nil && res.Success() {
						c.Dir = strings.TrimSpace(res.Stdout.String())
					}
				}
				return b.Execute(ctx, &c)
			}}
		}},
		{Name: "execute/one-shell", Target: "execute/shell-state-ends", Breaks: "it types every script into one long-lived shell", arm: func() *methods {
			var typed sync.Map // by backend: the assignments so far
			return &methods{execute: func(ctx context.Context, b core.Backend, cmd *core.Command) (*core.Result, error) {
				c := *cmd
				if before, ok := typed.Load(b); ok && c.Shell != "" {
					c.Shell = before.(string) + "\n" + c.Shell
				}
				if strings.HasPrefix(cmd.Shell, "cd /; STATE_") {
					typed.Store(b, cmd.Shell)
				}
				return b.Execute(ctx, &c)
			}}
		}},
		onCommand("execute/script-is-option", "execute/shell-dash", "it takes a script that begins with a dash for options", func(c *core.Command) {
			if strings.HasPrefix(c.Shell, "-") || strings.HasPrefix(c.Shell, "+") {
				c.Args, c.Shell = []string{"/bin/sh", "-c", c.Shell}, ""
			}
		}),
		onCommand("execute/one-line", "execute/shell-script", "it passes a script on as one line", func(c *core.Command) {
			c.Shell = strings.TrimSpace(strings.ReplaceAll(c.Shell, "\n", " "))
		}),
		onCommand("execute/ignores-pipe-signal", "execute/broken-pipe", "it starts programs with SIGPIPE ignored", func(c *core.Command) {
			if c.Shell != "" {
				c.Shell = "trap '' PIPE; " + c.Shell
			}
		}),
		{Name: "execute/twice", Target: "files/tmp", Breaks: "it runs a command again when it is not sure that it ran", arm: func() *methods {
			return &methods{execute: func(ctx context.Context, b core.Backend, cmd *core.Command) (*core.Result, error) {
				res, err := b.Execute(ctx, cmd)
				if strings.Contains(cmd.Shell, "echo more") && err == nil {
					return b.Execute(ctx, cmd)
				}
				return res, err
			}}
		}},
	}
}
