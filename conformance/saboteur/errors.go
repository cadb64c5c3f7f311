package saboteur

import (
	"context"
	"errors"
	"io"

	"github.com/caisson-dev/caisson/core"
)

// Wrong about what errors say.
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
		{Name: "errors/no-sandbox", Target: "errors/form", Breaks: "its errors do not say which sandbox they are about", arm: func() *methods {
			return onErrors(func(_ context.Context, err error) error {
				if own, ok := errors.AsType[*core.Error](err); ok {
					c := *own
					c.Sandbox = ""
					return &c
				}
				return err
			})
		}},
		{Name: "errors/cause-alone", Target: "errors/cause", Breaks: "it returns the reason that the caller had for cancelling a context, and no more", arm: func() *methods {
			return onErrors(func(ctx context.Context, err error) error {
				if err != nil && ctx.Err() != nil && !errors.Is(context.Cause(ctx), ctx.Err()) {
					return context.Cause(ctx)
				}
				return err
			})
		}},
		onExecute("errors/lost-and-unavailable", "errors/one-outcome", "it says both that a command may have run and that nothing happened", func(ctx context.Context, b core.Backend, cmd *core.Command) (*core.Result, error) {
			res, err := b.Execute(ctx, cmd)
			if res != nil && (errors.Is(err, core.ErrLost) || errors.Is(err, core.ErrIndeterminate)) {
				return res, errors.Join(err, core.ErrUnavailable)
			}
			return res, err
		}),
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

// onErrors changes every error of a backend.
func onErrors(change func(ctx context.Context, err error) error) *methods {
	return &methods{
		execute: func(ctx context.Context, b core.Backend, cmd *core.Command) (*core.Result, error) {
			res, err := b.Execute(ctx, cmd)
			return res, change(ctx, err)
		},
		upload: func(ctx context.Context, b core.Backend, p string, src io.Reader, o *core.UploadOptions) error {
			return change(ctx, b.Upload(ctx, p, src, o))
		},
		read: func(ctx context.Context, b core.Backend, p string, o *core.ReadOptions) (io.ReadCloser, error) {
			r, err := b.Read(ctx, p, o)
			return r, change(ctx, err)
		},
	}
}
