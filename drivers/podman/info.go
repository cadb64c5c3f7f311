package podman

import (
	"cmp"
	"slices"

	"github.com/containers/podman/v5/libpod/define"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/drivers/internal/container"
)

// describe turns what Podman says of itself into what users of every driver read.
func describe(info *define.Info, host string) *core.Info {
	out := &core.Info{
		Engine: "Podman", Version: info.Version.Version, APIVersion: info.Version.APIVersion, Endpoint: host, OS: "linux",
		Isolation: core.Isolation{Level: "container", CgroupVersion: 1},
	}
	h := info.Host
	if h == nil {
		return out
	}
	out.OS, out.Arch = h.OS, h.Arch
	iso := &out.Isolation
	iso.Rootless, iso.Seccomp = h.Security.Rootless, h.Security.SECCOMPEnabled
	if h.OCIRuntime != nil {
		iso.Runtime = h.OCIRuntime.Name
		iso.Level = container.Level(cmp.Or(h.OCIRuntime.Path, h.OCIRuntime.Name))
	}
	if h.CgroupsVersion == "v2" {
		iso.CgroupVersion = 2
	} else if iso.Rootless { // version 1 cannot be delegated to a user
		iso.CgroupVersion = 0
	}
	if h.Security.AppArmorEnabled {
		iso.LSM = append(iso.LSM, "apparmor")
	}
	if h.Security.SELinuxEnabled {
		iso.LSM = append(iso.LSM, "selinux")
	}
	for _, c := range []struct {
		weakening  core.Weakening
		controller string
	}{{core.WeakenMemory, "memory"}, {core.WeakenCPU, "cpu"}, {core.WeakenPIDs, "pids"}} {
		if iso.CgroupVersion == 0 || !slices.Contains(h.CgroupControllers, c.controller) {
			iso.Missing = append(iso.Missing, c.weakening)
		}
	}
	if !iso.Seccomp {
		iso.Missing = append(iso.Missing, core.WeakenSeccomp)
	}
	return out
}
