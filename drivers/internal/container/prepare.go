package container

import (
	"context"
	"errors"
	"runtime"

	"github.com/caisson-dev/caisson/core"
)

// prepared is an image that sandboxes can be started from.
type prepared struct {
	*Image
	tag   string
	built bool
}

// prepare makes the runtime's image present and puts the helper into it.
func (d *Driver) prepare(ctx context.Context, rt *core.Runtime, user string, opts *core.PrepareOptions) (*prepared, error) {
	progress := opts.Progress
	if progress == nil {
		progress = func(core.Progress) {}
	}
	img, err := d.source(ctx, rt, progress)
	if err != nil {
		return nil, err
	}
	if img.OS != "linux" || img.Arch != runtime.GOARCH { // else it is most likely the engine's
		if err := d.runnable(ctx, rt, img); err != nil {
			return nil, err
		}
	}
	made := &built{Image: img}
	if len(rt.Packages)+len(rt.SetupCommands) > 0 {
		if made, err = d.build(ctx, rt, img, rt.NoCache || opts.NoCache, progress); err != nil {
			return nil, err
		}
	}
	p, err := d.layer(ctx, made.Image, rt.WorkDir, user)
	if err != nil {
		return nil, err
	}
	p.built = p.built || made.now
	progress(core.Progress{Kind: core.ProgressDone, Text: p.tag})
	return p, nil
}

// source returns the image that the runtime names or is built from, pulled if it is not there.
func (d *Driver) source(ctx context.Context, rt *core.Runtime, progress func(core.Progress)) (*Image, error) {
	ref := rt.Image
	if ref == "" {
		ref = rt.BaseImage
	}
	img, err := ask(ctx, firstTimeout, func(ctx context.Context) (*Image, error) { return d.engine.Image(ctx, ref) })
	if core.CodeOf(err) != core.ErrNotFound {
		return img, err
	}
	_, err = d.pulls.do(ctx, ref, progress, func(ctx context.Context, progress func(core.Progress)) (struct{}, error) {
		return struct{}{}, d.engine.Pull(ctx, ref, progress)
	})
	if err != nil {
		code := core.CodeOf(err)
		if own, ok := errors.AsType[*core.Error](err); ok && own.Err != nil {
			err = own.Err
		}
		if code == core.ErrInternal { // a registry has many ways to say no
			code = core.ErrUnavailable
		}
		return nil, &core.Error{Code: code, Err: pullError{ref, err}}
	}
	return d.engine.Image(ctx, ref)
}

// pullError says in one line which image is missing and what to do.
type pullError struct {
	ref string
	err error
}

func (e pullError) Error() string {
	return "image " + e.ref + " is not on the engine and cannot be pulled: " + e.err.Error() + "; check its name, or load it into the engine"
}

func (e pullError) Unwrap() error { return e.err }

// runnable refuses an image that the engine cannot run.
func (d *Driver) runnable(ctx context.Context, rt *core.Runtime, img *Image) error {
	info, err := d.Info(ctx)
	if err != nil {
		return err
	}
	if img.OS != "linux" || img.Arch != info.Arch {
		ref := rt.Image
		if ref == "" {
			ref = rt.BaseImage
		}
		return core.Errorf(core.ErrUnsupported, "", "image %s is for %s/%s, the engine runs linux/%s; use an image of that architecture", ref, img.OS, img.Arch, info.Arch)
	}
	return nil
}
