package saboteur

import (
	"bytes"
	"context"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/caisson-dev/caisson/core"
)

// outputsOf returns the captured outputs of a result.
func outputsOf(r *core.Result) []*core.Output {
	return []*core.Output{&r.Stdout, &r.Stderr, &r.Combined}
}

// onOutput is a saboteur that changes every captured output.
func onOutput(name, target, breaks string, change func(cmd *core.Command, o *core.Output)) Saboteur {
	return onResult(name, target, breaks, func(cmd *core.Command, r *core.Result) {
		for _, o := range outputsOf(r) {
			change(cmd, o)
		}
	})
}

// capture returns what a Result holds of data.
func capture(data []byte, limit int) core.Output {
	c := core.NewCapture(limit)
	_, _ = c.Write(data)
	return c.Output()
}

// Wrong about what comes out of a command.
func streams() []Saboteur {
	return []Saboteur{
		onResult("streams/merged", "streams/separate", "it merges stderr into stdout", func(cmd *core.Command, r *core.Result) {
			if cmd.Stdout == nil && cmd.Stderr == nil {
				r.Stdout, r.Stderr = r.Combined, core.Output{}
			}
		}),
		onResult("streams/no-stderr", "streams/separate", "it drops stderr", func(_ *core.Command, r *core.Result) { r.Stderr = core.Output{} }),
		onResult("streams/sorted", "streams/combined", "it puts stderr behind stdout in the combined output", func(cmd *core.Command, r *core.Result) {
			r.Combined = capture(slices.Concat(r.Stdout.Bytes(), r.Stderr.Bytes()), cmd.OutputLimit)
		}),
		onOutput("streams/text", "streams/binary", "it takes output for UTF-8", func(cmd *core.Command, o *core.Output) {
			if !o.Truncated {
				*o = capture(bytes.ToValidUTF8(o.Head, []byte("\ufffd")), cmd.OutputLimit)
			}
		}),
		onOutput("streams/trimmed", "streams/no-last-newline", "it trims white space from output", func(cmd *core.Command, o *core.Output) {
			if bytes.HasPrefix(o.Head, []byte(" ")) {
				*o = capture(bytes.TrimSpace(o.Head), cmd.OutputLimit)
			}
		}),
		onOutput("streams/last-bytes-lost", "streams/last-bytes", "it stops reading a large output when the command ends", func(_ *core.Command, o *core.Output) {
			if o.Total > 100_000 && !o.Truncated {
				o.Head, o.Total = o.Head[:len(o.Head)-3], o.Total-3
			}
		}),
		onExecute("streams/late", "streams/live", "it gives output to a writer when the command has ended", func(ctx context.Context, b core.Backend, cmd *core.Command) (*core.Result, error) {
			if _, talks := cmd.Stdin.(*io.PipeReader); !talks || cmd.Stdout == nil {
				return b.Execute(ctx, cmd) // so that no endless output is kept
			}
			c, buffered := *cmd, new(bytes.Buffer)
			c.Stdout, c.Timeout = buffered, 12*time.Second
			res, err := b.Execute(ctx, &c)
			if err == nil {
				_, err = buffered.WriteTo(cmd.Stdout)
			}
			return res, err
		}),
		onExecute("streams/late-stderr", "streams/live-stderr", "it gives stderr to a writer when the command has ended", func(ctx context.Context, b core.Backend, cmd *core.Command) (*core.Result, error) {
			if _, talks := cmd.Stdin.(*io.PipeReader); !talks || cmd.Stderr == nil {
				return b.Execute(ctx, cmd)
			}
			c, buffered := *cmd, new(bytes.Buffer)
			c.Stderr, c.Timeout = buffered, 12*time.Second
			res, err := b.Execute(ctx, &c)
			if err == nil {
				_, err = buffered.WriteTo(cmd.Stderr)
			}
			return res, err
		}),
		onExecute("streams/trims-late", "streams/bounded", "it holds all of an output, and trims it in the end", func(ctx context.Context, b core.Backend, cmd *core.Command) (*core.Result, error) {
			if cmd.Stdout != nil || cmd.Stderr == nil {
				return b.Execute(ctx, cmd)
			}
			c, all := *cmd, new(bytes.Buffer)
			c.Stdout = all
			res, err := b.Execute(ctx, &c)
			if res != nil {
				res.Stdout = capture(all.Bytes(), cmd.OutputLimit)
			}
			return res, err
		}),
		onExecute("streams/both-ways", "streams/not-captured", "it captures what it gives to a writer", func(ctx context.Context, b core.Backend, cmd *core.Command) (*core.Result, error) {
			if cmd.Stdout == nil {
				return b.Execute(ctx, cmd)
			}
			c, copied := *cmd, core.NewCapture(cmd.OutputLimit)
			c.Stdout = io.MultiWriter(cmd.Stdout, copied)
			res, err := b.Execute(ctx, &c)
			if res != nil {
				res.Stdout = copied.Output()
			}
			return res, err
		}),
		onExecute("streams/second-writer-lost", "streams/one-writer", "it writes to one of two writers if they are the same", func(ctx context.Context, b core.Backend, cmd *core.Command) (*core.Result, error) {
			c := *cmd
			if cmd.Stdout != nil && cmd.Stderr != nil {
				c.Stderr = io.Discard
			}
			return b.Execute(ctx, &c)
		}),
		onCommand("streams/writer-error-dropped", "streams/writer-fails", "it goes on when a writer fails", func(c *core.Command) {
			if c.Stdout != nil {
				c.Stdout = deaf{c.Stdout}
				if c.Timeout == 0 {
					c.Timeout = 7 * time.Second
				}
			}
		}),
		onOutput("streams/silent-truncation", "streams/truncated", "it does not say that it dropped output", func(_ *core.Command, o *core.Output) { o.Truncated = false }),
		onOutput("streams/total-of-kept", "streams/truncated", "it counts what it kept", func(_ *core.Command, o *core.Output) { o.Total = int64(len(o.Bytes())) }),
		onOutput("streams/head-only", "streams/truncated", "it keeps the head of a large output only", func(_ *core.Command, o *core.Output) {
			if o.Truncated {
				o.Tail = bytes.Repeat([]byte{' '}, len(o.Tail))
			}
		}),
		onCommand("streams/limit-short", "streams/limit-exact", "it keeps a byte less than the limit", func(c *core.Command) {
			if c.OutputLimit > 1 {
				c.OutputLimit--
			}
		}),
		onCommand("streams/default-short", "streams/default-limit", "it keeps 100,000 bytes unless told otherwise", func(c *core.Command) {
			if c.OutputLimit == 0 {
				c.OutputLimit = 100_000
			}
		}),
		onExecute("streams/stderr-unbounded", "streams/truncated-stderr", "it keeps all of stderr", func(ctx context.Context, b core.Backend, cmd *core.Command) (*core.Result, error) {
			if cmd.Stderr != nil {
				return b.Execute(ctx, cmd)
			}
			c, all := *cmd, new(bytes.Buffer)
			c.Stderr = all
			res, err := b.Execute(ctx, &c)
			if res != nil {
				res.Stderr = core.Output{Head: all.Bytes(), Total: int64(all.Len())}
			}
			return res, err
		}),
		onCommand("streams/writer-limited", "streams/writer-unlimited", "it cuts off what goes to a writer at the limit", func(c *core.Command) {
			if c.Stdout != nil && c.OutputLimit > 0 {
				c.Stdout = &cut{c.Stdout, c.OutputLimit}
			}
		}),
		onResult("streams/flood-code", "streams/flood", "it loses the exit code of a command with much output", func(_ *core.Command, r *core.Result) {
			if r.Stdout.Total > 100<<20 {
				r.ExitCode = 0
			}
		}),
		onExecute("streams/writer-awaited", "streams/writer-blocks", "it waits for a writer that blocks, whatever the timeout", func(ctx context.Context, b core.Backend, cmd *core.Command) (*core.Result, error) {
			res, err := b.Execute(ctx, cmd)
			if _, ok := cmd.Stdout.(*io.PipeWriter); ok && cmd.Timeout > 0 {
				time.Sleep(6 * time.Second)
			}
			return res, err
		}),
		onExecute("streams/writer-panic-passed", "streams/writer-panics", "it lets the panic of a writer through", func(ctx context.Context, b core.Backend, cmd *core.Command) (*core.Result, error) {
			res, err := b.Execute(ctx, cmd)
			if err != nil && strings.Contains(err.Error(), "panic") {
				panic(err)
			}
			return res, err
		}),
	}
}

// deaf swallows the errors of a writer.
type deaf struct{ w io.Writer }

func (d deaf) Write(p []byte) (int, error) {
	_, _ = d.w.Write(p)
	return len(p), nil
}

// cut drops what is beyond its room.
type cut struct {
	w    io.Writer
	room int
}

func (c *cut) Write(p []byte) (int, error) {
	n := min(len(p), c.room)
	c.room -= n
	_, err := c.w.Write(p[:n])
	return len(p), err
}
