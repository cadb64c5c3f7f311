package container

import (
	"context"
	"fmt"
	"io"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/guest"
	"github.com/caisson-dev/caisson/guest/protocol"
)

var _ core.Joiner = (*Driver)(nil)

// Join opens a sandbox beside the process that has it; see core.Joiner. It
// does so with a runner that is not alone, so the process's own lives on, and it
// neither takes the claim nor renews the lease.
func (d *Driver) Join(ctx context.Context, owner, id string) (core.Backend, error) {
	b, err := d.join(ctx, owner, id)
	if err != nil {
		return nil, d.fail("join", err)
	}
	return b, nil
}

func (d *Driver) join(ctx context.Context, owner, id string) (core.Backend, error) {
	status, err := d.engine.Inspect(ctx, id)
	switch {
	case core.CodeOf(err) == core.ErrNotFound:
		return nil, core.Errorf(core.ErrLost, "", "there is no sandbox %s", id)
	case err != nil:
		return nil, err
	case status.Labels[core.LabelPrefix] != kindSandbox || owner == "" || status.Labels[labelOwner] != owner:
		return nil, core.Errorf(core.ErrConflict, "", "%s is no sandbox of this owner", id)
	}
	img, err := d.engine.Image(ctx, status.Image)
	if err != nil {
		return nil, err
	}
	uid := status.Labels[labelUID]
	spec, err := described(status.Labels)
	if err != nil {
		return nil, err
	}
	s := &sandbox{driver: d, id: status.ID}
	return guest.NewBackend(ctx, &guest.Options{
		Driver: d.scheme, ID: id, Config: config(spec, img),
		Open: func(ctx context.Context) (io.ReadWriteCloser, error) {
			if err := s.alive(ctx); err != nil {
				return nil, err
			}
			return d.engine.Exec(ctx, s.id, uid, []string{guestPath, "runner"})
		},
		Alive: s.alive,
		Check: func(f *protocol.Facts) error {
			return unless(fmt.Sprintf("%d:%d", f.UID, f.GID) == uid && f.NoNewPrivs, "the workload runs as %d:%d", f.UID, f.GID)
		},
		Remove: func(context.Context) error { return nil }, // it stays
		Info:   info(spec, img, status.Created),
	})
}
