package core_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
)

// taker is a driver that gives its backend to whoever attaches or joins.
type taker struct{ stub }

func (d *taker) Sandboxes(context.Context, string) ([]core.Record, error) { return nil, nil }

func (d *taker) Attach(context.Context, string, *core.Spec) (core.Backend, error) {
	return d.backend, nil
}

func (d *taker) Join(context.Context, string, string) (core.Backend, error) { return d.backend, nil }

// opens are the ways to get a sandbox.
var opens = map[string]func(ctx context.Context, d core.Driver) (*core.Sandbox, error){
	"start": func(ctx context.Context, d core.Driver) (*core.Sandbox, error) { return core.Start(ctx, d, spec()) },
	"attach": func(ctx context.Context, d core.Driver) (*core.Sandbox, error) {
		return core.Attach(ctx, d, "id", spec())
	},
	"join": func(ctx context.Context, d core.Driver) (*core.Sandbox, error) {
		return core.Join(ctx, d, "app", "id")
	},
}

func TestWhatCannotBeUsedIsStopped(t *testing.T) {
	for name, open := range opens {
		t.Run(name, func(t *testing.T) {
			b := new(stubBackend)
			_, err := open(t.Context(), &taker{stub{backend: b, infoErr: core.ErrUnavailable}})
			require.ErrorIs(t, err, core.ErrUnavailable)
			require.EqualValues(t, 1, b.stops.Load())
		})
		t.Run(name+"/slow", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				_, err := open(t.Context(), &taker{stub{backend: new(slowStop), infoErr: core.ErrUnavailable}})
				require.ErrorIs(t, err, core.ErrUnavailable)
				require.Equal(t, core.StopTimeout, time.Since(began))
				require.NotContains(t, err.Error(), "\n")
				e, ok := errors.AsType[*core.Error](err)
				require.True(t, ok)
				require.Equal(t, name, e.Op)
			})
		})
		t.Run(name+"/works", func(t *testing.T) {
			b := new(stubBackend)
			sb, err := open(t.Context(), &taker{stub{backend: b, caps: []core.Capability{core.CapStat}}})
			require.NoError(t, err)
			require.Equal(t, []core.Capability{core.CapStat}, sb.Capabilities())
			require.Same(t, b, sb.Unwrap())
			require.NoError(t, sb.Stop(t.Context()))
			require.EqualValues(t, 1, b.stops.Load())
		})
	}
}
