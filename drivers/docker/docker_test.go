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
	res, err := sb.Execute(t.Context(), core.Shell("echo hello > greeting; cat greeting; id; pwd; cat /proc/self/status | grep -E 'Cap|Secc|NoNew'; ls -lan . /uploads /; mount; env; cat /proc/1/cmdline; ulimit -a; ls /proc/net/route; cat /proc/net/route"))
	require.NoError(t, err)
	t.Log(res.Combined.String())
}
