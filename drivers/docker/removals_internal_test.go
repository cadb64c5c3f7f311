package docker

import (
	"testing"

	"github.com/docker/docker/client"
	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/drivers/internal/drivertest"
	"github.com/caisson-dev/caisson/internal/enginetest"
)

func TestRemovals(t *testing.T) {
	u := enginetest.URL(t, scheme)
	api, err := client.NewClientWithOpts(client.WithHost("unix"+u[len(scheme):]), client.WithAPIVersionNegotiation())
	require.NoError(t, err)
	e := &engine{api: api}
	defer e.Close()
	drivertest.Removals(t, scheme, e)
}
