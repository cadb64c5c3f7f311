package buildtest

import (
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/runtimes"
)

// flood checks that what a build prints is not kept.
func (s *suite) flood(t *testing.T) {
	const printed = 64 << 20
	rt := s.runtime(func(rt *core.Runtime) {
		rt.Source.Network = core.NetworkNone
		rt.SetupCommands = []string{"head -c 64M /dev/zero | tr '\\0' x | fold -w 1000; head -c 1M /dev/zero | tr '\\0' y; echo; echo last; exit 3"}
	})
	var before, peak runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var most uint64
	var lines, bytes int
	_, err := s.driver.Prepare(t.Context(), rt, &core.PrepareOptions{Progress: func(p core.Progress) {
		lines, bytes = lines+1, bytes+len(p.Text)
		if lines%1000 == 0 {
			runtime.ReadMemStats(&peak)
			most = max(most, peak.HeapInuse)
		}
	}})
	require.ErrorIs(t, err, core.ErrBuild)
	require.ErrorContains(t, err, "exit code 3: last")
	require.Less(t, len(err.Error()), 1000)
	var failed *runtimes.BuildError
	require.ErrorAs(t, err, &failed)
	require.LessOrEqual(t, len(failed.Log), runtimes.MaxLog)
	require.True(t, strings.HasSuffix(failed.Log, "last"))
	require.Greater(t, bytes, printed*9/10)
	require.Less(t, most, before.HeapInuse+32<<20)
}
