package docker_test

import (
	"testing"

	"github.com/caisson-dev/caisson/drivers/internal/drivertest"
)

// TestConformance runs the whole suite, which every driver must pass.
func TestConformance(t *testing.T) { drivertest.Conformance(t, "docker") }

func TestConformanceTwiceAtOnce(t *testing.T) { drivertest.ConformanceTwice(t, "docker") }
