package saboteur

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/caisson-dev/caisson/core"
)

// Wrong about what reaches a command.
func inputs() []Saboteur {
	return []Saboteur{
		onCommand("execute/args-by-shell", "execute/args-verbatim", "it joins arguments with spaces for a shell", func(c *core.Command) {
			if len(c.Args) > 0 {
				c.Shell, c.Args = strings.Join(c.Args, " "), nil
			}
		}),
		onCommand("execute/args-as-text", "execute/args-verbatim", "it takes arguments for UTF-8", func(c *core.Command) {
			args := append([]string(nil), c.Args...)
			for i := range args {
				args[i] = strings.ToValidUTF8(args[i], "\ufffd")
			}
			c.Args = args
		}),
		onExecute("execute/args-cut", "execute/args-big", "it has room for 64 KiB of arguments", func(ctx context.Context, b core.Backend, cmd *core.Command) (*core.Result, error) {
			total := 0
			for _, a := range cmd.Argv() {
				total += len(a)
			}
			if total > 64<<10 {
				return nil, core.Errorf(core.ErrLimit, "execute", "command too long")
			}
			return b.Execute(ctx, cmd)
		}),
		onCommand("execute/env-file", "execute/env-verbatim", "it passes variables on line by line", func(c *core.Command) {
			env := map[string]string{}
			for k, v := range c.Env {
				env[k], _, _ = strings.Cut(v, "\n")
			}
			c.Env = env
		}),
		{Name: "execute/env-stays", Target: "execute/env-ends", Breaks: "it keeps the variables of one command for the next", arm: func() *methods {
			var mu sync.Mutex
			kept := map[core.Backend]map[string]string{}
			return &methods{execute: func(ctx context.Context, b core.Backend, cmd *core.Command) (*core.Result, error) {
				c := *cmd
				c.Env = map[string]string{}
				mu.Lock()
				if kept[b] == nil {
					kept[b] = map[string]string{}
				}
				for k, v := range cmd.Env {
					if k != "PATH" && k != "ID" {
						kept[b][k] = v
					}
					c.Env[k] = v
				}
				for k, v := range kept[b] {
					if c.Env[k] == "" {
						c.Env[k] = v
					}
				}
				mu.Unlock()
				return b.Execute(ctx, &c)
			}}
		}},
		{Name: "execute/env-runtime-lost", Target: "execute/env-runtime", Breaks: "it knows no environment of a runtime", arm: func() *methods {
			return &methods{start: func(ctx context.Context, d core.Driver, spec *core.Spec) (core.Backend, error) {
				s, rt := *spec, *spec.Runtime
				s.Runtime, rt.Env = &rt, nil
				return d.Start(ctx, &s)
			}}
		}},
		{Name: "execute/env-of-host", Target: "execute/env-host", Breaks: "it inherits the environment of its own process", arm: func() *methods {
			return &methods{execute: func(ctx context.Context, b core.Backend, cmd *core.Command) (*core.Result, error) {
				c := *cmd
				c.Env = map[string]string{}
				for _, kv := range os.Environ() {
					if k, v, _ := strings.Cut(kv, "="); strings.HasPrefix(k, "HOST_") {
						c.Env[k] = v
					}
				}
				for k, v := range cmd.Env {
					c.Env[k] = v
				}
				return b.Execute(ctx, &c)
			}}
		}},
		onCommand("execute/home-is-root", "execute/env-home", "it leaves HOME at the root directory", func(c *core.Command) {
			env := map[string]string{"HOME": "/"}
			for k, v := range c.Env {
				env[k] = v
			}
			c.Env = env
		}),
		onCommand("execute/own-path", "execute/path-lookup", "it looks programs up in a PATH of its own", func(c *core.Command) {
			if len(c.Args) > 0 && !strings.Contains(c.Args[0], "/") {
				c.Args = append([]string{"env", "PATH=/usr/local/bin:/usr/bin:/bin"}, c.Args...)
			}
		}),
		onCommand("execute/dir-is-root", "execute/dir-default", "it runs programs in the root directory unless told otherwise", func(c *core.Command) {
			if c.Dir == "" && len(c.Args) == 1 {
				c.Dir = "/"
			}
		}),
		onCommand("execute/dir-ignored", "execute/dir", "it ignores the directory of a command", func(c *core.Command) { c.Dir = "" }),
		onExecute("execute/dir-made", "execute/dir-unusable", "it runs in the work directory if the command's cannot be entered", func(ctx context.Context, b core.Backend, cmd *core.Command) (*core.Result, error) {
			res, err := b.Execute(ctx, cmd)
			if errors.Is(err, core.ErrInvalid) && cmd.Dir != "" {
				c := *cmd
				c.Dir = ""
				return b.Execute(ctx, &c)
			}
			return res, err
		}),
		onExecute("execute/dir-is-127", "errors/no-result", "it reports a directory that cannot be entered as exit code 127", func(ctx context.Context, b core.Backend, cmd *core.Command) (*core.Result, error) {
			res, err := b.Execute(ctx, cmd)
			if errors.Is(err, core.ErrInvalid) && cmd.Dir != "" {
				return &core.Result{Reason: core.Exited, ExitCode: 127}, nil
			}
			return res, err
		}),
		{Name: "execute/changes-command", Target: "execute/command-unchanged", Breaks: "it writes its defaults into the caller's command", arm: func() *methods {
			return &methods{execute: func(ctx context.Context, b core.Backend, cmd *core.Command) (*core.Result, error) {
				res, err := b.Execute(ctx, cmd)
				if cmd.OutputLimit == 0 {
					cmd.OutputLimit = core.DefaultOutputLimit
				}
				return res, err
			}}
		}},
		onCommand("execute/stdin-open", "execute/stdin-none", "it leaves standard input open where there is none", func(c *core.Command) {
			if c.Stdin == nil && c.Timeout > 0 {
				c.Stdin = silence{}
			}
		}),
		onCommand("execute/stdin-cut", "execute/stdin-echo", "it passes on the first megabyte of the input", func(c *core.Command) {
			if c.Stdin != nil {
				c.Stdin = io.LimitReader(c.Stdin, 1<<20)
			}
		}),
		onCommand("execute/stdin-error-is-end", "execute/stdin-fails", "it takes an input that fails for one that ends", func(c *core.Command) {
			if c.Stdin != nil {
				c.Stdin = errorless{c.Stdin}
			}
		}),
		onCommand("execute/stdin-panic-is-end", "execute/stdin-panics", "it takes an input that panics for one that ends", func(c *core.Command) {
			if c.Stdin != nil {
				c.Stdin = calm{c.Stdin}
			}
		}),
		onExecute("execute/stdin-kept", "execute/stdin-let-go", "it reads the input after the command has ended", func(ctx context.Context, b core.Backend, cmd *core.Command) (*core.Result, error) {
			res, err := b.Execute(ctx, cmd)
			if cmd.Shell == "read -r line" {
				go func() { _, _ = cmd.Stdin.Read(make([]byte, 10)) }()
			}
			return res, err
		}),
		onExecute("execute/stdin-all", "execute/stdin-unread", "it goes on reading an input that nobody takes", func(ctx context.Context, b core.Backend, cmd *core.Command) (*core.Result, error) {
			res, err := b.Execute(ctx, cmd)
			if r, ok := cmd.Stdin.(interface{ Len() int }); ok && r.Len() > 1<<20 {
				time.Sleep(6 * time.Second) // what is left, on a slow line
			}
			return res, err
		}),
		onExecute("execute/stdin-awaited", "execute/stdin-blocked", "it waits for the input to end", func(ctx context.Context, b core.Backend, cmd *core.Command) (*core.Result, error) {
			res, err := b.Execute(ctx, cmd)
			if r, ok := cmd.Stdin.(*io.PipeReader); ok && fmt.Sprint(cmd.Args) == "[true]" {
				time.AfterFunc(6*time.Second, func() { _ = r.Close() })
				_, _ = io.Copy(io.Discard, r)
			}
			return res, err
		}),
	}
}

// silence is an input that neither comes nor ends.
type silence struct{}

func (silence) Read([]byte) (int, error) {
	time.Sleep(5 * time.Second)
	return 0, io.EOF
}

// errorless is an input whose errors are its end.
type errorless struct{ io.Reader }

func (r errorless) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if err != nil {
		err = io.EOF
	}
	return n, err
}

// calm is an input whose panics are its end.
type calm struct{ io.Reader }

func (r calm) Read(p []byte) (n int, err error) {
	defer func() {
		if recover() != nil {
			n, err = 0, io.EOF
		}
	}()
	return r.Reader.Read(p)
}
