package saboteur

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/caisson-dev/caisson/core"
)

// everything selects all of an owner's, however young.
func everything(owner string) *core.CollectOptions {
	return &core.CollectOptions{Owner: owner, MinAge: -24 * time.Hour}
}

// ownerOf returns whose sandbox it is.
func ownerOf(ctx context.Context, d keeper, id string) string {
	all, _ := d.Sandboxes(ctx, "")
	for i := range all {
		if all[i].ID == id {
			return all[i].Owner
		}
	}
	return ""
}

// removesUnless has Stop remove the sandboxes of the attach cases, whoever has
// them, unless a command has ended with an error that forbids it.
func removesUnless(forbidden func(error) bool) *methods {
	var remove sync.Map // how to, by backend
	return &methods{
		start: func(ctx context.Context, d core.Driver, spec *core.Spec) (core.Backend, error) {
			b, err := d.Start(ctx, spec)
			if err == nil && spec.Labels["purpose"] != "" {
				remove.Store(b, func() { _, _ = d.(keeper).Collect(context.Background(), everything(spec.Owner)) })
			}
			return b, err
		},
		execute: func(ctx context.Context, b core.Backend, cmd *core.Command) (*core.Result, error) {
			res, err := b.Execute(ctx, cmd)
			if forbidden(err) {
				remove.Delete(b)
			}
			return res, err
		},
		stop: func(ctx context.Context, b core.Backend) error {
			if remove, ok := remove.Load(b); ok {
				remove.(func())()
			}
			return b.Stop(ctx)
		},
	}
}

// Wrong about what outlives a process.
func keeps() []Saboteur {
	return slices.Concat(attaches(), workspaces(), collects())
}

func attaches() []Saboteur {
	refuses := func(own bool) methods {
		return methods{attach: func(ctx context.Context, d keeper, id string, spec *core.Spec) (core.Backend, error) {
			b, err := d.Attach(ctx, id, spec)
			if owner := ownerOf(ctx, d, id); errors.Is(err, core.ErrConflict) && (owner == spec.Owner) == own {
				return d.Join(ctx, owner, id)
			}
			return b, err
		}}
	}
	return []Saboteur{
		onRecords("attach/labels-lost", "it keeps no labels", func(r *core.Record) { r.Labels = nil }),
		onRecords("attach/workspaces-lost", "it does not know the workspace of a sandbox", func(r *core.Record) { r.Workspace = "" }),
		onRecords("attach/leases-lost", "it does not know the lease of a sandbox", func(r *core.Record) { r.Lease = 0 }),
		one("attach/lists-by-prefix", "attach/listed", "it lists sandboxes of owners whose name begins alike", methods{sandboxes: func(ctx context.Context, d keeper, owner string) ([]core.Record, error) {
			return d.Sandboxes(ctx, strings.TrimSuffix(owner, "-other"))
		}}),
		one("attach/restarts", "attach/takes-over", "it restarts the sandbox that it attaches to", methods{attach: func(ctx context.Context, d keeper, id string, spec *core.Spec) (core.Backend, error) {
			b, err := d.Attach(ctx, id, spec)
			if err == nil {
				sh(ctx, b, "rm -rf /tmp/*")
			}
			return b, err
		}}),
		one("attach/both-hold", "attach/one-holder", "it attaches to a sandbox without taking it from the process that has it", methods{attach: func(ctx context.Context, d keeper, id string, spec *core.Spec) (core.Backend, error) {
			if owner := ownerOf(ctx, d, id); owner == spec.Owner {
				return d.Join(ctx, owner, id)
			}
			return d.Attach(ctx, id, spec)
		}}),
		{Name: "attach/stop-removes", Target: "attach/one-holder", Breaks: "it stops a sandbox that another process has taken", arm: func() *methods {
			return removesUnless(func(error) bool { return false })
		}},
		{Name: "attach/stop-trusts-its-stream", Target: "attach/unnoticed", Breaks: "it stops a sandbox that another process has taken, unless a call has told it so", arm: func() *methods {
			return removesUnless(func(err error) bool { return core.CodeOf(err) == core.ErrConflict })
		}},
		one("attach/any-spec", "attach/other-spec", "it attaches whatever the sandbox was started from", refuses(true)),
		one("attach/any-owner", "attach/other-owner", "it attaches to anybody's sandbox", refuses(false)),
		one("attach/gone-is-not-found", "attach/gone", "it has no sandbox of that name where one is lost", methods{attach: func(ctx context.Context, d keeper, id string, spec *core.Spec) (core.Backend, error) {
			b, err := d.Attach(ctx, id, spec)
			if errors.Is(err, core.ErrLost) {
				return nil, core.Errorf(core.ErrNotFound, "attach", "no such container")
			}
			return b, err
		}}),
		onJoined("attach/join-ends", "attach/join", "it ends the sandbox when who joined it leaves", func(d keeper, owner string) *methods {
			return &methods{stop: func(ctx context.Context, b core.Backend) error {
				_, err := d.Collect(ctx, everything(owner))
				return errors.Join(err, b.Stop(ctx))
			}}
		}),
		onJoined("attach/cut-upload-lands", "attach/join-cut", "it leaves what has come of a file in its place", func(keeper, string) *methods {
			return &methods{upload: inPlace}
		}),
		onJoined("attach/cut-input-ends", "attach/join-cut", "it takes the end of the stream for that of the input", func(keeper, string) *methods {
			return inputEnds()
		}),
		one("attach/join-anybodys", "attach/join", "it lets everybody join", methods{join: func(ctx context.Context, d keeper, _, id string) (core.Backend, error) {
			return d.Join(ctx, ownerOf(ctx, d, id), id)
		}}),
		onStart("lease/never-renewed", "lease/renewed", "it does not renew a lease", func(ctx context.Context, d core.Driver, spec *core.Spec) (core.Backend, error) {
			b, err := d.Start(ctx, spec)
			if err == nil && spec.Lease > 0 {
				time.AfterFunc(spec.Lease, func() { _ = b.Stop(context.Background()) })
			}
			return b, err
		}),
	}
}

