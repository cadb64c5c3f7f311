package container

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
)

// occupied is an engine on which there is one container, by every name.
type occupied struct {
	Engine
	status  Status
	age     time.Duration
	removed string
}

func (o *occupied) Now(context.Context) (time.Time, error) { return o.status.Created.Add(o.age), nil }
func (o *occupied) Inspect(context.Context, string) (*Status, error) {
	return &o.status, nil
}

func (o *occupied) Remove(_ context.Context, name string) error {
	o.removed = name
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
}
