package podman_test

import (
	"testing"

	"github.com/caisson-dev/caisson/drivers/internal/buildtest"
)

func TestBuilds(t *testing.T) { buildtest.Run(t, "podman") }

func TestPackages(t *testing.T) { buildtest.Packages(t, "podman") }
