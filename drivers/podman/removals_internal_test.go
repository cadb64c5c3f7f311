package podman

import (
	"testing"

	"github.com/caisson-dev/caisson/drivers/internal/drivertest"
	"github.com/caisson-dev/caisson/internal/enginetest"
)

func TestRemovals(t *testing.T) {
	e := &engine{host: "unix" + enginetest.URL(t, scheme)[len(scheme):]}
	defer e.Close()
	drivertest.Removals(t, scheme, e)
}
