package docker

import (
	"context"
	"io"
	"maps"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/containerd/errdefs"

	dockercontainer "github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/volume"
	"github.com/docker/docker/client"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/drivers/internal/container"
)

// engine is Docker's API as a container.Engine.
type engine struct {
	api    *client.Client
	agreed atomic.Bool // on a version of the API
}

var _ container.Engine = (*engine)(nil)

func (e *engine) Close() error { return e.api.Close() }

func (e *engine) Socket() string { return container.SocketOf(e.api.DaemonHost()) }

// agree has the client agree with the engine on a version of the API. Requests
// do so themselves, but lists read the version before that, which is a data race
// with the first request of another goroutine.
func (e *engine) agree(ctx context.Context) error {
	if e.agreed.Load() {
		return nil
	}
	if _, err := e.api.ServerVersion(ctx); err != nil {
		return e.classify(ctx, err)
	}
	e.agreed.Store(true)
	return nil
}

// CreateVolume does nothing: the create request of the container makes its volume, labels and all.
func (e *engine) CreateVolume(context.Context, string, map[string]string) error { return nil }

// ReserveVolume compares what the engine answers with: it returns a volume that is there as if it had made it.
func (e *engine) ReserveVolume(ctx context.Context, name string, labels map[string]string) error {
	made, err := e.api.VolumeCreate(ctx, volume.CreateOptions{Name: name, Labels: labels})
	if err != nil {
		return e.classify(ctx, err)
	}
	if !maps.Equal(made.Labels, labels) {
		return core.Errorf(core.ErrConflict, "", "there is another volume of that name")
	}
	return nil
}

func (e *engine) RemoveVolume(ctx context.Context, name string) error {
	return e.classify(ctx, e.api.VolumeRemove(ctx, name, false))
}

func (e *engine) Start(ctx context.Context, name string) error {
	return e.classify(ctx, e.api.ContainerStart(ctx, name, dockercontainer.StartOptions{}))
}

// Restart gives no grace: the container's stop signal is SIGKILL. The timeout is
// for the kernel to carry it out; with one of 0 Engine 20.10 kills twice, cleans
// up twice and leaves the new container without its root file system.
func (e *engine) Restart(ctx context.Context, name string) error {
	seconds := 3
	return e.classify(ctx, e.api.ContainerRestart(ctx, name, dockercontainer.StopOptions{Timeout: &seconds}))
}

func (e *engine) Signal(ctx context.Context, name, signal string) error {
	return e.classify(ctx, e.api.ContainerKill(ctx, name, signal))
}

func (e *engine) Inspect(ctx context.Context, name string) (*container.Status, error) {
	c, err := e.api.ContainerInspect(ctx, name)
	if err != nil {
		return nil, e.classify(ctx, err)
	}
	s := &container.Status{ID: c.ID, Name: strings.TrimPrefix(c.Name, "/"), Image: c.Image, Labels: c.Config.Labels}
	s.Created, _ = time.Parse(time.RFC3339Nano, c.Created) // what the engine writes
	s.State = state(c.State.Status)
	return s, nil
}

func state(status dockercontainer.ContainerState) container.State {
	switch status {
	case dockercontainer.StateCreated:
		return container.Created
	case dockercontainer.StateRunning:
		return container.Running
	case dockercontainer.StatePaused:
		return container.Paused
	}
	return container.Stopped
}

func (e *engine) Containers(ctx context.Context, labels ...string) ([]container.Status, error) {
	if err := e.agree(ctx); err != nil {
		return nil, err
	}
	every := filters.NewArgs()
	for _, label := range labels {
		every.Add("label", label)
	}
	found, err := e.api.ContainerList(ctx, dockercontainer.ListOptions{All: true, Filters: every})
	if err != nil {
		return nil, e.classify(ctx, err)
	}
	var list []container.Status
	for i := range found {
		c := &found[i]
		s := container.Status{ID: c.ID, Image: c.ImageID, Labels: c.Labels, State: state(c.State), Created: time.Unix(c.Created, 0)}
		for _, name := range c.Names {
			s.Name = strings.TrimPrefix(name, "/")
		}
		list = append(list, s)
	}
	return list, nil
}

