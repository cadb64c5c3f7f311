package container_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/drivers/internal/container"
)

func TestLevelOfRuntimes(t *testing.T) {
	for program, want := range map[string]string{
		"": "container", "runc": "container", "/usr/bin/crun": "container", "/opt/kata/bin/runc": "container",
		"/usr/local/bin/runsc": "gvisor", "io.containerd.runsc.v1": "gvisor",
		"kata-runtime": "vm", "/opt/kata/bin/kata-runtime": "vm", "io.containerd.kata.v2": "vm", "io.containerd.kata-fc.v2": "vm", "/usr/bin/krun": "vm",
	} {
		require.Equal(t, want, container.Level(program), program)
	}
}
