package buildtest

import (
	"context"
	"crypto/rand"
	"fmt"
	mathrand "math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/internal/enginetest"
	"github.com/caisson-dev/caisson/runtimes"
)

// soon is how long a cancelled Prepare may take to return.
const soon = 2 * time.Second

// stopsWithin is how long one of many may take where a build of four steps
// takes whole, as the engine may be busy with other work for a moment.
func stopsWithin(whole time.Duration) time.Duration { return max(soon, whole) }

// fourSteps is a runtime with something to do in each of its steps.
func (s *suite) fourSteps(id string) *core.Runtime {
	return s.runtime(func(rt *core.Runtime) {
		rt.Source.Network = core.NetworkNone
		rt.SetupCommands = []string{fmt.Sprintf("true # %s %s", s.name, id), "head -c 8M /dev/zero >/large", "sleep 0.3", "rm /large"}
	})
}

// wholeBuild returns how long a build of four steps takes now.
func (s *suite) wholeBuild(t *testing.T) time.Duration {
	t.Helper()
	rt := s.fourSteps(rand.Text())
	began := time.Now()
	s.prepare(t, rt)
	return time.Since(began)
}

// cancelAnywhere cancels builds at points that nobody chose: in a step, between
// two, in a commit, before the first and after the last.
func (s *suite) cancelAnywhere(t *testing.T) {
	const builds = 10
	whole := s.wholeBuild(t)
	var all []time.Duration
	for i := range builds {
		ctx, cancel := context.WithCancel(t.Context())
		after := mathrand.N(whole)
		var at time.Time
		timer := time.AfterFunc(after, func() { at = time.Now(); cancel() })
		rt := s.fourSteps(strconv.Itoa(i))
		_, err := s.driver.Prepare(ctx, rt, nil)
		took := time.Since(at)
		if timer.Stop() { // it was done sooner
			require.NoError(t, err)
		} else if err != nil {
			all = append(all, took)
			require.ErrorIs(t, err, context.Canceled)
			require.Less(t, took, stopsWithin(whole), "cancelled after %v of %v", after, whole)
			if enginetest.HasImage(t, s.scheme, s.image(t, rt)) { // which was done by then, so the helper is put on top, whoever wants it
				s.prepare(t, rt)
			}
		}
		cancel()
	}
	slices.Sort(all)
	t.Logf("builds of %v; cancelled in %v", whole, all)
	if len(all) > 0 {
		require.Less(t, all[len(all)/2], soon, "the median")
	}
	label := runtimes.LabelRuntime + "=" + s.name
	require.Eventually(t, func() bool { // an engine may be removing its last container
		return len(enginetest.Objects(t, s.scheme, label))+len(enginetest.BuildContainers(t, s.scheme)) == 0
	}, 3*time.Second, 100*time.Millisecond)
	s.requireNothingLeft(t)
}
