package container

import (
	"context"
	"io"
	"time"

	"github.com/caisson-dev/caisson/core"
)

// Patience is how long an engine may take for one request. The slowest honest
// one, a start on a busy engine, takes a third of it.
const Patience = 30 * time.Second

// removingPatience is that of requests for which the engine deletes files.
const removingPatience = 2 * time.Minute

// patient is an Engine of which no call waits for ever for an engine that takes
// requests and does not answer them. Often nobody else would end it: what
// several callers wait for has left the context of each. Pull and Build take as
// long as there is something to report, so they are left to their callers, as is the
// stream of an Exec once it is there.
type patient struct{ Engine }

func ask[T any](ctx context.Context, patience time.Duration, call func(context.Context) (T, error)) (T, error) {
	ctx, cancel := within(ctx, patience)
	defer cancel()
	return call(ctx)
}

func tell(ctx context.Context, patience time.Duration, call func(context.Context) error) error {
	ctx, cancel := within(ctx, patience)
	defer cancel()
	return call(ctx)
}

func (p patient) Ping(ctx context.Context) error {
	return tell(ctx, pingTimeout, p.Engine.Ping)
}

func (p patient) Info(ctx context.Context) (*core.Info, error) {
	return ask(ctx, Patience, p.Engine.Info)
}

func (p patient) Now(ctx context.Context) (time.Time, error) {
	return ask(ctx, Patience, p.Engine.Now)
}

func (p patient) Image(ctx context.Context, ref string) (*Image, error) {
	return ask(ctx, Patience, func(ctx context.Context) (*Image, error) { return p.Engine.Image(ctx, ref) })
}

func (p patient) Images(ctx context.Context, label string) ([]Listed, error) {
	return ask(ctx, Patience, func(ctx context.Context) ([]Listed, error) { return p.Engine.Images(ctx, label) })
}

func (p patient) RemoveImage(ctx context.Context, ref string) error {
	return tell(ctx, removingPatience, func(ctx context.Context) error { return p.Engine.RemoveImage(ctx, ref) })
}

func (p patient) RemoveRest(ctx context.Context, label string) error {
	return tell(ctx, removingPatience, func(ctx context.Context) error { return p.Engine.RemoveRest(ctx, label) })
}

func (p patient) CreateVolume(ctx context.Context, name string, labels map[string]string) error {
	return tell(ctx, Patience, func(ctx context.Context) error { return p.Engine.CreateVolume(ctx, name, labels) })
}

func (p patient) ReserveVolume(ctx context.Context, name string, labels map[string]string) error {
	return tell(ctx, Patience, func(ctx context.Context) error { return p.Engine.ReserveVolume(ctx, name, labels) })
}

func (p patient) RemoveVolume(ctx context.Context, name string) error {
	return tell(ctx, removingPatience, func(ctx context.Context) error { return p.Engine.RemoveVolume(ctx, name) })
}

func (p patient) Volume(ctx context.Context, name string) (*Volume, error) {
	return ask(ctx, Patience, func(ctx context.Context) (*Volume, error) { return p.Engine.Volume(ctx, name) })
}

func (p patient) Volumes(ctx context.Context, label string) ([]Volume, error) {
	return ask(ctx, Patience, func(ctx context.Context) ([]Volume, error) { return p.Engine.Volumes(ctx, label) })
}

func (p patient) Create(ctx context.Context, c *Container) (string, error) {
	return ask(ctx, Patience, func(ctx context.Context) (string, error) { return p.Engine.Create(ctx, c) })
}

func (p patient) Start(ctx context.Context, name string) error {
	return tell(ctx, Patience, func(ctx context.Context) error { return p.Engine.Start(ctx, name) })
}

func (p patient) Exec(ctx context.Context, name, user string, args []string) (io.ReadWriteCloser, error) {
	return ask(ctx, Patience, func(ctx context.Context) (io.ReadWriteCloser, error) { return p.Engine.Exec(ctx, name, user, args) })
}

func (p patient) Restart(ctx context.Context, name string) error {
	return tell(ctx, Patience, func(ctx context.Context) error { return p.Engine.Restart(ctx, name) })
}

func (p patient) Signal(ctx context.Context, name, signal string) error {
	return tell(ctx, Patience, func(ctx context.Context) error { return p.Engine.Signal(ctx, name, signal) })
}

func (p patient) Inspect(ctx context.Context, name string) (*Status, error) {
	return ask(ctx, Patience, func(ctx context.Context) (*Status, error) { return p.Engine.Inspect(ctx, name) })
}

func (p patient) Containers(ctx context.Context, labels ...string) ([]Status, error) {
	return ask(ctx, Patience, func(ctx context.Context) ([]Status, error) { return p.Engine.Containers(ctx, labels...) })
}

func (p patient) Remove(ctx context.Context, name string) error {
	return tell(ctx, removingPatience, func(ctx context.Context) error { return p.Engine.Remove(ctx, name) })
}
