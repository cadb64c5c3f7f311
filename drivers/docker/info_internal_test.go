package docker

import (
	"testing"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/system"
	"github.com/stretchr/testify/require"
)

func TestLevelIsThatOfTheProgram(t *testing.T) {
	level := func(name string, r system.Runtime) string {
		info := &system.Info{DefaultRuntime: name, Runtimes: map[string]system.RuntimeWithStatus{name: {Runtime: r}, "another": {Runtime: system.Runtime{Path: "runsc"}}}}
		return describe(new(types.Version), info, "", "").Isolation.Level
	}
	require.Equal(t, "container", level("runc", system.Runtime{Path: "runc"}))
	require.Equal(t, "gvisor", level("safe", system.Runtime{Path: "/usr/local/bin/runsc"}))
	require.Equal(t, "gvisor", level("safe", system.Runtime{Type: "io.containerd.runsc.v1"}))
	require.Equal(t, "vm", level("io.containerd.kata.v2", system.Runtime{}), "an engine does not list what it finds by its type")
	require.Equal(t, "container", level("kata", system.Runtime{Path: "/usr/bin/runc"}), "a name promises nothing")
}