func (e *engine) Volumes(ctx context.Context, label string) ([]container.Volume, error) {
	if err := e.agree(ctx); err != nil {
		return nil, err
	}
	found, err := e.api.VolumeList(ctx, volume.ListOptions{Filters: filters.NewArgs(filters.Arg("label", label))})
	if err != nil {
		return nil, e.classify(ctx, err)
	}
	var list []container.Volume
	for _, v := range found.Volumes {
		list = append(list, *describeVolume(v))
	}
	return list, nil
}

func (e *engine) Volume(ctx context.Context, name string) (*container.Volume, error) {
	v, err := e.api.VolumeInspect(ctx, name)
	if err != nil {
		return nil, e.classify(ctx, err)
	}
	return describeVolume(&v), nil
}

func describeVolume(v *volume.Volume) *container.Volume {
	created, _ := time.Parse(time.RFC3339, v.CreatedAt) // what the engine writes
	return &container.Volume{Name: v.Name, Labels: v.Labels, Created: created}
}

// Remove polls while another removal is in progress.
func (e *engine) Remove(ctx context.Context, name string) error {
	for {
		err := e.api.ContainerRemove(ctx, name, dockercontainer.RemoveOptions{Force: true, RemoveVolumes: true})
		if !errdefs.IsConflict(err) {
			return e.classify(ctx, err)
		}
		select {
		case <-ctx.Done():
			return e.classify(ctx, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (e *engine) Exec(ctx context.Context, name, user string, args []string) (io.ReadWriteCloser, error) {
	exec, err := e.api.ContainerExecCreate(ctx, name, dockercontainer.ExecOptions{
		User: user, Cmd: args, WorkingDir: "/", AttachStdin: true, AttachStdout: true, AttachStderr: true,
	})
	if err != nil {
		return nil, e.classify(ctx, err)
	}
	// The client waits for the answer whatever becomes of the context.
	program, err := container.Await(ctx, func() (*stream, error) {
		conn, err := e.api.ContainerExecAttach(ctx, exec.ID, dockercontainer.ExecAttachOptions{})
		if err != nil {
			return nil, err
		}
		return &stream{Demux: container.NewDemux(conn.Reader), Conn: conn.Conn}, nil
	})
	if err != nil {
		return nil, e.classify(ctx, err)
	}
	return program, nil
}

// stream is a program's standard input and output.
type stream struct {
	*container.Demux
	net.Conn
}

func (s *stream) Read(p []byte) (int, error) { return s.Demux.Read(p) }

func (e *engine) Image(ctx context.Context, ref string) (*container.Image, error) {
	img, err := e.api.ImageInspect(ctx, ref)
	if err != nil {
		return nil, e.classify(ctx, err)
	}
	out := &container.Image{ID: img.ID, Arch: img.Architecture, OS: img.Os}
	if img.Config != nil {
		out.Env, out.Labels = img.Config.Env, img.Config.Labels
		out.Volumes = slices.Sorted(maps.Keys(img.Config.Volumes))
	}
	return out, nil
}

func (e *engine) Pull(ctx context.Context, ref string, progress func(core.Progress)) error {
	body, err := e.api.ImagePull(ctx, ref, image.PullOptions{})
	if err != nil {
		return e.classify(ctx, err)
	}
	defer body.Close()
	err = follow(body, nil, progress)
	if err != nil && says(err.Error(), "not found", "manifest unknown", "does not exist") {
		err = core.Errorf(core.ErrNotFound, "", "%w", err)
	}
	return e.classify(ctx, err)
}

func (e *engine) Ping(ctx context.Context) error {
	_, err := e.api.Ping(ctx)
	return e.classify(ctx, err)
}

func (e *engine) Info(ctx context.Context) (*core.Info, error) {
	info, err := e.api.Info(ctx)
	if err != nil {
		return nil, e.classify(ctx, err)
	}
	version, err := e.api.ServerVersion(ctx)
	if err != nil {
		return nil, e.classify(ctx, err)
	}
	return describe(&version, &info, e.api.ClientVersion(), e.api.DaemonHost()), nil
}

// Now reads the time that the engine tells along with all else.
func (e *engine) Now(ctx context.Context) (time.Time, error) {
	info, err := e.api.Info(ctx)
	if err != nil {
		return time.Time{}, e.classify(ctx, err)
	}
	now, err := time.Parse(time.RFC3339Nano, info.SystemTime)
	if err != nil {
		return time.Time{}, core.Errorf(core.ErrProtocol, "", "the engine's time is %q", info.SystemTime)
	}
	return now, nil
}
