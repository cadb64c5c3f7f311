package container

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
)

// signaled is an engine that counts signals and answers with err.
type signaled struct {
	Engine
	n   atomic.Int64
	err error
}

func (s *signaled) Signal(context.Context, string, string) error {
	s.n.Add(1)
	return s.err
}

// slow is an engine that takes four seconds for a signal, if it is given them.
type slow struct{ signaled }

func (s *slow) Signal(ctx context.Context, _, _ string) error {
	select {
	case <-time.After(4 * time.Second):
		s.n.Add(1)
		return nil
	case <-ctx.Done():
		return core.Ended(ctx)
	}
}

func TestASlowEngineIsGivenTimeToRenew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := new(slow)
		s := &sandbox{driver: New("test", e), spec: &core.Spec{Lease: core.MinLease}}
		defer s.renewing(t.Context()).end()
		time.Sleep(core.MinLease + 4*time.Second + time.Millisecond)
		require.EqualValues(t, 4, e.n.Load())
	})
}

func TestLeaseIsRenewedUntilItEnds(t *testing.T) {
	for _, tt := range []struct {
		name string
		err  error
		want int64
	}{
		{"in-time", nil, 8},
		{"engine-away", core.Errorf(core.ErrUnavailable, "", "away"), 8},
		{"sandbox-gone", core.Errorf(core.ErrNotFound, "", "gone"), 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := &signaled{err: tt.err}
				s := &sandbox{driver: New("test", e), spec: &core.Spec{Lease: time.Minute}}
				l := s.renewing(t.Context())
				time.Sleep(2*time.Minute + time.Second)
				require.Equal(t, tt.want, e.n.Load())
				l.end()
				time.Sleep(time.Hour)
				require.Equal(t, tt.want, e.n.Load())
			})
		})
	}
}
