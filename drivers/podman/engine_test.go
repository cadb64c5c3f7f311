package podman_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/caisson-dev/caisson/drivers/internal/drivertest"
	_ "github.com/caisson-dev/caisson/drivers/podman"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestEngine(t *testing.T) { drivertest.Run(t, "podman") }

func TestCreateRequest(t *testing.T) { drivertest.Wire(t, "podman") }
