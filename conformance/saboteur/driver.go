package saboteur

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

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
		onInfo("driver/filter-unknown", "driver/isolation", "it does not look whether system calls are filtered", func(i *core.Info) { i.Isolation.Seccomp = false }),
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
