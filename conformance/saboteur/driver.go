package saboteur

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caisson-dev/caisson/conformance"
	"github.com/caisson-dev/caisson/core"
)

func onInfo(name, target, breaks string, change func(i *core.Info)) Saboteur {
	return Saboteur{Name: name, Target: target, Breaks: breaks, arm: func() *methods {
		return &methods{info: func(ctx context.Context, d core.Driver) (*core.Info, error) {
			info, err := d.Info(ctx)
			if err != nil {
				return nil, err
			}
			c := *info
			c.Capabilities = slices.Clone(info.Capabilities)
			c.Isolation.Missing = slices.Clone(info.Isolation.Missing)
			change(&c)
			return &c, nil
		}}
	}}
}

type prepareFunc func(ctx context.Context, d core.Driver, rt *core.Runtime, o *core.PrepareOptions) (*core.Prepared, error)

func onPrepare(name, target, breaks string, prepare prepareFunc) Saboteur {
	return Saboteur{Name: name, Target: target, Breaks: breaks, arm: func() *methods { return &methods{prepare: prepare} }}
}

// Wrong about the engine, about errors, and about what core keeps for every driver.
func drivers() []Saboteur {
	return slices.Concat(infos(), failures(), crowds(), checks())
}

func infos() []Saboteur {
	return []Saboteur{
		onInfo("driver/unsorted", "driver/info", "it lists its capabilities as they come", func(i *core.Info) { slices.Reverse(i.Capabilities) }),
		onInfo("driver/no-version", "driver/info", "it does not know the engine's version", func(i *core.Info) { i.Version = "" }),
		onInfo("driver/contradicts-itself", "driver/missing", "it says that it enforces a limit, and that it cannot", func(i *core.Info) {
			i.Isolation.Missing = append(i.Isolation.Missing, core.WeakenMemory)
		}),
		{Name: "driver/unsteady", Target: "driver/info-steady", Breaks: "it says now this, now that of its engine", arm: func() *methods {
			var n atomic.Int64
			return &methods{info: func(ctx context.Context, d core.Driver) (*core.Info, error) {
				info, err := d.Info(ctx)
				if err != nil {
					return nil, err
				}
				c := *info
				c.Version = fmt.Sprint(info.Version, "-", n.Add(1))
				return &c, nil
			}}
		}},
		{Name: "driver/weakens", Target: "driver/missing", Breaks: "it does without a limit that nobody allowed to be missing", arm: func() *methods {
			return &methods{start: func(ctx context.Context, d core.Driver, spec *core.Spec) (core.Backend, error) {
				s := *spec
				s.Allow = []core.Weakening{core.WeakenCPU, core.WeakenMemory, core.WeakenPIDs, core.WeakenSeccomp}
				return d.Start(ctx, &s)
			}}
		}},
		onPrepare("driver/never-done", "driver/prepare", "it never tells that a runtime is ready", func(ctx context.Context, d core.Driver, rt *core.Runtime, o *core.PrepareOptions) (*core.Prepared, error) {
			c := *o
			if o.Progress != nil {
				c.Progress = func(p core.Progress) {
					if p.Kind == core.ProgressDone {
						p.Kind = core.ProgressLog
					}
					o.Progress(p)
				}
			}
			return d.Prepare(ctx, rt, &c)
		}),
		{Name: "driver/another-image", Target: "driver/prepare", Breaks: "it makes another image each time", arm: func() *methods {
			var n atomic.Int64
			return &methods{prepare: func(ctx context.Context, d core.Driver, rt *core.Runtime, o *core.PrepareOptions) (*core.Prepared, error) {
				p, err := d.Prepare(ctx, rt, o)
				if err != nil {
					return nil, err
				}
				c := *p
				c.ID = fmt.Sprint(p.ID, n.Add(1))
				return &c, nil
			}}
		}},
		onPrepare("driver/prepare-not-canceled", "driver/prepare-canceled", "it prepares whatever the context says", func(ctx context.Context, d core.Driver, rt *core.Runtime, o *core.PrepareOptions) (*core.Prepared, error) {
			return d.Prepare(context.WithoutCancel(ctx), rt, o)
		}),
		onPrepare("driver/image-missing-is-internal", "errors/image-missing", "it has no code for an image that does not exist", func(ctx context.Context, d core.Driver, rt *core.Runtime, o *core.PrepareOptions) (*core.Prepared, error) {
			p, err := d.Prepare(ctx, rt, o)
			if errors.Is(err, core.ErrNotFound) || errors.Is(err, core.ErrUnavailable) {
				return nil, core.Errorf(core.ErrInternal, "prepare", "status 404")
			}
			return p, err
		}),
		onStart("driver/network-fallback", "errors/network-missing", "it takes no network where the one asked for does not exist", func(ctx context.Context, d core.Driver, spec *core.Spec) (core.Backend, error) {
			b, err := d.Start(ctx, spec)
			if err != nil && strings.HasPrefix(string(spec.Network), "missing-") {
				s := *spec
				s.Network = core.NetworkNone
				return d.Start(ctx, &s)
			}
			return b, err
		}),
		{Name: "driver/closes-engine", Target: "driver/second", Breaks: "it closes what another driver in the process uses", arm: func() *methods {
			var mu sync.Mutex
			var all []core.Driver
			down := false
			return &methods{
				start: func(ctx context.Context, d core.Driver, spec *core.Spec) (core.Backend, error) {
					mu.Lock()
					defer mu.Unlock()
					if !slices.Contains(all, d) {
						all = append(all, d)
					}
					return d.Start(ctx, spec)
				},
				execute: func(ctx context.Context, b core.Backend, cmd *core.Command) (*core.Result, error) {
					mu.Lock()
					off := down && cmd.Shell == "echo first"
					mu.Unlock()
					if off {
						return nil, core.Errorf(core.ErrUnavailable, "execute", "use of closed network connection")
					}
					return b.Execute(ctx, cmd)
				},
				close: func(d core.Driver) error {
					mu.Lock()
					down = true
					mu.Unlock()
					return d.Close()
				},
			}
		}},
		{Name: "driver/info-as-asked", Target: "driver/sandbox-info", Breaks: "it describes a sandbox by what was asked for, and knows no user", arm: func() *methods {
			return &methods{inspect: func(ctx context.Context, b good) (*core.SandboxInfo, error) {
				info, err := b.Info(ctx)
				if err != nil {
					return nil, err
				}
				c := *info
				c.UID, c.GID = 0, 0
				return &c, nil
			}}
		}},
	}
}

