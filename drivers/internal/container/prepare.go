package container

import (
	"context"

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
	if err := d.runnable(ctx, img, rt); err != nil {
		return nil, err
	}
	p, err := d.layer(ctx, img, rt.WorkDir, user)
	if err != nil {
		return nil, err
	}
	progress(core.Progress{Kind: core.ProgressDone, Text: p.tag})
	return p, nil
}

// source returns the image that the runtime names, pulled if it is not there.
func (d *Driver) source(ctx context.Context, rt *core.Runtime, progress func(core.Progress)) (*Image, error) {
	ref := rt.Image
	if ref == "" {
		if len(rt.Packages)+len(rt.SetupCommands) > 0 {
			return nil, core.Errorf(core.ErrUnsupported, "", "building packages into an image; use a ready-made Image")
		}
		ref = rt.BaseImage
	}
	img, err := d.engine.Image(ctx, ref)
	if core.CodeOf(err) != core.ErrNotFound {
		return img, err
	}
	if err := d.engine.Pull(ctx, ref, progress); err != nil {
		return nil, &core.Error{Code: core.CodeOf(err), Err: pullError{ref, err}}
	}
	return d.engine.Image(ctx, ref)
}

// pullError says in one line which image is missing and what to do.
type pullError struct {
	ref string
	err error
}

func (e pullError) Error() string {
	text := e.err.Error()
	if own, ok := e.err.(*core.Error); ok && own.Err != nil { //nolint:errorlint // the outermost one is unpacked, once
		text = own.Err.Error()
	}
	return "image " + e.ref + " is not on the engine and cannot be pulled: " + text + "; check its name, or load it into the engine"
}

func (e pullError) Unwrap() error { return e.err }

// runnable refuses an image that the engine cannot run.
func (d *Driver) runnable(ctx context.Context, img *Image, rt *core.Runtime) error {
	info, err := d.engine.Info(ctx)
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
