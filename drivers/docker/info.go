package docker

import (
	"cmp"
	"strings"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/system"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/drivers/internal/container"
)

// program is what the default runtime runs: its path, or the type by which the engine finds it.
func program(info *system.Info) string {
	r := info.Runtimes[info.DefaultRuntime]
	return cmp.Or(r.Path, r.Type, info.DefaultRuntime)
}

// describe turns what Docker says of itself into what users of every driver read.
func describe(version *types.Version, info *system.Info, api, host string) *core.Info {
	out := &core.Info{
		Engine: "Docker Engine", Version: version.Version, APIVersion: api, Endpoint: host,
		OS: version.Os, Arch: version.Arch,
		Isolation: core.Isolation{Level: container.Level(program(info)), Runtime: info.DefaultRuntime, CgroupVersion: 1},
	}
	if info.CgroupVersion == "2" {
		out.Isolation.CgroupVersion = 2
	}
	for _, option := range info.SecurityOptions {
		// "name=seccomp,profile=default"
		name, _, _ := strings.Cut(strings.TrimPrefix(option, "name="), ",")
		switch name {
		case "seccomp":
			out.Isolation.Seccomp = true
		case "rootless":
			out.Isolation.Rootless = true
		case "apparmor", "selinux":
			out.Isolation.LSM = append(out.Isolation.LSM, name)
		}
	}
	for weakening, has := range map[core.Weakening]bool{
		core.WeakenMemory: info.MemoryLimit && info.SwapLimit, core.WeakenCPU: info.CPUCfsQuota,
		core.WeakenPIDs: info.PidsLimit, core.WeakenSeccomp: out.Isolation.Seccomp,
	} {
		if !has {
			out.Isolation.Missing = append(out.Isolation.Missing, weakening)
		}
	}
	return out
}
