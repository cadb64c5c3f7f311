package container

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/guest"
)

// launch starts a sandbox from an image. If it fails nothing is left.
func (d *Driver) launch(ctx context.Context, spec *core.Spec, img *prepared) (core.Backend, error) {
	s := &sandbox{driver: d, spec: spec, container: plan(spec, img.tag)}
	if spec.Lease > 0 {
		return nil, core.Errorf(core.ErrUnsupported, "", "a Lease; stop the sandbox instead")
	}
	b, err := s.start(ctx, img)
	if err == nil {
		return b, nil
	}
	// The engine may have done what it was asked although the answer was cut off.
	clean, cancelClean := context.WithTimeout(context.WithoutCancel(ctx), removeTimeout)
	defer cancelClean()
	if rmErr := s.remove(clean); rmErr != nil && core.CodeOf(err) != core.ErrUnavailable {
		err = errors.Join(err, fmt.Errorf("and its remains could not be removed: %w", rmErr))
	}
	return nil, err
}

// sandbox is the engine's side of one sandbox.
type sandbox struct {
	driver    *Driver
	spec      *core.Spec
	container *Container
}

func (s *sandbox) start(ctx context.Context, img *prepared) (core.Backend, error) {
	e, c := s.driver.engine, s.container
	// An engine goes on with a request whose client is gone, so one that was cut
	// off could make its object after we have cleaned up. Each runs to its end.
	whole, cancel := context.WithTimeout(context.WithoutCancel(ctx), startTimeout)
	defer cancel()
	for _, step := range []func() error{
		func() error { return e.CreateVolume(whole, c.Volume, c.Labels) },
		func() error { return e.Create(whole, c) },
		func() error { return e.Start(whole, c.Name) },
	} {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err := step(); err != nil {
			return nil, err
		}
	}
	return guest.NewBackend(ctx, &guest.Options{
		Driver: s.driver.scheme, ID: c.Name, Config: config(s.spec, img.Image), Check: check(s.spec),
		Open: s.open, Restart: s.restart, Remove: s.remove, Alive: s.alive,
		Info: core.SandboxInfo{
			Image: img.ID, Profile: s.spec.Profile, Network: s.spec.Network, Created: time.Now(),
			Limits: core.Limits{Tmp: c.Tmp, OpenFiles: s.spec.Limits.OpenFiles, FileSize: s.spec.Limits.FileSize},
		},
	})
}

func (s *sandbox) open(ctx context.Context) (io.ReadWriteCloser, error) {
	rw, err := s.driver.engine.Exec(ctx, s.container.Name, user(s.spec), []string{guestPath, "runner", "-alone"})
	if err == nil {
		return rw, nil
	}
	if gone := s.alive(ctx); gone != nil {
		return nil, gone
	}
	return nil, err
}

func (s *sandbox) restart(ctx context.Context) error {
	return s.driver.engine.Restart(ctx, s.container.Name)
}

// alive says why the sandbox does not run, or nil.
func (s *sandbox) alive(ctx context.Context) error {
	state, err := s.driver.engine.State(ctx, s.container.Name)
	switch {
	case core.CodeOf(err) == core.ErrNotFound:
		return core.Errorf(core.ErrLost, "", "its container was removed")
	case err != nil:
		return err
	case state == Paused:
		return core.Errorf(core.ErrConflict, "", "its container is paused; unpause it")
	case state != Running:
		return core.Errorf(core.ErrLost, "", "its container has stopped")
	}
	return nil
}

// remove removes the container, then its volume. What is not there is removed already.
func (s *sandbox) remove(ctx context.Context) error {
	e, c := s.driver.engine, s.container
	if err := e.Remove(ctx, c.Name); err != nil && core.CodeOf(err) != core.ErrNotFound {
		return err
	}
	if err := e.RemoveVolume(ctx, c.Volume); err != nil && core.CodeOf(err) != core.ErrNotFound {
		return err
	}
	return nil
}
