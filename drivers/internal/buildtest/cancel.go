package buildtest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/internal/enginetest"
	"github.com/caisson-dev/caisson/runtimes"
)

// stopsWithin is how long a cancelled Prepare may take to return.
const stopsWithin = 2 * time.Second

// cancelAnywhere cancels builds at points that nobody chose: in a step, between
// two, in a commit, before the first and after the last.
func (s *suite) cancelAnywhere(t *testing.T) {
	const builds = 10
	runtime := func(i int) *core.Runtime {
		return s.runtime(func(rt *core.Runtime) {
			rt.Source.Network = core.NetworkNone
			rt.SetupCommands = []string{fmt.Sprintf("true # %s %d", s.name, i), "head -c 8M /dev/zero >/large", "sleep 0.3", "rm /large"}
		})
	}
	began := time.Now()
	s.prepare(t, runtime(-1))
	whole := time.Since(began)
	var slowest time.Duration
	for i := range builds {
		ctx, cancel := context.WithCancel(t.Context())
		after := rand.N(whole)
		var at time.Time
		timer := time.AfterFunc(after, func() { at = time.Now(); cancel() })
		rt := runtime(i)
		_, err := s.driver.Prepare(ctx, rt, nil)
		took := time.Since(at)
		if timer.Stop() { // it was done sooner
			require.NoError(t, err)
		} else if err != nil {
			slowest = max(slowest, took)
			require.ErrorIs(t, err, context.Canceled)
			require.Less(t, took, stopsWithin, "cancelled after %v of %v", after, whole)
			if enginetest.HasImage(t, s.scheme, s.image(t, rt)) { // which was done by then, so the helper is put on top, whoever wants it
				s.prepare(t, rt)
			}
		}
		cancel()
	}
	t.Logf("builds of %v; the slowest to end took %v", whole, slowest)
	require.Eventually(t, func() bool { // an engine may be removing its last container
		return len(enginetest.Objects(t, s.scheme, runtimes.LabelRuntime+"="+s.name)) == 0
	}, 3*time.Second, 100*time.Millisecond)
	enginetest.NoBuildContainers(t, s.scheme)
	s.requireNothingLeft(t)
}
