package drivertest

import (
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/internal/enginetest"
)

// pulls brings an image from a registry on this host, with progress. It needs
// Debian's docker-registry, and the address at which the engine reaches this host.
func (s *suite) pulls(t *testing.T) {
	addr := enginetest.Registry(t)
	ref := addr + "/" + s.owner + "/pulled:latest"
	enginetest.Load(t, s.scheme, ref, runtime.GOARCH, enginetest.File{Name: "data", Mode: 0o644, Data: []byte(strings.Repeat("x", 1<<20))})
	enginetest.Push(t, s.scheme, ref)
	enginetest.RemoveImage(t, s.scheme, ref)
	var events []core.Progress
	prepared, err := s.driver.Prepare(t.Context(), &core.Runtime{Image: ref}, &core.PrepareOptions{Progress: func(p core.Progress) { events = append(events, p) }})
	require.NoError(t, err)
	require.NotEmpty(t, prepared.ID)
	require.NotEmpty(t, events)
	require.Equal(t, core.ProgressDone, events[len(events)-1].Kind)
	require.Equal(t, core.ProgressPull, events[0].Kind)
	_, err = s.driver.Prepare(t.Context(), &core.Runtime{Image: addr + "/" + s.owner + "/absent:latest"}, nil)
	require.ErrorIs(t, err, core.ErrNotFound)
}
