package sessions_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/drivers/fake"
	"github.com/caisson-dev/caisson/sessions"
)

// dawdler is a driver that starts and removes slowly and loses what is joined.
type dawdler struct{ slow }

func (d *dawdler) RemoveWorkspace(ctx context.Context, owner, name string) error {
	time.Sleep(d.takes)
	return d.Driver.RemoveWorkspace(ctx, owner, name)
}

func (d *dawdler) Join(context.Context, string, string) (core.Backend, error) {
	return nil, core.Errorf(core.ErrLost, "join", "gone")
}

// TestWhoWaitsLearnsWhyItsContextEnded holds what waits to the promise of every
// call: its error answers for the context's own one, and for the cause of that.
func TestWhoWaitsLearnsWhyItsContextEnded(t *testing.T) {
	calls := map[string]func(ctx context.Context, t *testing.T, d *dawdler, m *sessions.Manager) error{
		"get": func(ctx context.Context, _ *testing.T, _ *dawdler, m *sessions.Manager) error {
			_, err := m.GetOrCreate(ctx, "bob", nil)
			return err
		},
		"release": func(ctx context.Context, _ *testing.T, _ *dawdler, m *sessions.Manager) error {
			_, err := m.Release(ctx, "alice")
			return err
		},
		"clean-up": func(ctx context.Context, _ *testing.T, _ *dawdler, m *sessions.Manager) error {
			time.Sleep(time.Second)
			_, err := m.CleanupIdle(ctx, time.Millisecond)
			return err
		},
		"visit": func(ctx context.Context, _ *testing.T, d *dawdler, _ *sessions.Manager) error {
			_, err := sessions.Visit(ctx, d, "app", "alice", nil)
			return err
		},
		"claim-waits": func(ctx context.Context, t *testing.T, d *dawdler, _ *sessions.Manager) error {
			_, err := openPool(t, d, &sessions.PoolOptions{Exhausted: sessions.ExhaustedWait}).Claim(ctx)
			return err
		},
		"claim-asks": func(ctx context.Context, t *testing.T, d *dawdler, _ *sessions.Manager) error {
			p := openPool(t, d, nil)
			time.Sleep(d.takes)
			<-ctx.Done()
			synctest.Wait()
			require.Positive(t, p.Ready())
			_, err := p.Claim(ctx)
			return err
		},
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &dawdler{slow{Driver: fake.New(nil), takes: time.Minute}}
				m := manageOn(t, d, &sessions.Options{Owner: "app", Ephemeral: true})
				get(t, m, "alice")
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				own := errors.New("own reason")
				time.AfterFunc(1100*time.Millisecond, func() { cancel(own) })
				if name == "visit" { // which does not wait for long
					time.AfterFunc(10*time.Millisecond, func() { cancel(own) })
				}
				err := call(ctx, t, d, m)
				require.ErrorIs(t, err, core.ErrCanceled)
				require.ErrorIs(t, err, context.Canceled)
				require.ErrorIs(t, err, own)
				e, ok := errors.AsType[*core.Error](err)
				require.True(t, ok)
				require.NotEmpty(t, e.Op)
			})
		})
	}
}
