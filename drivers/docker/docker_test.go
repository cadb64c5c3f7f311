package docker_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
	_ "github.com/caisson-dev/caisson/drivers/docker"
	"github.com/caisson-dev/caisson/internal/enginetest"
)

func TestHello(t *testing.T) {
	drv := enginetest.Open(t, "docker")
	sb := enginetest.Start(t, drv, nil)
	res, err := sb.Execute(t.Context(), core.Shell("echo hello > greeting; cat greeting; mount | grep shm; umask; touch /dev/shm/x"))
	require.NoError(t, err)
	require.Equal(t, 0, res.ExitCode)
	t.Log(res.Combined.String())
}

func BenchmarkTrue(b *testing.B) {
	drv := enginetest.Open(b, "docker")
	sb := enginetest.Start(b, drv, nil)
	for b.Loop() {
		res, err := sb.Execute(b.Context(), core.Program("true"))
		require.NoError(b, err)
		require.True(b, res.Success())
	}
}
