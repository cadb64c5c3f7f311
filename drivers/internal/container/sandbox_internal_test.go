package container

import (
	"context"
	"io"
	"net"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
)

// occupied is an engine on which there is one container, by every name.
type occupied struct {
	Engine
	status  Status
	age     time.Duration
	gone    bool // by the time it is looked for
	going   bool // by the time it is removed
	removed string
}

func (o *occupied) Now(context.Context) (time.Time, error) { return o.status.Created.Add(o.age), nil }
func (o *occupied) Inspect(context.Context, string) (*Status, error) {
	if o.gone {
		return nil, core.ErrNotFound
	}
	return &o.status, nil
}

func (o *occupied) Remove(_ context.Context, name string) error {
	o.removed = name
	if o.going {
		return core.ErrNotFound
	}
	return nil
}

func TestWhatASandboxTakesThePlaceOf(t *testing.T) {
	spec := (&core.Spec{Runtime: &core.Runtime{Image: "x"}, Owner: "owner", Workspace: "w"}).WithDefaults()
	another := (&core.Spec{Runtime: &core.Runtime{Image: "x"}, Owner: "owner", Workspace: "another"}).WithDefaults()
	for name, test := range map[string]struct {
		state State
		age   time.Duration
		of    *core.Spec
		want  bool
	}{
		"running":                 {Running, time.Hour, spec, false},
		"paused":                  {Paused, time.Hour, spec, false},
		"stopped":                 {Stopped, 0, spec, true},
		"stopped of another":      {Stopped, time.Hour, another, false},
		"being started":           {Created, startTimeout, spec, false},
		"abandoned in its start":  {Created, startTimeout + time.Second, spec, true},
		"abandoned, of another's": {Created, time.Hour, another, false},
	} {
		t.Run(name, func(t *testing.T) {
			e := &occupied{status: Status{ID: "id", State: test.state, Labels: labels(test.of), Created: time.Unix(1e9, 0)}, age: test.age}
			s := &sandbox{driver: New("test", e), spec: spec, container: plan(spec, "image")}
			require.Equal(t, test.want, s.replaced(t.Context()))
			require.Equal(t, test.want, e.removed == "id")
		})
	}
	for _, e := range []*occupied{{gone: true}, {going: true}} {
		e.status = Status{ID: "id", State: Stopped, Labels: labels(spec)}
		s := &sandbox{driver: New("test", e), spec: spec, container: plan(spec, "image")}
		require.True(t, s.replaced(t.Context()), "the engine has removed it meanwhile")
	}
}

// foreign is an engine on another machine, of another architecture than ours: it
// has an image for ours, and what starts from that ends at once.
type foreign struct {
	Engine
	arch string
}

func (f foreign) Image(context.Context, string) (*Image, error) {
	return &Image{ID: "sha256:1", OS: "linux", Arch: runtime.GOARCH}, nil
}
func (f foreign) Ping(context.Context) error                                    { return nil }
func (f foreign) Info(context.Context) (*core.Info, error)                      { return &core.Info{Arch: f.arch}, nil }
func (f foreign) CreateVolume(context.Context, string, map[string]string) error { return nil }
func (f foreign) RemoveVolume(context.Context, string) error                    { return nil }
func (f foreign) Create(context.Context, *Container) (string, error)            { return "id", nil }
func (f foreign) Start(context.Context, string) error {
	return core.Errorf(core.ErrLost, "", "its container has stopped")
}
func (f foreign) Remove(context.Context, string) error { return nil }

func TestAnImageThatTheEngineCannotRun(t *testing.T) {
	spec := (&core.Spec{Runtime: &core.Runtime{Image: "x"}}).WithDefaults()
	_, err := New("test", foreign{arch: "riscv64"}).Start(t.Context(), spec)
	require.ErrorIs(t, err, core.ErrUnsupported)
	require.ErrorContains(t, err, "the engine runs linux/riscv64")
	_, err = New("test", foreign{arch: runtime.GOARCH}).Start(t.Context(), spec)
	require.ErrorIs(t, err, core.ErrLost, "of anything else")
}

// mute is an engine on which no program starts, or only after the caller's context has ended.
type mute struct{ Engine }

func (mute) Exec(ctx context.Context, _, _ string, _ []string) (io.ReadWriteCloser, error) {
	return nil, wait(ctx)
}
func (mute) Remove(ctx context.Context, _ string) error { return ctx.Err() }

// TestRemovalHasTimeLeft: the keeper is asked first whether another process has the sandbox.
func TestRemovalHasTimeLeft(t *testing.T) {
	spec := (&core.Spec{Runtime: &core.Runtime{Image: "x"}, Owner: "owner", Lease: time.Minute}).WithDefaults()
	for _, bound := range []time.Duration{time.Second, 5 * time.Second, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			s := &sandbox{driver: New("test", mute{}), spec: spec, container: plan(spec, "image"), id: "id"}
			ctx, cancel := context.WithTimeout(t.Context(), bound)
			defer cancel()
			began := time.Now()
			require.NoError(t, s.remove(ctx))
			require.Equal(t, min(claimTimeout, bound/2), time.Since(began))
		})
	}
}

// claims is an engine whose process 1 holds a claim, as that of a sandbox does, and starts no runner.
type claims struct {
	Engine
	holder string
}

func (c *claims) Exec(_ context.Context, _, _ string, args []string) (io.ReadWriteCloser, error) {
	switch args[1] {
	case "status":
	case "renew":
		id, from := args[3], ""
		if len(args) > 5 {
			from = args[5]
		}
		if c.holder == id || c.holder == from {
			c.holder = id
		}
	default:
		return nil, core.Errorf(core.ErrUnavailable, "", "no runner starts")
	}
	answer, host := net.Pipe()
	go func() {
		_, _ = io.WriteString(answer, "claim "+c.holder+"\n")
		_ = answer.Close()
	}()
	return host, nil
}

func (c *claims) Image(context.Context, string) (*Image, error) { return new(Image), nil }
func (c *claims) Inspect(context.Context, string) (*Status, error) {
	spec := claimed()
	l := labels(spec)
	l[labelStart] = "start"
	return &Status{ID: "id", State: Running, Labels: l}, nil
}

func (c *claims) Restart(context.Context, string) error {
	c.holder = "start"
	return nil
}

func claimed() *core.Spec {
	return (&core.Spec{Runtime: &core.Runtime{Image: "x"}, Owner: "owner"}).WithDefaults()
}

func TestWhoHasASandbox(t *testing.T) {
	e := &claims{holder: "start"}
	first, second := New("test", e), New("test", e)
	of := func(d *Driver) *sandbox {
		return &sandbox{driver: d, spec: claimed(), container: plan(claimed(), "x"), id: "id", starter: "start"}
	}
	starter := of(first)
	require.NoError(t, starter.hold(t.Context()))

	_, err := first.attach(t.Context(), "id", claimed())
	require.ErrorIs(t, err, core.ErrUnavailable)
	require.NoError(t, starter.hold(t.Context()), "an attempt of its own to attach, which has failed, leaves it to the process")

	_, err = second.attach(t.Context(), "id", claimed())
	require.ErrorIs(t, err, core.ErrUnavailable)
	require.ErrorIs(t, starter.hold(t.Context()), core.ErrConflict)
	require.True(t, starter.taken.Load())

	attached := of(second)
	require.NoError(t, e.Restart(t.Context(), "id"))
	require.NoError(t, attached.hold(t.Context()), "after a restart it is of who had it")
	require.ErrorIs(t, of(first).hold(t.Context()), core.ErrConflict)
}
