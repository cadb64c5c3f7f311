package saboteur

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caisson-dev/caisson/conformance"
	"github.com/caisson-dev/caisson/core"
)

type startFunc func(ctx context.Context, d core.Driver, spec *core.Spec) (core.Backend, error)

func onStart(name, target, breaks string, start startFunc) Saboteur {
	return Saboteur{Name: name, Target: target, Breaks: breaks, arm: func() *methods { return &methods{start: start} }}
}

type sandboxFunc func(ctx context.Context, d core.Driver, spec *core.Spec) (conformance.Sandbox, error)

// onSandbox is a saboteur of what core does for every driver.
func onSandbox(name, target, breaks string, sandbox sandboxFunc) Saboteur {
	return Saboteur{Name: name, Target: target, Breaks: breaks, arm: func() *methods { return &methods{sandbox: sandbox} }}
}

// altered is a sandbox with some wrong methods.
type altered struct {
	conformance.Sandbox
	begin   func(ctx context.Context) error
	execute func(ctx context.Context, cmd *core.Command) (*core.Result, error)
	upload  func(ctx context.Context, path string, src io.Reader, o *core.UploadOptions) error
	read    func(ctx context.Context, path string, o *core.ReadOptions) (io.ReadCloser, error)
	stop    func(ctx context.Context) error
}

func (a *altered) Start(ctx context.Context) error {
	if a.begin != nil {
		return a.begin(ctx)
	}
	return a.Sandbox.Start(ctx)
}

func (a *altered) Execute(ctx context.Context, cmd *core.Command) (*core.Result, error) {
	if a.execute != nil {
		return a.execute(ctx, cmd)
	}
	return a.Sandbox.Execute(ctx, cmd)
}

func (a *altered) Upload(ctx context.Context, path string, src io.Reader, o *core.UploadOptions) error {
	if a.upload != nil {
		return a.upload(ctx, path, src, o)
	}
	return a.Sandbox.Upload(ctx, path, src, o)
}

func (a *altered) Read(ctx context.Context, path string, o *core.ReadOptions) (io.ReadCloser, error) {
	if a.read != nil {
		return a.read(ctx, path, o)
	}
	return a.Sandbox.Read(ctx, path, o)
}

func (a *altered) Stop(ctx context.Context) error {
	if a.stop != nil {
		return a.stop(ctx)
	}
	return a.Sandbox.Stop(ctx)
}

// with is a sandbox of core, altered.
func with(alter func(a *altered)) sandboxFunc {
	return func(ctx context.Context, d core.Driver, spec *core.Spec) (conformance.Sandbox, error) {
		sb, err := core.Start(ctx, d, spec)
		if err != nil {
			return nil, err
		}
		a := &altered{Sandbox: sb}
		alter(a)
		return a, nil
	}
}