func failures() []Saboteur {
	return []Saboteur{
		{Name: "errors/plain", Target: "errors/driver-form", Breaks: "its errors are texts without a code", arm: func() *methods {
			plain := func(err error) error {
				if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, core.ErrStopped) {
					return err
				}
				return errors.New(err.Error()) //nolint:err113 // that is what is wrong with it
			}
			return &methods{
				upload: func(ctx context.Context, b core.Backend, p string, src io.Reader, o *core.UploadOptions) error {
					return plain(b.Upload(ctx, p, src, o))
				},
				read: func(ctx context.Context, b core.Backend, p string, o *core.ReadOptions) (io.ReadCloser, error) {
					r, err := b.Read(ctx, p, o)
					return r, plain(err)
				},
			}
		}},
		onExecute("errors/many-lines", "errors/form", "it puts the engine's whole answer into an error", func(ctx context.Context, b core.Backend, cmd *core.Command) (*core.Result, error) {
			res, err := b.Execute(ctx, cmd)
			if errors.Is(err, core.ErrInvalid) {
				return res, core.Errorf(core.ErrInvalid, "execute", "%w\nHTTP/1.1 400 Bad Request\n", err)
			}
			return res, err
		}),
		onExecute("errors/tells-command", "errors/no-secrets", "it puts the command and its variables into errors", func(ctx context.Context, b core.Backend, cmd *core.Command) (*core.Result, error) {
			res, err := b.Execute(ctx, cmd)
			if errors.Is(err, core.ErrInvalid) && cmd.Dir != "" {
				return res, core.Errorf(core.ErrInvalid, "execute", "%w: env %v %q", err, cmd.Env, cmd.Shell)
			}
			return res, err
		}),
		onExecute("errors/empty-result", "errors/no-result", "it returns a made-up result beside an error", func(ctx context.Context, b core.Backend, cmd *core.Command) (*core.Result, error) {
			res, err := b.Execute(ctx, cmd)
			if err != nil && res == nil && cmd.Dir != "" {
				res = &core.Result{}
			}
			return res, err
		}),
	}
}

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
				data, err := io.ReadAll(io.LimitReader(src, 1<<20))
				if err != nil || len(data) < 1<<20 {
					return b.Upload(ctx, p, io.MultiReader(strings.NewReader(string(data)), &broken{err}), o)
				}
				rest, isCase := io.MultiReader(strings.NewReader(string(data)), src), strings.HasPrefix(p, "case-") && len(p) == len("case-")+12+2
				if !isCase {
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

// checks are what core does before a driver is asked.
func checks() []Saboteur {
	return []Saboteur{
		onSandbox("paths/clamped", "paths/refused", "it cuts off what leads out of the work directory and goes on", with(func(a *altered) {
			clamp := func(p string) string {
				if _, err := core.CleanPath(p); err != nil && p != "" && len(p) < 100 {
					return "clamped"
				}
				return p
			}
			a.upload = func(ctx context.Context, p string, src io.Reader, o *core.UploadOptions) error {
				return a.Sandbox.Upload(ctx, clamp(p), src, o)
			}
			a.read = func(ctx context.Context, p string, o *core.ReadOptions) (io.ReadCloser, error) {
				return a.Sandbox.Read(ctx, clamp(p), o)
			}
		})),
		onSandbox("paths/slash-dropped", "paths/trailing-slash", "it drops a slash at the end of a path", with(func(a *altered) {
			a.upload = func(ctx context.Context, p string, src io.Reader, o *core.UploadOptions) error {
				if len(p) > 2 {
					p = strings.TrimSuffix(p, "/")
				}
				return a.Sandbox.Upload(ctx, p, src, o)
			}
		})),
		onUpload("paths/relative-to-root", "paths/relative", "it takes relative paths to start at another directory", func(ctx context.Context, b core.Backend, p string, src io.Reader, o *core.UploadOptions) error {
			if strings.HasSuffix(p, "/relative") {
				p = "/tmp/" + p
			}
			return b.Upload(ctx, p, src, o)
		}),
		onSandbox("paths/as-written", "paths/cleaned", "it makes every directory that a path names", with(func(a *altered) {
			a.upload = func(ctx context.Context, p string, src io.Reader, o *core.UploadOptions) error {
				if i := strings.Index(p, "/b/../"); i > 0 {
					_ = a.Sandbox.Upload(ctx, p[:i]+"/b/made", strings.NewReader(""), nil)
				}
				return a.Sandbox.Upload(ctx, p, src, o)
			}
		})),
		onRead("paths/expanded", "paths/no-expansion", "it has a shell expand paths", func(ctx context.Context, b core.Backend, p string, o *core.ReadOptions) (io.ReadCloser, error) {
			r, err := b.Read(ctx, p, o)
			if errors.Is(err, core.ErrNotFound) && strings.HasSuffix(p, "[ab]") {
				return b.Read(ctx, strings.TrimSuffix(p, "[ab]")+"a", o)
			}
			return r, err
		}),
		onSandbox("execute/repairs", "execute/invalid-commands", "it repairs commands that cannot be run", with(func(a *altered) {
			a.execute = func(ctx context.Context, cmd *core.Command) (*core.Result, error) {
				res, err := a.Sandbox.Execute(ctx, cmd)
				if errors.Is(err, core.ErrInvalid) && cmd != nil && (cmd.Timeout < 0 || cmd.OutputLimit < 0) {
					c := *cmd
					c.Timeout, c.OutputLimit = 0, 0
					return a.Sandbox.Execute(ctx, &c)
				}
				return res, err
			}
		})),
		onSandbox("errors/repairs-spec", "errors/invalid-spec", "it takes the default for a limit that is out of bounds", func(ctx context.Context, d core.Driver, spec *core.Spec) (conformance.Sandbox, error) {
			s := *spec
			if spec.Runtime != nil && s.Limits.Memory == 1 {
				s.Limits.Memory = 0
			}
			sb, err := core.Start(ctx, d, &s)
			if err != nil {
				return nil, err
			}
			return sb, nil
		}),
	}
}
