package docker

import (
	"context"
	"fmt"
	"strings"

	dockercontainer "github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/strslice"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/drivers/internal/container"
)

func (e *engine) Create(ctx context.Context, c *container.Container) (string, error) {
	config, host := body(c)
	made, err := e.api.ContainerCreate(ctx, config, host, nil, nil, c.Name)
	return made.ID, e.classify(ctx, err)
}

// body is the create request. What it leaves out keeps the engine's own
// default on purpose: masked and read-only paths, devices, namespaces of pids, names and users.
func body(c *container.Container) (*dockercontainer.Config, *dockercontainer.HostConfig) {
	no, pids := false, c.PIDs
	config := &dockercontainer.Config{
		Image: c.Image, User: c.User, Entrypoint: strslice.StrSlice(c.Args), Cmd: strslice.StrSlice{},
		WorkingDir: "/", Labels: c.Labels, StopSignal: "SIGKILL", StopTimeout: new(int),
		Healthcheck: &dockercontainer.HealthConfig{Test: []string{"NONE"}},
	}
	host := &dockercontainer.HostConfig{
		CapDrop: strslice.StrSlice{"ALL"}, CapAdd: c.Capabilities,
		SecurityOpt:    []string{"no-new-privileges:true", "seccomp=" + c.Seccomp},
		ReadonlyRootfs: c.ReadOnly, OomScoreAdj: container.OOMScore, Init: &no,
		Tmpfs:   map[string]string{"/tmp": strings.Join(append(container.TmpOptions(), "nr_inodes=16k", fmt.Sprintf("size=%d", c.Tmp)), ",")},
		ShmSize: c.Shm,
		Mounts: []mount.Mount{{
			Type: mount.TypeVolume, Source: c.Volume, Target: c.WorkDir, VolumeOptions: &mount.VolumeOptions{Labels: c.VolumeLabels},
		}},
		NetworkMode: network(c.Network), Sysctls: container.Sysctls(), IpcMode: dockercontainer.IPCModePrivate, CgroupnsMode: dockercontainer.CgroupnsModePrivate,
		LogConfig:     dockercontainer.LogConfig{Type: "none"},
		RestartPolicy: dockercontainer.RestartPolicy{Name: dockercontainer.RestartPolicyDisabled}, AutoRemove: c.AutoRemove,
		Resources: dockercontainer.Resources{
			Memory: c.Memory, MemorySwap: c.Memory, NanoCPUs: int64(c.CPUs * 1e9), PidsLimit: &pids,
			Ulimits: []*dockercontainer.Ulimit{{Name: "core"}},
		},
	}
	if c.Network == core.NetworkNone {
		host.DNS, host.DNSSearch = []string{container.NoResolver}, []string{"."}
	}
	return config, host
}

func network(n core.Network) dockercontainer.NetworkMode {
	if n == core.NetworkDefault {
		return dockercontainer.NetworkMode("bridge")
	}
	return dockercontainer.NetworkMode(n)
}
