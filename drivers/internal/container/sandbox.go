package container

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/guest"
)

// sandbox is the engine's side of one sandbox.
type sandbox struct {
	driver    *Driver
	spec      *core.Spec
	container *Container
	id        string      // the engine's, of the container; empty until it is made
	opened    atomic.Bool // a runner was opened before
	taken     atomic.Bool // another process has the sandbox now
	starter   string      // what process 1 names as the holder when it begins, and after every restart; of each start another
	lease     *lease      // nil without one
	created   time.Time
}

// launch starts a sandbox from an image. If it fails nothing is left.
func (d *Driver) launch(ctx context.Context, spec *core.Spec, img *prepared) (core.Backend, error) {
	s := &sandbox{driver: d, spec: spec, container: plan(spec, img.tag), created: time.Now()}
	s.starter = s.container.Labels[labelStart]
	if spec.Owner != "" { // else nobody can take it over
		s.container.Args = append(s.container.Args, "-claim", s.starter)
	}
	if spec.Lease > 0 { // else it is the owner's to collect, started or not
		defer d.guards.stand(d.engine.Socket(), guardStart, labelStart+"="+s.container.Labels[labelStart]).over()
	}
	err := s.create(ctx)
	if core.CodeOf(err) == core.ErrConflict && s.replaced(ctx) {
		err = s.create(ctx)
	}
	if err != nil {
		return nil, s.giveUp(ctx, err)
	}
	b, err := s.backend(ctx, img.Image)
	if err != nil {
		return nil, s.giveUp(ctx, err)
	}
	return b, nil
}

// replaced removes a sandbox of the same workspace that has ended, so that another can take its place.
func (s *sandbox) replaced(ctx context.Context) bool {
	e, own := s.driver.engine, s.container
	status, err := e.Inspect(ctx, own.Name)
	if err != nil {
		return core.CodeOf(err) == core.ErrNotFound // by now
	}
	ended := status.State == Stopped || status.State == Created && s.abandoned(ctx, status)
	if !ended || !isThe(status.Labels, own.Labels) {
		return false
	}
	err = e.Remove(ctx, status.ID)
	return err == nil || core.CodeOf(err) == core.ErrNotFound
}

// abandoned reports whether a container that was made and not started stays so:
// no start takes that long, so whoever made it has ended.
func (s *sandbox) abandoned(ctx context.Context, status *Status) bool {
	now, err := s.driver.engine.Now(ctx)
	return err == nil && now.Sub(status.Created) > startTimeout
}

// giveUp removes what a failed start has made.
func (s *sandbox) giveUp(ctx context.Context, err error) error {
	ctx, cancel := within(context.WithoutCancel(ctx), removeTimeout)
	defer cancel()
	if s.id == "" {
		s.id = s.cutOff(ctx)
	}
	if s.taken.Load() { // while it was being started
		return err
	}
	if rmErr := s.discard(ctx); rmErr != nil && core.CodeOf(err) != core.ErrUnavailable {
		return errors.Join(err, fmt.Errorf("and its remains could not be removed: %w", rmErr))
	}
	return err
}

// cutOff returns the id of a container that was made although the answer was
// lost. One of that name which is not ours, being another start's, is left alone.
func (s *sandbox) cutOff(ctx context.Context) string {
	status, err := s.driver.engine.Inspect(ctx, s.container.Name)
	if err != nil || status.Labels[labelStart] != s.container.Labels[labelStart] {
		return ""
	}
	return status.ID
}

