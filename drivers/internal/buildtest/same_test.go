package buildtest_test

import (
	"testing"

	_ "github.com/caisson-dev/caisson/drivers/docker"
	"github.com/caisson-dev/caisson/drivers/internal/buildtest"
	_ "github.com/caisson-dev/caisson/drivers/podman"
)

func TestTheSameOnBothEngines(t *testing.T) { buildtest.Same(t, "docker", "podman") }
