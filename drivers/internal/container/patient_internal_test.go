package container

import (
	"context"
	"io"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
)

// silent is an engine that takes every request and answers none.
type silent struct{}

func wait(ctx context.Context) error {
	<-ctx.Done()
	return core.Errorf(core.ErrTimeout, "", "%w", context.Cause(ctx))
}

func (silent) Socket() string                                                  { return "" }
func (silent) Ping(ctx context.Context) error                                  { return wait(ctx) }
func (silent) Info(ctx context.Context) (*core.Info, error)                    { return nil, wait(ctx) }
func (silent) Now(ctx context.Context) (time.Time, error)                      { return time.Time{}, wait(ctx) }
func (silent) Image(ctx context.Context, _ string) (*Image, error)             { return nil, wait(ctx) }
func (silent) Pull(ctx context.Context, _ string, _ func(core.Progress)) error { return wait(ctx) }
func (silent) Build(ctx context.Context, _ io.Reader, _ *Build) error          { return wait(ctx) }
func (silent) GuardsSteps() bool                                               { return false }
func (silent) Images(ctx context.Context, _ string) ([]Listed, error)          { return nil, wait(ctx) }
func (silent) RemoveImage(ctx context.Context, _ string) error                 { return wait(ctx) }
func (silent) RemoveRest(ctx context.Context, _ string) error                  { return wait(ctx) }
func (silent) CreateVolume(ctx context.Context, _ string, _ map[string]string) error {
	return wait(ctx)
}

func (silent) ReserveVolume(ctx context.Context, _ string, _ map[string]string) error {
	return wait(ctx)
}
func (silent) RemoveVolume(ctx context.Context, _ string) error              { return wait(ctx) }
func (silent) Volume(ctx context.Context, _ string) (*Volume, error)         { return nil, wait(ctx) }
func (silent) Volumes(ctx context.Context, _ string) ([]Volume, error)       { return nil, wait(ctx) }
func (silent) Create(ctx context.Context, _ *Container) (string, error)      { return "", wait(ctx) }
func (silent) Start(ctx context.Context, _ string) error                     { return wait(ctx) }
func (silent) Restart(ctx context.Context, _ string) error                   { return wait(ctx) }
func (silent) Signal(ctx context.Context, _, _ string) error                 { return wait(ctx) }
func (silent) Inspect(ctx context.Context, _ string) (*Status, error)        { return nil, wait(ctx) }
func (silent) Containers(ctx context.Context, _ ...string) ([]Status, error) { return nil, wait(ctx) }
func (silent) Remove(ctx context.Context, _ string) error                    { return wait(ctx) }
func (silent) Close() error                                                  { return nil }
func (silent) Exec(ctx context.Context, _, _ string, _ []string) (io.ReadWriteCloser, error) {
	return nil, wait(ctx)
}

func TestNoCallWaitsForEver(t *testing.T) {
	unbounded := []string{"Pull", "Build", "GuardsSteps", "Socket", "Close"} // by design, or they ask nothing
	verbs := reflect.TypeFor[Engine]()
	for i := range verbs.NumMethod() {
		verb := verbs.Method(i)
		if slices.Contains(unbounded, verb.Name) {
			continue
		}
		t.Run(verb.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				args := []reflect.Value{reflect.ValueOf(t.Context())}
				fixed := verb.Type.NumIn()
				if verb.Type.IsVariadic() {
					fixed--
				}
				for j := 1; j < fixed; j++ {
					args = append(args, reflect.Zero(verb.Type.In(j)))
				}
				began := time.Now()
				out := reflect.ValueOf(New("test", silent{}).engine).MethodByName(verb.Name).Call(args)
				require.LessOrEqual(t, time.Since(began), removingPatience)
				err, ok := out[len(out)-1].Interface().(error)
				require.True(t, ok)
				require.ErrorIs(t, err, ErrNoAnswer)
			})
		})
	}
}

func TestDriverOfASilentEngine(t *testing.T) {
	spec := (&core.Spec{Runtime: &core.Runtime{Image: "x"}, Owner: "owner"}).WithDefaults()
	for name, call := range map[string]func(context.Context, *Driver) error{
		"info":             func(ctx context.Context, d *Driver) error { _, err := d.Info(ctx); return err },
		"start":            func(ctx context.Context, d *Driver) error { _, err := d.Start(ctx, spec); return err },
		"prepare":          func(ctx context.Context, d *Driver) error { _, err := d.Prepare(ctx, spec.Runtime, nil); return err },
		"attach":           func(ctx context.Context, d *Driver) error { _, err := d.Attach(ctx, "x", spec); return err },
		"join":             func(ctx context.Context, d *Driver) error { _, err := d.Join(ctx, "owner", "x"); return err },
		"sandboxes":        func(ctx context.Context, d *Driver) error { _, err := d.Sandboxes(ctx, ""); return err },
		"remove workspace": func(ctx context.Context, d *Driver) error { return d.RemoveWorkspace(ctx, "owner", "x") },
		"link":             func(ctx context.Context, d *Driver) error { return d.Link(ctx, "owner", "x", "y") },
		"links":            func(ctx context.Context, d *Driver) error { _, err := d.Links(ctx, "owner"); return err },
		"collect":          func(ctx context.Context, d *Driver) error { _, err := d.Collect(ctx, nil); return err },
		"prune":            func(ctx context.Context, d *Driver) error { _, err := d.Prune(ctx, nil); return err },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				require.ErrorIs(t, call(t.Context(), New("test", silent{})), core.ErrTimeout)
				require.LessOrEqual(t, time.Since(began), removingPatience)
			})
		})
	}
}

// busy is an engine that answers when it gets to it.
type busy struct{ silent }

func (busy) Ping(context.Context) error { return nil }

func (busy) Info(ctx context.Context) (*core.Info, error) {
	select {
	case <-time.After(20 * time.Second):
		return &core.Info{Engine: "busy"}, nil
	case <-ctx.Done():
		return nil, wait(ctx)
	}
}

func TestABusyEngineIsNotADeadOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		_, err := New("test", silent{}).Info(t.Context())
		require.ErrorIs(t, err, core.ErrTimeout)
		require.Equal(t, pingTimeout, time.Since(began))
		info, err := New("test", busy{}).Info(t.Context())
		require.NoError(t, err)
		require.Equal(t, "busy", info.Engine)
	})
}

// deaf does not even notice that its caller has gone.
type deaf struct {
	busy
	answer chan struct{}
}

func (d deaf) Info(context.Context) (*core.Info, error) {
	<-d.answer
	return new(core.Info), nil
}

func TestInfoKeepsItsOwnTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := deaf{answer: make(chan struct{})}
		began := time.Now()
		_, err := New("test", e).Info(context.Background())
		require.ErrorIs(t, err, core.ErrTimeout)
		require.Equal(t, pingTimeout+Patience, time.Since(began))
		close(e.answer)
	})
}
