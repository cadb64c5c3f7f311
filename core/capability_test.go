package core_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
)

type lists struct{ stubBackend }

func (*lists) List(context.Context, string) ([]core.FileInfo, error) { return nil, nil }

// declares is a backend that knows what its driver declared.
type declares struct {
	core.Backend
	caps []core.Capability
}

func (d declares) Capabilities() []core.Capability { return d.caps }
func (d declares) Unwrap() core.Backend            { return d.Backend }

// wraps hides what it wraps, but for Unwrap.
type wraps struct{ core.Backend }

func (w wraps) Unwrap() core.Backend { return w.Backend }

func TestAsNeedsBothCodeAndWord(t *testing.T) {
	list := []core.Capability{core.CapList}
	for _, c := range []struct {
		name string
		b    core.Backend
		want bool
	}{
		{"nil", nil, false},
		{"implemented, not declared by anyone", &lists{}, false},
		{"implemented and declared", declares{&lists{}, list}, true},
		{"implemented, something else declared", declares{&lists{}, []core.Capability{core.CapStat}}, false},
		{"declared, not implemented", declares{&stubBackend{}, list}, false},
		{"behind a wrapper", declares{wraps{wraps{&lists{}}}, list}, true},
		{"declared below a wrapper", wraps{declares{&lists{}, list}}, true},
		{"the outer word counts", declares{declares{&lists{}, list}, nil}, false},
		{"behind a wall", declares{struct{ core.Backend }{&lists{}}, list}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, ok := core.As[core.Lister](c.b, core.CapList)
			require.Equal(t, c.want, ok)
		})
	}
}

func TestAsOnASandbox(t *testing.T) {
	d := &stub{backend: &lists{}, caps: []core.Capability{core.CapList}}
	sb, err := core.Start(t.Context(), d, spec(func(s *core.Spec) { s.Lazy = true }))
	require.NoError(t, err)
	_, ok := core.As[core.Lister](sb, core.CapList)
	require.False(t, ok, "before it is started")
	require.NoError(t, sb.Start(t.Context()))
	_, ok = core.As[core.Lister](sb, core.CapList)
	require.True(t, ok)
	_, ok = core.As[core.Stater](sb, core.CapStat)
	require.False(t, ok)
	require.NoError(t, sb.Stop(t.Context()))
}
