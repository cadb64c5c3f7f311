package sessions

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/drivers/fake"
)

// TestManagerForgetsWhatHibernates: what a manager holds must not grow with all
// the users that there ever were. Only with a pool it has to know who has files,
// which is less than the files are.
func TestManagerForgetsWhatHibernates(t *testing.T) {
	rt := &core.Runtime{Image: "debian"}
	for name, tt := range map[string]struct {
		pool *PoolOptions
		want int
	}{"plain": {nil, 0}, "pool": {new(PoolOptions), 3}} {
		t.Run(name, func(t *testing.T) {
			m, err := New(fake.New(nil), &Options{Owner: "app", DefaultRuntime: rt, Pool: tt.pool})
			require.NoError(t, err)
			for i := range 3 {
				id := fmt.Sprint("user", i)
				_, err := m.GetOrCreate(t.Context(), id, nil)
				require.NoError(t, err)
				require.NoError(t, m.Hibernate(t.Context(), id))
			}
			require.Empty(t, m.slots)
			require.Zero(t, m.held)
			require.Len(t, m.kept, tt.want)
			for i := range 3 {
				_, err := m.Release(t.Context(), fmt.Sprint("user", i))
				require.NoError(t, err)
			}
			require.Empty(t, m.kept)
			require.Empty(t, m.slots)
			_, err = m.Shutdown(t.Context())
			require.NoError(t, err)
			require.Empty(t, m.warmed)
		})
	}
}
