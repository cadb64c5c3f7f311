package saboteur

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/caisson-dev/caisson/core"
)

// onRuntime is a saboteur that prepares and starts another runtime than was asked for.
func onRuntime(name, target, breaks string, change func(rt *core.Runtime)) Saboteur {
	changed := func(rt *core.Runtime) *core.Runtime {
		if rt == nil {
			return nil
		}
		c := *rt
		c.Env = maps.Clone(rt.Env)
		if c.Env == nil {
			c.Env = map[string]string{}
		}
		change(&c)
		return &c
	}
	return Saboteur{Name: name, Target: target, Breaks: breaks, arm: func() *methods {
		return &methods{
			prepare: func(ctx context.Context, d core.Driver, rt *core.Runtime, o *core.PrepareOptions) (*core.Prepared, error) {
				return d.Prepare(ctx, changed(rt), o)
			},
			start: func(ctx context.Context, d core.Driver, spec *core.Spec) (core.Backend, error) {
				s := *spec
				s.Runtime = changed(spec.Runtime)
				return d.Start(ctx, &s)
			},
		}
	}}
}

// unlessSet adds a variable to a runtime that does not set it itself.
func unlessSet(key, value string) func(rt *core.Runtime) {
	return func(rt *core.Runtime) { rt.Env[key] = cmp.Or(rt.Env[key], value) }
}

// Wrong about what the sandboxes of a runtime are like.
func environments() []Saboteur {
	return []Saboteur{
		onRuntime("runtime/usual-directory", "runtime/work-dir", "it runs commands in /workspace, whatever the runtime says", func(rt *core.Runtime) { rt.WorkDir = core.DefaultWorkDir }),
		onRuntime("runtime/usual-user", "runtime/user", "it runs commands as 1000:1000, whatever the runtime says", func(rt *core.Runtime) { rt.User = core.DefaultUser }),
		onCommand("runtime/env-for-scripts", "runtime/env", "it gives the runtime's environment to scripts only", func(c *core.Command) {
			if len(c.Args) > 0 {
				hide := `for k in $(env | sed -n "s/^\(RUNTIME_[A-Za-z0-9]*\)=.*/\1/p"); do unset "$k"; done; exec "$@"`
				c.Args = append([]string{"sh", "-c", hide, "sh"}, c.Args...)
			}
		}),
		onRuntime("runtime/own-env-wins", "runtime/env-order", "it sets what every sandbox has after the runtime's environment", func(rt *core.Runtime) {
			for _, key := range []string{"HOME", "TMPDIR", "LANG", "PATH"} {
				delete(rt.Env, key)
			}
		}),
		onRuntime("runtime/home-elsewhere", "runtime/home", "it leaves HOME to the image", unlessSet("HOME", "/root")),
		onRuntime("runtime/tmpdir-elsewhere", "runtime/tmpdir", "it leads TMPDIR to where nothing can be written", unlessSet("TMPDIR", "/var/tmp")),
		onRuntime("runtime/path-relative", "runtime/path", "it searches programs in the present directory", unlessSet("PATH", "/usr/local/bin:/usr/bin:/bin:.")),
		onRuntime("runtime/no-locale", "runtime/locale", "it sets a locale of ASCII", unlessSet("LANG", "C")),
		onStart("runtime/root-writable", "runtime/read-only", "it leaves the root writable for whom its permissions allow it", func(ctx context.Context, d core.Driver, spec *core.Spec) (core.Backend, error) {
			s := *spec
			s.Profile = core.Standard
			return d.Start(ctx, &s)
		}),
		onPrepare("runtime/takes-anything", "runtime/invalid", "it prepares a runtime that nobody has validated", func(ctx context.Context, d core.Driver, rt *core.Runtime, o *core.PrepareOptions) (*core.Prepared, error) {
			p, err := d.Prepare(ctx, rt, o)
			if errors.Is(err, core.ErrInvalid) {
				return &core.Prepared{Image: "image", ID: "id"}, nil
			}
			return p, err
		}),
		onRuntime("runtime/ignores-setup", "runtime/build-failure", "it starts without the set-up", func(rt *core.Runtime) { rt.SetupCommands = nil }),
		onRuntime("runtime/setup-backwards", "runtime/setup", "it runs the set-up commands as they come", func(rt *core.Runtime) {
			rt.SetupCommands = slices.Clone(rt.SetupCommands)
			slices.Reverse(rt.SetupCommands)
		}),
		onRuntime("runtime/any-version", "runtime/packages", "it installs whatever version there is", func(rt *core.Runtime) {
			rt.Packages = slices.Clone(rt.Packages)
			for i, p := range rt.Packages {
				rt.Packages[i] = p[:strings.IndexAny(p+"=", "<>=~!")]
			}
		}),
		onPrepare("runtime/never-cached", "runtime/cached", "it builds a runtime each time", func(ctx context.Context, d core.Driver, rt *core.Runtime, o *core.PrepareOptions) (*core.Prepared, error) {
			c := *o
			c.NoCache = true
			return d.Prepare(ctx, rt, &c)
		}),
		onPrepare("runtime/build-goes-on", "runtime/build-canceled", "it waits for the end of a build that nobody wants any more", func(ctx context.Context, d core.Driver, rt *core.Runtime, o *core.PrepareOptions) (*core.Prepared, error) {
			p, err := d.Prepare(context.WithoutCancel(ctx), rt, o)
			return p, errors.Join(err, ctx.Err())
		}),
	}
}