// create makes and starts the container. An engine goes on with a request whose
// client is gone, so one that was cut off could make its object after we have
// cleaned up; each request runs to its end.
func (s *sandbox) create(ctx context.Context) error {
	e, c := s.driver.engine, s.container
	whole, cancel := within(context.WithoutCancel(ctx), startTimeout)
	defer cancel()
	for _, step := range []func() error{
		func() error { return s.createVolume(whole) },
		func() (err error) { s.id, err = e.Create(whole, c); return s.noNetwork(s.inUse(err)) },
		func() error { return s.noNetwork(e.Start(whole, s.id)) }, // an engine may look for it no sooner
	} {
		if ctx.Err() != nil {
			return core.Ended(ctx)
		}
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// inUse says what stands in the way of a container, whose name is its workspace's. The
// engine's advice, to remove it, would cost somebody his sandbox.
func (s *sandbox) inUse(err error) error {
	if core.CodeOf(err) != core.ErrConflict || s.spec.Workspace == "" {
		return err
	}
	return core.Errorf(core.ErrConflict, "", "the workspace is in use by the sandbox %s", s.container.Name)
}

// noNetwork says what to do about a network that there is not. Nothing else can be missing: the image was there a moment ago.
func (s *sandbox) noNetwork(err error) error {
	if core.CodeOf(err) != core.ErrNotFound || s.spec.Network == core.NetworkNone || s.spec.Network == core.NetworkDefault {
		return err
	}
	return core.Errorf(core.ErrNotFound, "", "the engine has no network %q; make it there, or use none or default (%w)", s.spec.Network, err)
}

// createVolume makes the volume that outlives the container, unless it is there already.
func (s *sandbox) createVolume(ctx context.Context) error {
	c := s.container
	if c.Volume == "" {
		return nil
	}
	if s.spec.Workspace != "" {
		err := s.driver.isWorkspace(ctx, s.spec.Owner, s.spec.Workspace, false)
		if err != nil && core.CodeOf(err) != core.ErrNotFound {
			return err
		}
	}
	err := s.driver.engine.CreateVolume(ctx, c.Volume, c.VolumeLabels)
	if core.CodeOf(err) == core.ErrConflict && s.spec.Workspace != "" {
		return nil
	}
	return err
}

// backend opens the runner.
func (s *sandbox) backend(ctx context.Context, img *Image) (core.Backend, error) {
	if s.spec.Lease > 0 {
		s.lease = s.renewing(ctx)
	}
	b, err := guest.NewBackend(ctx, &guest.Options{
		Driver: s.driver.scheme, ID: s.container.Name, Config: config(s.spec, img), Check: check(s.spec),
		Open: s.open, Restart: s.restart, Remove: s.remove, Alive: s.alive, Info: info(s.spec, img, s.created),
	})
	if err != nil {
		s.lease.end()
		return nil, err
	}
	return b, nil
}

func (s *sandbox) open(ctx context.Context) (io.ReadWriteCloser, error) {
	rw, err := s.openRunner(ctx)
	if err == nil || errors.Is(err, errTaken) {
		return rw, err
	}
	if gone := s.alive(ctx); gone != nil {
		return nil, gone
	}
	return nil, err
}

// openRunner starts a runner. One that follows another must not take the
// sandbox from a process that has attached to it meanwhile.
func (s *sandbox) openRunner(ctx context.Context) (io.ReadWriteCloser, error) {
	if s.opened.Swap(true) && s.spec.Owner != "" {
		if err := s.hold(ctx); err != nil {
			return nil, err
		}
	}
	return s.driver.engine.Exec(ctx, s.id, user(s.spec), []string{guestPath, "runner", "-alone"})
}

// restart ends every process. Process 1 begins anew, as that of whoever started
// the sandbox, so this process takes it back at once: one that lost it must not.
func (s *sandbox) restart(ctx context.Context) error {
	if err := s.driver.engine.Restart(ctx, s.id); err != nil {
		return err
	}
	if s.spec.Owner == "" {
		return nil
	}
	if _, err := s.holder(ctx); err == nil { // process 1 answers again
		_ = s.hold(ctx) // else the next runner's turn
	}
	return nil
}

// hold makes sure that this process still has the sandbox. What process 1 names
// after a restart is nobody's: whoever had the sandbox has it still.
func (s *sandbox) hold(ctx context.Context) error {
	err := s.claim(ctx, s.starter)
	if errors.Is(err, errTaken) {
		s.taken.Store(true)
		s.lease.end() // it is no longer this process's to renew
	}
	return err
}

// alive says why the sandbox does not run, or nil.
func (s *sandbox) alive(ctx context.Context) error {
	status, err := s.driver.engine.Inspect(ctx, s.id)
	switch {
	case core.CodeOf(err) == core.ErrNotFound:
		return core.Errorf(core.ErrLost, "", "its container was removed")
	case err != nil:
		return err
	case status.State == Paused:
		return core.Errorf(core.ErrConflict, "", "its container is paused; unpause it")
	case status.State != Running:
		return core.Errorf(core.ErrLost, "", "its container has stopped")
	}
	return nil
}

// isTaken reports whether another process has the sandbox. Only process 1 knows:
// the stream of the one before breaks some time after it was taken.
func (s *sandbox) isTaken(ctx context.Context) bool {
	if s.taken.Load() || s.spec.Owner == "" || s.id == "" {
		return s.taken.Load()
	}
	patience := claimTimeout
	if deadline, ok := ctx.Deadline(); ok { // of which the removal wants its part
		patience = min(patience, time.Until(deadline)/2)
	}
	ctx, cancel := within(ctx, patience)
	defer cancel()
	_ = s.hold(ctx)
	return s.taken.Load()
}

// claimTimeout bounds it, as a sandbox that is to be removed may be unable to
// answer. Busy engines were seen to take five seconds for an exec.
const claimTimeout = 10 * time.Second

// remove ends the sandbox, unless another process has it.
func (s *sandbox) remove(ctx context.Context) error {
	s.lease.end()
	if s.isTaken(ctx) {
		return nil
	}
	return s.discard(ctx)
}

// discard removes the container, then its volume unless that is a workspace. What is not there is removed already.
func (s *sandbox) discard(ctx context.Context) error {
	e, c := s.driver.engine, s.container
	if s.id != "" {
		if err := e.Remove(ctx, s.id); err != nil && core.CodeOf(err) != core.ErrNotFound {
			return err
		}
	}
	if c.Volume == "" || s.spec.Workspace != "" {
		return nil
	}
	if err := e.RemoveVolume(ctx, c.Volume); err != nil && core.CodeOf(err) != core.ErrNotFound {
		return err
	}
	return nil
}