func workspaces() []Saboteur {
	named := func(name, target, breaks string, change func(string) string) Saboteur {
		return onStart(name, target, breaks, func(ctx context.Context, d core.Driver, spec *core.Spec) (core.Backend, error) {
			s := *spec
			s.Workspace = change(spec.Workspace)
			return d.Start(ctx, &s)
		})
	}
	return []Saboteur{
		named("workspace/forgotten", "workspace/kept", "it keeps no files", func(string) string { return "" }),
		named("workspace/names-folded", "workspace/names", "it takes names that differ in case for one", strings.ToLower),
		onStart("workspace/latest-wins", "workspace/one-sandbox", "it ends the sandbox that has a workspace for one that comes later", func(ctx context.Context, d core.Driver, spec *core.Spec) (core.Backend, error) {
			b, err := d.Start(ctx, spec)
			if errors.Is(err, core.ErrConflict) {
				if _, err := d.(keeper).Collect(ctx, everything(spec.Owner)); err != nil {
					return nil, err
				}
				return d.Start(ctx, spec)
			}
			return b, err
		}),
		{Name: "workspace/lost-is-in-use", Target: "workspace/survives-loss", Breaks: "it takes the workspace of a sandbox that is lost for one in use", arm: func() *methods {
			var lost sync.Map // owners of such
			return &methods{
				start: func(ctx context.Context, d core.Driver, spec *core.Spec) (core.Backend, error) {
					if _, used := lost.Load(spec.Owner); used && spec.Workspace != "" {
						return nil, core.Errorf(core.ErrConflict, "start", "the workspace is in use")
					}
					b, err := d.Start(ctx, spec)
					if err == nil {
						lost.Store(b, spec.Owner)
					}
					return b, err
				},
				stop: func(ctx context.Context, b core.Backend) error {
					_, err := b.Execute(ctx, core.Shell("true"))
					if owner, ok := lost.Load(b); ok && errors.Is(err, core.ErrLost) {
						lost.Store(owner, nil)
					}
					return b.Stop(ctx)
				},
			}
		}},
		one("workspace/busy-is-removed", "workspace/removed", "it says that it has removed a workspace that is in use", methods{unkeep: func(ctx context.Context, d keeper, owner, name string) error {
			if err := d.RemoveWorkspace(ctx, owner, name); !errors.Is(err, core.ErrConflict) {
				return err
			}
			return nil
		}}),
		one("workspace/removed-by-prefix", "workspace/removed", "it removes the workspaces of owners whose name begins alike", methods{unkeep: func(ctx context.Context, d keeper, owner, name string) error {
			return d.RemoveWorkspace(ctx, strings.TrimSuffix(owner, "-other"), name)
		}}),
		one("workspace/links-overwritten", "workspace/links", "it overwrites a link that is there", methods{link: func(ctx context.Context, d keeper, owner, name, target string) error {
			err := d.Link(ctx, owner, name, target)
			if errors.Is(err, core.ErrConflict) {
				return errors.Join(d.RemoveWorkspace(ctx, owner, name), d.Link(ctx, owner, name, target))
			}
			return err
		}}),
		one("workspace/links-of-all", "workspace/links", "it lists links of owners whose name begins alike", methods{links: func(ctx context.Context, d keeper, owner string) (map[string]string, error) {
			return d.Links(ctx, strings.TrimSuffix(owner, "-other"))
		}}),
	}
}

