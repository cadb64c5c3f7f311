package drivertest

import (
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/internal/enginetest"
)

// requests are what the engine is asked while a sandbox is used: one exec for the runner, and then nothing.
func (s *suite) requests(t *testing.T) {
	driver, watch := enginetest.OpenWatched(t, s.scheme)
	sb := enginetest.Start(t, driver, s.spec())
	var execs int
	for _, r := range watch.Requests("") {
		require.NotContains(t, r, "/archive")
		require.NotContains(t, r, "/info", "which takes a busy engine many seconds")
		if strings.Contains(r, "/exec/") && strings.HasSuffix(r, "/start") {
			execs++
		}
	}
	require.Equal(t, 1, execs, "of a runner")
	for range 20 {
		require.Equal(t, "hello\n", sh(t, sb, "echo hello"))
	}
	require.NoError(t, sb.Upload(t.Context(), "file", strings.NewReader("content"), nil))
	r, err := sb.Read(t.Context(), "file", nil)
	require.NoError(t, err)
	content, err := io.ReadAll(r)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	require.Equal(t, "content", string(content))
	lister, ok := core.As[core.Lister](sb, core.CapList)
	require.True(t, ok)
	entries, err := lister.List(t.Context(), ".")
	require.NoError(t, err)
	require.NotEmpty(t, entries)
	require.Empty(t, watch.Requests(""), "the engine has no part in the use of a sandbox")
}