// Wrong about how sandboxes begin and end.
func lives() []Saboteur {
	again := func(f func(ctx context.Context, b core.Backend, n int64) error) func() *methods {
		return func() *methods {
			var stops sync.Map // how often, by backend
			return &methods{stop: func(ctx context.Context, b core.Backend) error {
				n, _ := stops.LoadOrStore(b, new(atomic.Int64))
				return f(ctx, b, n.(*atomic.Int64).Add(1))
			}}
		}
	}
	return []Saboteur{
		onSandbox("lifecycle/starts-again", "lifecycle/ready", "it starts a sandbox that is running", func(ctx context.Context, d core.Driver, spec *core.Spec) (conformance.Sandbox, error) {
			return with(func(a *altered) {
				a.begin = func(ctx context.Context) error {
					b, err := d.Start(ctx, a.Spec())
					if err != nil {
						return err
					}
					return b.Stop(ctx)
				}
			})(ctx, d, spec)
		}),
		onSandbox("lifecycle/not-lazy", "lifecycle/lazy-unused", "it starts lazy sandboxes at once", func(ctx context.Context, d core.Driver, spec *core.Spec) (conformance.Sandbox, error) {
			s := *spec
			s.Lazy = false
			return core.Start(ctx, d, &s)
		}),
		onSandbox("lifecycle/lazy-each", "lifecycle/lazy", "it starts a lazy sandbox for each of its first users", func(ctx context.Context, d core.Driver, spec *core.Spec) (conformance.Sandbox, error) {
			return with(func(a *altered) {
				if !spec.Lazy {
					return
				}
				a.execute = func(ctx context.Context, cmd *core.Command) (*core.Result, error) {
					b, err := d.Start(ctx, a.Spec())
					if err != nil {
						return nil, err
					}
					return a.runOnce(ctx, b, cmd)
				}
			})(ctx, d, spec)
		}),
		{Name: "lifecycle/stop-fails-again", Target: "lifecycle/stop-again", Breaks: "it does not find a sandbox that was stopped", arm: again(func(ctx context.Context, b core.Backend, n int64) error {
			if n > 1 {
				return core.Errorf(core.ErrNotFound, "stop", "no such container")
			}
			return b.Stop(ctx)
		})},
		onSandbox("lifecycle/stop-gives-up", "lifecycle/stop-canceled", "it does not stop a sandbox for a caller whose context has ended", with(func(a *altered) {
			a.stop = func(ctx context.Context) error {
				if ctx.Err() != nil {
					return nil //nolint:nilerr // this is its fault
				}
				return a.Sandbox.Stop(ctx)
			}
		})),
		onExecute("lifecycle/stopped-is-lost", "lifecycle/after-stop", "it takes a sandbox that was stopped for one that is lost", func(ctx context.Context, b core.Backend, cmd *core.Command) (*core.Result, error) {
			res, err := b.Execute(ctx, cmd)
			if errors.Is(err, core.ErrStopped) {
				return nil, core.Errorf(core.ErrLost, "execute", "no such container")
			}
			return res, err
		}),
		onExecute("lifecycle/stop-is-137", "lifecycle/stop-during-execute", "it returns exit code 137 for a command that Stop has ended", func(ctx context.Context, b core.Backend, cmd *core.Command) (*core.Result, error) {
			start := time.Now()
			res, err := b.Execute(ctx, cmd)
			if errors.Is(err, core.ErrStopped) && time.Since(start) > 5*time.Millisecond {
				return &core.Result{Reason: core.Exited, ExitCode: 137}, nil
			}
			return res, err
		}),
		{Name: "lifecycle/stop-waits", Target: "lifecycle/stop-during-execute", Breaks: "it waits for running commands before it stops", arm: func() *methods {
			var running sync.Map
			return &methods{
				execute: func(ctx context.Context, b core.Backend, cmd *core.Command) (*core.Result, error) {
					if strings.HasSuffix(cmd.Shell, "sleep 300") {
						running.Store(b, nil)
					}
					return b.Execute(ctx, cmd)
				},
				stop: func(ctx context.Context, b core.Backend) error {
					if _, busy := running.LoadAndDelete(b); busy {
						_ = wait(ctx, 11*time.Second)
					}
					return b.Stop(context.WithoutCancel(ctx))
				},
			}
		}},
		onUpload("lifecycle/upload-outlives", "lifecycle/stop-during-upload", "it reports an upload that Stop has ended as a broken stream", func(ctx context.Context, b core.Backend, p string, src io.Reader, o *core.UploadOptions) error {
			taken := &noticed{src: src}
			err := b.Upload(ctx, p, taken, o)
			if errors.Is(err, core.ErrStopped) && taken.any.Load() {
				return core.Errorf(core.ErrIndeterminate, "upload", "broken pipe")
			}
			return err
		}),
		onRead("lifecycle/read-ends", "lifecycle/stop-during-read", "it takes the end of the sandbox for the end of the file", func(ctx context.Context, b core.Backend, p string, o *core.ReadOptions) (io.ReadCloser, error) {
			r, err := b.Read(ctx, p, o)
			if err != nil {
				return nil, err
			}
			return struct {
				io.Reader
				io.Closer
			}{&lenient{r}, r}, nil
		}),
		{Name: "lifecycle/start-not-canceled", Target: "lifecycle/start-canceled", Breaks: "it starts a sandbox whatever the context says", arm: func() *methods {
			return &methods{
				info: func(ctx context.Context, d core.Driver) (*core.Info, error) {
					return d.Info(context.WithoutCancel(ctx))
				},
				start: func(ctx context.Context, d core.Driver, spec *core.Spec) (core.Backend, error) {
					return d.Start(context.WithoutCancel(ctx), spec)
				},
			}
		}},
		onStart("lifecycle/writes-spec", "lifecycle/spec-unchanged", "it writes its own variables into the specification", func(ctx context.Context, d core.Driver, spec *core.Spec) (core.Backend, error) {
			if spec.Runtime.Env != nil {
				spec.Runtime.Env["CONTAINER"] = "yes"
			}
			return d.Start(ctx, spec)
		}),
		onStart("lifecycle/slow-leak", "lifecycle/cycles", "it leaves a goroutine behind with every sandbox", func(ctx context.Context, d core.Driver, spec *core.Spec) (core.Backend, error) {
			go time.Sleep(20 * time.Second)
			return d.Start(ctx, spec)
		}),
		leaky("lifecycle/stop-leaves", "lifecycle/nothing-left", "it forgets a sandbox without removing it", func(spec *core.Spec) bool { return strings.HasPrefix(spec.Owner, "conformance-") }),
		{Name: "lifecycle/failed-start-leaves", Target: "lifecycle/failed-start", Breaks: "it leaves the container of a start that was cancelled", arm: func() *methods {
			var mu sync.Mutex
			var left []core.Backend
			return &methods{
				start: func(ctx context.Context, d core.Driver, spec *core.Spec) (core.Backend, error) {
					b, err := d.Start(context.WithoutCancel(ctx), spec)
					if err == nil && ctx.Err() != nil {
						mu.Lock()
						defer mu.Unlock()
						left = append(left, b)
						return nil, context.Cause(ctx)
					}
					return b, err
				},
				close: func(d core.Driver) error {
					for _, b := range left {
						_ = b.Stop(context.Background())
					}
					return d.Close()
				},
			}
		}},
		onExecute("lifecycle/lost-is-unavailable", "lifecycle/lost", "it takes a sandbox that is gone for an engine that is away", func(ctx context.Context, b core.Backend, cmd *core.Command) (*core.Result, error) {
			res, err := b.Execute(ctx, cmd)
			if errors.Is(err, core.ErrLost) {
				return nil, core.Errorf(core.ErrUnavailable, "execute", "cannot reach the container")
			}
			return res, err
		}),
		{Name: "lifecycle/common-directory", Target: "lifecycle/separate", Breaks: "it gives two sandboxes one work directory", arm: func() *methods {
			var mu sync.Mutex
			only := map[string][]byte{}
			return &methods{
				upload: func(ctx context.Context, b core.Backend, p string, src io.Reader, o *core.UploadOptions) error {
					if !strings.HasPrefix(p, "only-") {
						return b.Upload(ctx, p, src, o)
					}
					data, err := io.ReadAll(src)
					mu.Lock()
					only[p] = data
					mu.Unlock()
					return b.Upload(ctx, p, io.MultiReader(bytes.NewReader(data), &broken{err}), o)
				},
				read: func(ctx context.Context, b core.Backend, p string, o *core.ReadOptions) (io.ReadCloser, error) {
					mu.Lock()
					data, ok := only[p]
					mu.Unlock()
					if ok {
						return io.NopCloser(strings.NewReader(string(data))), nil
					}
					return b.Read(ctx, p, o)
				},
			}
		}},
	}
}

