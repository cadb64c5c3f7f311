package container

import (
	"context"
	"io"
	"net"
	"time"

	"github.com/caisson-dev/caisson/core"
)

// Engine is one container engine's API. Its methods may be called from many
// goroutines at once, and return *core.Error: ErrUnavailable when the engine
// cannot be reached, ErrNotFound for an object that is not there.
type Engine interface {
	// Ping returns nil if the engine answers. It costs the engine next to nothing, however busy it is.
	Ping(ctx context.Context) error
	// Socket is the path of the engine's socket on this machine, or empty.
	Socket() string
	// Info asks the engine what it is, which may take a busy one long. The driver adds its capabilities.
	Info(ctx context.Context) (*core.Info, error)
	// Now is the engine's own time, to the second. Times of objects are by that clock.
	Now(ctx context.Context) (time.Time, error)

	// Image describes an image that is present.
	Image(ctx context.Context, ref string) (*Image, error)
	// Pull brings an image from its registry. ErrNotFound means that there is none.
	Pull(ctx context.Context, ref string, progress func(core.Progress)) error
	// Build makes an image from a tar stream that holds a Dockerfile. ErrBuild,
	// with the engine's own words, means that a step failed. If ctx ends the
	// engine stops the build, guarded steps included.
	Build(ctx context.Context, context io.Reader, b *Build) error
	// GuardsSteps reports that Build can stop a step only if it is guarded, as
	// runtimes.BuildOptions has it.
	GuardsSteps() bool
	// Images lists the images that have a label, KEY or KEY=VALUE.
	Images(ctx context.Context, label string) ([]Listed, error)
	// RemoveImage removes an image unless it is in use, which is ErrConflict. See Removal.
	RemoveImage(ctx context.Context, ref string) error
	// RemoveRest removes the containers and the untagged images that carry a
	// label, KEY=VALUE: what a build leaves.
	RemoveRest(ctx context.Context, label string) error

	// CreateVolume makes a volume, or does nothing if the engine makes it with the container.
	CreateVolume(ctx context.Context, name string, labels map[string]string) error
	// ReserveVolume makes an empty volume at once, of which only name and labels
	// matter. One that is there with other labels is ErrConflict.
	ReserveVolume(ctx context.Context, name string, labels map[string]string) error
	RemoveVolume(ctx context.Context, name string) error
	Volume(ctx context.Context, name string) (*Volume, error)
	// Volumes lists the volumes with a label, KEY=VALUE.
	Volumes(ctx context.Context, label string) ([]Volume, error)

	// Create makes a container with every field of c in one request, with no
	// volume but its workspace, and returns its id, which the other calls take in place of its name: a name can pass
	// to another container.
	Create(ctx context.Context, c *Container) (id string, err error)
	Start(ctx context.Context, name string) error
	// Exec runs a program in the container and returns its standard input and
	// output as one stream. Closing the stream ends the program's input.
	Exec(ctx context.Context, name, user string, args []string) (io.ReadWriteCloser, error)
	// Restart kills every process with no grace and starts the container again.
	Restart(ctx context.Context, name string) error
	// Signal sends a signal, as in "SIGUSR1", to PID 1.
	Signal(ctx context.Context, name, signal string) error
	Inspect(ctx context.Context, name string) (*Status, error)
	// Containers lists the containers that have every label, KEY=VALUE, in every state.
	Containers(ctx context.Context, labels ...string) ([]Status, error)
	// Remove kills and removes the container and its anonymous volumes.
	Remove(ctx context.Context, name string) error

	Close() error
}

// Removal is the result of removing an image. Engines fail, each in words of its
// own, if another removes the same one meanwhile. Look asks for the image.
func Removal(err error, look func() error) error {
	if core.CodeOf(err) == core.ErrInternal {
		if gone := look(); core.CodeOf(gone) == core.ErrNotFound {
			return gone
		}
	}
	return err
}

// Image is what is known of an image.
type Image struct {
	ID     string // content id with its algorithm, as in "sha256:..."
	Arch   string // in Go's notation
	OS     string
	Env    []string
	Labels map[string]string
	// Volumes are the directories that it declares as volumes, sorted.
	Volumes []string
}

// Listed is an image as an engine lists it.
type Listed struct {
	ID      string
	Tags    []string // full names
	Labels  map[string]string
	Created time.Time
}

// Build is a request to build an image.
type Build struct {
	Mark    string // a label, KEY=VALUE, of all that the build makes on the way
	Tag     string
	Labels  map[string]string
	Args    map[string]string // predefined build arguments, for a proxy
	Network core.Network      // of the steps; empty means none
	// NoVolumes makes the image declare none, though what it is built from does,
	// where Create would make volumes of them. ErrUnsupported if that cannot be done.
	NoVolumes bool
	Output    io.Writer // gets what the engine says while it builds; nil discards it
	// Dial, if it is not nil, connects to an engine with GuardsSteps for one request,
	// in chunks, so that the build ends when this process does. It returns nil if it cannot.
	Dial func() net.Conn
}

// State is what a container does.
type State string

// The states that matter.
const (
	Created State = "created" // and not yet started
	Running State = "running"
	Paused  State = "paused"
	Stopped State = "stopped" // or dead
)

// Status is what an engine knows of a container.
type Status struct {
	ID     string
	Name   string
	Image  string // content id
	Labels map[string]string
	State  State
	// Created is when the engine made it.
	Created time.Time
}

// Volume is what an engine knows of a volume.
type Volume struct {
	Name    string
	Labels  map[string]string
	Created time.Time `json:"CreatedAt"` // when the engine made it, or later
}

// Container is a container to create. The user, the entry point and all that
// the fields do not name are as every container of ours has them.
type Container struct {
	Name   string
	Image  string
	Labels map[string]string
	User   string   // of PID 1
	Args   []string // of PID 1

	Volume, WorkDir string // the workspace's volume and where it is mounted; an empty name means one that is removed with the container
	VolumeLabels    map[string]string
	Tmp, Shm        int64 // bytes of /tmp and /dev/shm
	ReadOnly        bool  // the root file system
	Capabilities    []string
	Seccomp         string // the profile as JSON
	Network         core.Network
	Memory          int64 // bytes, swap included
	CPUs            float64
	PIDs            int64
	AutoRemove      bool // when PID 1 ends
}

// CPUPeriod is the scheduler's period, in which a container may run for CPUs times as long.
const CPUPeriod = 100 * time.Millisecond

// TmpOptions are the mount options of /tmp beside its size. Docker bounds its number of files too; Podman refuses that option.
func TmpOptions() []string {
	return []string{"rw", "nosuid", "nodev", "exec", "mode=1777"}
}

// NoResolver is the name server of a sandbox without a network: nobody. Without it Docker would show that of its host.
const NoResolver = "127.0.0.1"

// Sysctls are those of a sandbox's own network: any user may listen on any port and use ping.
func Sysctls() map[string]string {
	return map[string]string{"net.ipv4.ip_unprivileged_port_start": "0", "net.ipv4.ping_group_range": "0 65535"}
}

// OOMScore makes the kernel prefer a sandbox to the engine and its host.
const OOMScore = 500