func collects() []Saboteur {
	with := func(name, target, breaks string, change func(o *core.CollectOptions)) Saboteur {
		return one(name, target, breaks, methods{collect: func(ctx context.Context, d keeper, o core.CollectOptions) ([]core.Leftover, error) {
			change(&o)
			return d.Collect(ctx, &o)
		}})
	}
	return []Saboteur{
		with("collect/dry-run-removes", "collect/selects", "its dry run removes", func(o *core.CollectOptions) { o.DryRun = false }),
		with("collect/keep-ignored", "collect/selects", "it removes what is to be kept", func(o *core.CollectOptions) { o.Keep = nil }),
		with("collect/young-too", "collect/selects", "it removes sandboxes that are being made", func(o *core.CollectOptions) { o.MinAge = -24 * time.Hour }),
		with("collect/by-prefix", "collect/selects", "it removes what belongs to owners whose name begins alike", func(o *core.CollectOptions) { o.Owner = strings.TrimSuffix(o.Owner, "-other") }),
		one("collect/others-young-too", "collect/others-starts", "it removes sandboxes with a lease that another owner has just started", methods{collect: func(ctx context.Context, d keeper, o core.CollectOptions) ([]core.Leftover, error) {
			all, err := d.Sandboxes(ctx, "")
			for i := range all {
				if r := &all[i]; r.Lease > 0 && r.Owner != o.Owner && o.MinAge < core.DefaultMinAge {
					_, err = d.Collect(ctx, everything(r.Owner))
				}
			}
			own, ownErr := d.Collect(ctx, &o)
			return own, errors.Join(err, ownErr)
		}}),
		with("collect/workspaces-always", "collect/workspaces", "it removes workspaces unasked", func(o *core.CollectOptions) { o.Workspaces = true }),
	}
}

// onRecords is wrong about what the sandboxes that it lists were started with.
func onRecords(name, breaks string, wrong func(*core.Record)) Saboteur {
	return one(name, "attach/listed", breaks, methods{sandboxes: func(ctx context.Context, d keeper, owner string) ([]core.Record, error) {
		all, err := d.Sandboxes(ctx, owner)
		for i := range all {
			wrong(&all[i])
		}
		return all, err
	}})
}

// onJoined is wrong about the sandboxes that are joined.
func onJoined(name, target, breaks string, wrong func(d keeper, owner string) *methods) Saboteur {
	return one(name, target, breaks, methods{join: func(ctx context.Context, d keeper, owner, id string) (core.Backend, error) {
		b, err := d.Join(ctx, owner, id)
		if err != nil {
			return nil, err
		}
		return &backend{good: b.(good), m: wrong(d, owner)}, nil
	}})
}

// inputEnds has the input of every command end a moment before its sandbox is stopped.
func inputEnds() *methods {
	stopped := make(chan struct{})
	end := sync.OnceFunc(func() { close(stopped) })
	return &methods{
		execute: func(ctx context.Context, b core.Backend, cmd *core.Command) (*core.Result, error) {
			c := *cmd
			if cmd.Stdin != nil {
				r, w := io.Pipe()
				c.Stdin = r
				defer r.Close()
				go func() {
					_, err := io.Copy(w, cmd.Stdin)
					_ = w.CloseWithError(err)
				}()
				go func() {
					select {
					case <-stopped:
						_ = w.Close()
					case <-ctx.Done():
					}
				}()
			}
			return b.Execute(ctx, &c)
		},
		stop: func(ctx context.Context, b core.Backend) error {
			end()
			_ = wait(ctx, time.Second)
			return b.Stop(ctx)
		},
	}
}
