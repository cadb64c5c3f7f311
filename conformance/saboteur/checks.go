package saboteur

import (
	"context"
	"errors"
	"io"
	"strings"

	"github.com/caisson-dev/caisson/conformance"
	"github.com/caisson-dev/caisson/core"
)

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
