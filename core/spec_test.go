package core_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
)

func spec(change ...func(*core.Spec)) *core.Spec {
	s := &core.Spec{Runtime: &core.Runtime{Image: "a"}}
	for _, f := range change {
		f(s)
	}
	return s
}

func TestSpecIsValidated(t *testing.T) {
	for name, s := range map[string]*core.Spec{
		"least": spec(),
		"everything": spec(func(s *core.Spec) {
			s.Profile, s.Network, s.Owner, s.Workspace, s.Lease = core.Relaxed, "my-net.1", "a b/c", "ü", time.Minute
			s.Labels = map[string]string{"session": "any\ntext"}
			s.Allow = []core.Weakening{core.WeakenMemory, core.WeakenCPU, core.WeakenPIDs, core.WeakenSeccomp}
			s.Limits = core.Limits{Memory: core.MinMemory, CPUs: 0.01, PIDs: core.MinPIDs, Tmp: core.MinMemory / 4, OpenFiles: 64, FileSize: 1 << 20}
		}),
	} {
		require.NoError(t, s.Validate(), name)
	}
	for name, change := range map[string]func(*core.Spec){
		"runtime":             func(s *core.Spec) { s.Runtime = nil },
		"invalid runtime":     func(s *core.Spec) { s.Runtime = &core.Runtime{} },
		"profile":             func(s *core.Spec) { s.Profile = "Strict" },
		"network":             func(s *core.Spec) { s.Network = "a b" },
		"network of the host": func(s *core.Spec) { s.Network = "host" },
		"network of another":  func(s *core.Spec) { s.Network = "container:x" },
		"weakening":           func(s *core.Spec) { s.Allow = []core.Weakening{""} },
		"negative lease":      func(s *core.Spec) { s.Lease = -1 },
		"short lease":         func(s *core.Spec) { s.Lease = core.MinLease - 1 },
		"label key":           func(s *core.Spec) { s.Labels = map[string]string{"a=b": ""} },
		"label key ours":      func(s *core.Spec) { s.Labels = map[string]string{"": ""} },
		"label value":         func(s *core.Spec) { s.Labels = map[string]string{"a": "\x00"} },
		"long label":          func(s *core.Spec) { s.Labels = map[string]string{"a": strings.Repeat("x", 4097)} },
		"owner":               func(s *core.Spec) { s.Owner = "\x00" },
		"long owner":          func(s *core.Spec) { s.Owner = strings.Repeat("x", 1025) },
		"ownerless workspace": func(s *core.Spec) { s.Workspace = "w" },
		"memory":              func(s *core.Spec) { s.Limits.Memory = core.MinMemory - 1 },
		"negative memory":     func(s *core.Spec) { s.Limits.Memory = -1 },
		"CPUs":                func(s *core.Spec) { s.Limits.CPUs = 0.001 },
		"negative CPUs":       func(s *core.Spec) { s.Limits.CPUs = -1 },
		"many CPUs":           func(s *core.Spec) { s.Limits.CPUs = 1e6 },
		"CPUs not a number":   func(s *core.Spec) { s.Limits.CPUs = math.NaN() },
		"endless CPUs":        func(s *core.Spec) { s.Limits.CPUs = math.Inf(1) },
		"PIDs":                func(s *core.Spec) { s.Limits.PIDs = core.MinPIDs - 1 },
		"negative PIDs":       func(s *core.Spec) { s.Limits.PIDs = -1 },
		"many PIDs":           func(s *core.Spec) { s.Limits.PIDs = 1 << 40 },
		"tmp":                 func(s *core.Spec) { s.Limits.Tmp = 1 },
		"tmp above a quarter": func(s *core.Spec) { s.Limits.Tmp = core.DefaultMemory/4 + 1 },
		"open files":          func(s *core.Spec) { s.Limits.OpenFiles = 3 },
		"file size":           func(s *core.Spec) { s.Limits.FileSize = -1 },
	} {
		require.ErrorIs(t, spec(change).Validate(), core.ErrInvalid, name)
	}
	require.ErrorIs(t, (*core.Spec)(nil).Validate(), core.ErrInvalid)
}

func TestSpecDefaults(t *testing.T) {
	s := spec()
	full := s.WithDefaults()
	require.Equal(t, core.Strict, full.Profile)
	require.Equal(t, core.NetworkNone, full.Network)
	require.Equal(t, core.Limits{Memory: 512 << 20, CPUs: 1, PIDs: 256, Tmp: 64 << 20, OpenFiles: 4096, FileSize: 1 << 30}, full.Limits)
	require.Equal(t, core.DefaultWorkDir, full.Runtime.WorkDir)
	require.NoError(t, full.Validate())
	require.Empty(t, s.Profile, "the original was changed")
	require.Empty(t, s.Runtime.WorkDir, "the original's runtime was changed")
	require.Equal(t, full, full.WithDefaults())
}
