package saboteur

import (
	"context"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caisson-dev/caisson/core"
)

// Wrong about what happens at the same time.
func crowds() []Saboteur {
	// turns holds a lock for each case while a call runs, because cases share sandboxes.
	type turns struct{ sync.Map }
	take := func(t *turns, word string, patience time.Duration) (release func()) {
		token, _ := t.LoadOrStore(word, make(chan struct{}, 1))
		turn := token.(chan struct{})
		select {
		case turn <- struct{}{}:
			return func() { <-turn }
		case <-time.After(patience):
			return func() {}
		}
	}
	return []Saboteur{
		{Name: "concurrency/one-at-a-time", Target: "concurrency/overlap", Breaks: "it runs the commands of a sandbox one after the other", arm: func() *methods {
			t := new(turns)
			return &methods{execute: func(ctx context.Context, b core.Backend, cmd *core.Command) (*core.Result, error) {
				if caseOf(cmd) == "" || cmd.Timeout != 10*time.Second {
					return b.Execute(ctx, cmd)
				}
				c := *cmd
				c.Timeout = 4 * time.Second
				defer take(t, caseOf(cmd), 10*time.Second)()
				return b.Execute(ctx, &c)
			}}
		}},
		{Name: "concurrency/crossed", Target: "concurrency/not-mixed", Breaks: "it gives one command's output to another that runs at the same time", arm: func() *methods {
			var mu sync.Mutex
			var last *core.Result
			return &methods{execute: func(ctx context.Context, b core.Backend, cmd *core.Command) (*core.Result, error) {
				res, err := b.Execute(ctx, cmd)
				if err != nil || cmd.Env["ID"] == "" {
					return res, err
				}
				mu.Lock()
				defer mu.Unlock()
				if other := last; other != nil {
					last = nil
					c := *res
					c.Stdout = other.Stdout
					return &c, nil
				}
				last = res
				return res, nil
			}}
		}},
		{Name: "concurrency/transfers-mixed", Target: "concurrency/transfers", Breaks: "it keeps one buffer for all transfers", arm: func() *methods {
			var mu sync.Mutex
			var buffer []byte
			return &methods{upload: func(ctx context.Context, b core.Backend, p string, src io.Reader, o *core.UploadOptions) error {
				if !strings.HasPrefix(p, "case-") || len(p) != len("case-")+12+2 {
					return b.Upload(ctx, p, src, o)
				}
				data, rest, err := beginning(ctx, src, 1<<20-1)
				if err != nil || len(data) < 1<<20 {
					return b.Upload(ctx, p, rest, o)
				}
				mu.Lock()
				buffer = append(buffer, data[:1]...)
				n := len(buffer)
				mu.Unlock()
				return b.Upload(ctx, p, io.MultiReader(rest, strings.NewReader(strings.Repeat("x", n-1))), o)
			}}
		}},
		{Name: "concurrency/slow-writer-stalls", Target: "concurrency/slow-writer", Breaks: "it waits for one command's writer before it looks at another command", arm: func() *methods {
			var stalled atomic.Bool
			return &methods{execute: func(ctx context.Context, b core.Backend, cmd *core.Command) (*core.Result, error) {
				if _, slow := cmd.Stdout.(*io.PipeWriter); slow && cmd.Timeout == 0 && cmd.Stdin == nil {
					stalled.Store(true)
				} else if cmd.Shell == "head -c 1000000 /dev/zero" && stalled.CompareAndSwap(true, false) {
					_ = wait(ctx, 6*time.Second)
				}
				return b.Execute(ctx, cmd)
			}}
		}},
		{Name: "concurrency/reader-stalls", Target: "concurrency/unread-file", Breaks: "it finishes one file before it begins the next", arm: func() *methods {
			var open sync.Map // by path
			return &methods{read: func(ctx context.Context, b core.Backend, p string, o *core.ReadOptions) (io.ReadCloser, error) {
				r, err := b.Read(ctx, p, o)
				if err != nil {
					return nil, err
				}
				if _, other := open.LoadOrStore(p, nil); other && strings.HasSuffix(p, "/file") {
					_ = wait(ctx, 5*time.Second)
				}
				return &released{ReadCloser: r, release: func() { open.Delete(p) }}, nil
			}}
		}},
		{Name: "concurrency/cancels-all", Target: "concurrency/cancel-one", Breaks: "it closes the common connection to cancel one command", arm: func() *methods {
			var mu sync.Mutex
			running := map[string][]context.CancelFunc{} // by case
			return &methods{execute: func(ctx context.Context, b core.Backend, cmd *core.Command) (*core.Result, error) {
				word := caseOf(cmd)
				if !strings.Contains(cmd.Shell, "finished ") {
					return b.Execute(ctx, cmd)
				}
				own, cancel := context.WithCancel(ctx)
				defer cancel()
				mu.Lock()
				running[word] = append(running[word], cancel)
				mu.Unlock()
				res, err := b.Execute(own, cmd)
				if ctx.Err() != nil {
					mu.Lock()
					defer mu.Unlock()
					for _, end := range running[word] {
						end()
					}
				}
				return res, err
			}}
		}},
		{Name: "concurrency/name-clash", Target: "concurrency/sandboxes", Breaks: "it names sandboxes by the time, and takes one that is there", arm: func() *methods {
			return &methods{execute: func(ctx context.Context, b core.Backend, cmd *core.Command) (*core.Result, error) {
				res, err := b.Execute(ctx, cmd)
				if err == nil && cmd.Shell == "sleep 0.2; cat id; ls" && !strings.HasPrefix(string(res.Stdout.Bytes()), "0") {
					res.Stdout = capture([]byte("0id\n"), 0) // the file of the first
				}
				return res, err
			}}
		}},
		{Name: "concurrency/room-for-64", Target: "concurrency/hundred", Breaks: "it refuses more than 64 commands at once", arm: func() *methods {
			var running sync.Map // by backend
			return &methods{execute: func(ctx context.Context, b core.Backend, cmd *core.Command) (*core.Result, error) {
				count, _ := running.LoadOrStore(b, new(atomic.Int64))
				n := count.(*atomic.Int64)
				defer n.Add(-1)
				if n.Add(1) > 64 {
					return nil, core.Errorf(core.ErrLimit, "execute", "too many streams")
				}
				return b.Execute(ctx, cmd)
			}}
		}},
		{Name: "concurrency/room-for-8", Target: "concurrency/many-sandboxes", Breaks: "it has addresses for eight sandboxes", arm: func() *methods {
			var live atomic.Int64
			return &methods{
				start: func(ctx context.Context, d core.Driver, spec *core.Spec) (core.Backend, error) {
					if live.Add(1) > 8 {
						live.Add(-1)
						return nil, core.Errorf(core.ErrLimit, "start", "no free address")
					}
					return d.Start(ctx, spec)
				},
				stop: func(ctx context.Context, b core.Backend) error {
					live.Add(-1)
					return b.Stop(ctx)
				},
			}
		}},
		onExecute("concurrency/leak", "concurrency/no-leak", "it leaves a goroutine behind with every command", func(ctx context.Context, b core.Backend, cmd *core.Command) (*core.Result, error) {
			if len(cmd.Args) == 1 && cmd.Args[0] == "true" && cmd.Stdin == nil {
				go time.Sleep(20 * time.Second)
			}
			return b.Execute(ctx, cmd)
		}),
	}
}

// released is a reader that tells when it is closed.
type released struct {
	io.ReadCloser
	release func()
}

func (r *released) Close() error {
	r.release()
	return r.ReadCloser.Close()
}
