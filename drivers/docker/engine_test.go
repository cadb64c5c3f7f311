package docker_test

import (
	"testing"

	"go.uber.org/goleak"

	_ "github.com/caisson-dev/caisson/drivers/docker"
	"github.com/caisson-dev/caisson/drivers/internal/drivertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestEngine(t *testing.T) { drivertest.Run(t, "docker") }

func TestCreateRequest(t *testing.T) { drivertest.Wire(t, "docker") }
