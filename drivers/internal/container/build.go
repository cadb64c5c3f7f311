package container

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"time"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/runtimes"
)

const (
	buildTimeout = time.Hour
	// restTimeout bounds the removal of what a build leaves, which for large images takes long.
	restTimeout = 2 * time.Minute
)

// build returns the image of a runtime that has packages or setup commands on
// top of base. It is built if it is not there, once for all who want it.
func (d *Driver) build(ctx context.Context, rt *core.Runtime, base *Image, afresh bool, progress func(core.Progress)) (*built, error) {
	opts := &runtimes.BuildOptions{ID: rand.Text(), Guard: d.engine.GuardsSteps()}
	b, err := runtimes.NewBuild(rt, runtimes.BaseImage{ID: base.ID, Env: base.Env}, opts)
	if err != nil {
		return nil, err
	}
	have, err := d.engine.Image(ctx, b.Tag)
	if err != nil && core.CodeOf(err) != core.ErrNotFound {
		return nil, err
	}
	if err == nil && !afresh {
		return &built{Image: have}, nil
	}
	return d.builds.do(ctx, b.Tag, progress, func(ctx context.Context, progress func(core.Progress)) (*built, error) {
		ctx, cancel := within(ctx, buildTimeout)
		defer cancel()
		return d.runBuild(ctx, b, opts.ID, have, progress)
	})
}

// built is an image and whether it was built just now.
type built struct {
	*Image
	now bool
}

// runBuild builds and removes the image that stood under the same name before.
func (d *Driver) runBuild(ctx context.Context, b *runtimes.Build, id string, before *Image, progress func(core.Progress)) (*built, error) {
	log := &buildLog{build: b, progress: progress}
	err := d.engineBuild(ctx, b.Context(), &Build{Tag: b.Tag, Mark: runtimes.LabelBuild + "=" + id, Labels: b.Labels, Args: b.Args, Network: b.Network, Output: log})
	if err == nil {
		log.end()
	} else if failed, ok := errors.AsType[*core.Error](err); ok && failed.Code == core.ErrBuild {
		err = &core.Error{Code: core.ErrBuild, Err: log.failure(failed.Err.Error())}
	}
	if err != nil {
		return nil, err
	}
	img, err := d.engine.Image(ctx, b.Tag)
	if err != nil {
		return nil, err
	}
	if before != nil && before.ID != img.ID {
		clean, cancel := within(context.WithoutCancel(ctx), restTimeout)
		defer cancel()
		_ = d.engine.RemoveImage(clean, before.ID)
	}
	return &built{Image: img, now: true}, nil
}

// engineBuild runs a build. Whether it works, fails or is cut off by our death, of what it made on its way nothing is left.
func (d *Driver) engineBuild(ctx context.Context, source io.Reader, b *Build) error {
	if d.engine.GuardsSteps() {
		b.Dial = func() net.Conn { return d.guards.relay(d.engine.Socket()) }
	} else {
		defer d.guards.stand(d.engine.Socket(), guardImages, b.Mark).over()
	}
	err := d.engine.Build(ctx, source, b)
	clean, cancel := within(context.WithoutCancel(ctx), restTimeout)
	defer cancel()
	// What cannot be removed has labels by which it is found later, and is no reason to fail.
	_ = d.engine.RemoveRest(clean, b.Mark)
	return err
}
