package podman

import (
	"context"
	"fmt"
	"net/http"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/drivers/internal/container"
)

// The create request, as far as it is used; the package that has all of it needs cgo
// (https://docs.podman.io/en/latest/_static/api.html#tag/containers/operation/ContainerCreateLibpod).
type (
	spec struct {
		Name             string            `json:"name"`
		Image            string            `json:"image"`
		Entrypoint       []string          `json:"entrypoint"`
		Command          []string          `json:"command"`
		User             string            `json:"user"`
		WorkDir          string            `json:"work_dir"`
		EnvHost          bool              `json:"env_host"`
		ManagePassword   bool              `json:"manage_password"`
		UseImageHosts    bool              `json:"use_image_hosts"`
		Sysctl           map[string]string `json:"sysctl"`
		HTTPProxy        bool              `json:"httpproxy"`
		Init             bool              `json:"init"`
		Labels           map[string]string `json:"labels"`
		Privileged       bool              `json:"privileged"`
		CapDrop          []string          `json:"cap_drop"`
		CapAdd           []string          `json:"cap_add,omitempty"`
		NoNewPrivileges  bool              `json:"no_new_privileges"`
		SeccompPolicy    string            `json:"seccomp_policy"`
		ReadOnly         bool              `json:"read_only_filesystem"`
		ReadWriteTmpfs   bool              `json:"read_write_tmpfs"`
		ImageVolumeMode  string            `json:"image_volume_mode"`
		Mounts           []mount           `json:"mounts"`
		Volumes          []volume          `json:"volumes"`
		ShmSize          int64             `json:"shm_size"`
		ResourceLimits   resources         `json:"resource_limits"`
		OOMScoreAdj      int               `json:"oom_score_adj"`
		NetNS            namespace         `json:"netns"`
		IpcNS            namespace         `json:"ipcns"`
		CgroupNS         namespace         `json:"cgroupns"`
		PidNS            namespace         `json:"pidns"`
		UtsNS            namespace         `json:"utsns"`
		Networks         map[string]any    `json:"networks,omitempty"`
		LogConfiguration driver            `json:"log_configuration"`
		RestartPolicy    string            `json:"restart_policy"`
		Remove           bool              `json:"remove"`
		StopSignal       int               `json:"stop_signal"`
		StopTimeout      int               `json:"stop_timeout"`
		HealthConfig     health            `json:"healthconfig"`
	}
	mount struct {
		Destination string   `json:"destination"`
		Type        string   `json:"type"`
		Source      string   `json:"source"`
		Options     []string `json:"options"`
	}
	volume    struct{ Name, Dest string }
	namespace struct {
		Mode string `json:"nsmode"`
	}
	driver struct {
		Driver string `json:"driver"`
	}
	health    struct{ Test []string }
	resources struct {
		Memory struct {
			Limit int64 `json:"limit"`
			Swap  int64 `json:"swap"`
		} `json:"memory"`
		CPU struct {
			Quota  int64  `json:"quota"`
			Period uint64 `json:"period"`
		} `json:"cpu"`
		Pids struct {
			Limit int64 `json:"limit"`
		} `json:"pids"`
	}
)

func (e *engine) Create(ctx context.Context, c *container.Container) (string, error) {
	var made struct {
		ID string `json:"Id"`
	}
	err := e.call(ctx, http.MethodPost, "/containers/create", nil, body(c), &made)
	return made.ID, err
}

// body is the create request. What it leaves out keeps Podman's own default on
// purpose: masked paths, devices, the namespace of users. Resource limits
// of processes are left out too: the service cannot always set them, and the runner does.
func body(c *container.Container) *spec {
	const killSignal = 9
	s := &spec{
		Name: c.Name, Image: c.Image, Entrypoint: c.Args, Command: []string{}, User: c.User, WorkDir: "/", Labels: c.Labels,
		CapDrop: []string{"ALL"}, CapAdd: c.Capabilities, NoNewPrivileges: true, SeccompPolicy: "image",
		ReadOnly: c.ReadOnly, ImageVolumeMode: "ignore",
		Mounts: []mount{
			tmpfs("/tmp", c.Tmp, container.TmpOptions()...),
			// Podman 5 makes its own read-only along with the root.
			tmpfs("/dev/shm", c.Shm, "rw", "nosuid", "nodev", "noexec", "mode=1777"),
		},
		Volumes: []volume{{Name: c.Volume, Dest: c.WorkDir}},
		ShmSize: c.Shm, OOMScoreAdj: container.OOMScore,
		UseImageHosts: true, Sysctl: container.Sysctls(),
		IpcNS: namespace{"private"}, CgroupNS: namespace{"private"}, PidNS: namespace{"private"}, UtsNS: namespace{"private"},
		LogConfiguration: driver{"none"}, RestartPolicy: "no", Remove: c.AutoRemove,
		StopSignal: killSignal, HealthConfig: health{[]string{"NONE"}},
	}
	switch c.Network {
	case core.NetworkNone:
		s.NetNS.Mode = "none"
	case core.NetworkDefault:
		s.NetNS.Mode = "default"
	default:
		s.NetNS.Mode, s.Networks = "bridge", map[string]any{string(c.Network): struct{}{}}
	}
	r := &s.ResourceLimits
	r.Memory.Limit, r.Memory.Swap = c.Memory, c.Memory
	r.CPU.Period = uint64(container.CPUPeriod.Microseconds())
	r.CPU.Quota = int64(c.CPUs * float64(r.CPU.Period))
	r.Pids.Limit = c.PIDs
	return s
}

func tmpfs(at string, size int64, options ...string) mount {
	return mount{Destination: at, Type: "tmpfs", Source: "tmpfs", Options: append(options, fmt.Sprintf("size=%d", size), "notmpcopyup")}
}