// runOnce runs one command in a sandbox that is stopped after it.
func (a *altered) runOnce(ctx context.Context, b core.Backend, cmd *core.Command) (*core.Result, error) {
	res, err := b.Execute(ctx, cmd)
	return res, errors.Join(err, b.Stop(context.WithoutCancel(ctx)))
}

// noticed is a source that notes whether it was read.
type noticed struct {
	src io.Reader
	any atomic.Bool
}

func (n *noticed) Read(p []byte) (int, error) {
	n.any.Store(true)
	return n.src.Read(p)
}

// lenient ends where another reader was stopped.
type lenient struct{ r io.Reader }

func (l *lenient) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	if errors.Is(err, core.ErrStopped) {
		err = io.EOF
	}
	return n, err
}

// leaky is a saboteur whose Stop does nothing for some sandboxes. It stops them when the driver is closed.
func leaky(name, target, breaks string, forgets func(*core.Spec) bool) Saboteur {
	return Saboteur{Name: name, Target: target, Breaks: breaks, arm: func() *methods {
		var mu sync.Mutex
		forgotten := map[core.Backend]bool{}
		return &methods{
			start: func(ctx context.Context, d core.Driver, spec *core.Spec) (core.Backend, error) {
				b, err := d.Start(ctx, spec)
				if err == nil && forgets(spec) {
					mu.Lock()
					forgotten[b] = true
					mu.Unlock()
				}
				return b, err
			},
			stop: func(ctx context.Context, b core.Backend) error {
				mu.Lock()
				defer mu.Unlock()
				if forgotten[b] {
					return nil
				}
				return b.Stop(ctx)
			},
			close: func(d core.Driver) error {
				for b := range forgotten {
					_ = b.Stop(context.Background())
				}
				return d.Close()
			},
		}
	}}
}
