package podman

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync/atomic"
	"time"

	"github.com/containers/podman/v5/libpod/define"
	"github.com/containers/podman/v5/pkg/bindings"
	"golang.org/x/sync/singleflight"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/drivers/internal/container"
)

// engine is Podman's API as a container.Engine.
type engine struct {
	host, identity string

	conn       atomic.Pointer[bindings.Connection] // nil until it is first needed
	connecting singleflight.Group
}

var _ container.Engine = (*engine)(nil)

func (e *engine) Close() error {
	if conn := e.conn.Load(); conn != nil {
		conn.Client.CloseIdleConnections()
	}
	return nil
}

func (e *engine) Socket() string { return container.SocketOf(e.host) }

func (e *engine) CreateVolume(ctx context.Context, name string, labels map[string]string) error {
	return e.call(ctx, http.MethodPost, "/volumes/create", nil, map[string]any{"Name": name, "Label": labels}, nil)
}

// ReserveVolume is CreateVolume: the engine makes no volume twice.
func (e *engine) ReserveVolume(ctx context.Context, name string, labels map[string]string) error {
	return e.CreateVolume(ctx, name, labels)
}

func (e *engine) RemoveVolume(ctx context.Context, name string) error {
	return e.call(ctx, http.MethodDelete, "/volumes/"+name, nil, nil, nil)
}

func (e *engine) Start(ctx context.Context, name string) error {
	return e.call(ctx, http.MethodPost, "/containers/"+name+"/start", nil, nil, nil)
}

func (e *engine) Restart(ctx context.Context, name string) error {
	return e.call(ctx, http.MethodPost, "/containers/"+name+"/restart", url.Values{"t": {"0"}}, nil, nil)
}

func (e *engine) Signal(ctx context.Context, name, signal string) error {
	return e.call(ctx, http.MethodPost, "/containers/"+name+"/kill", url.Values{"signal": {signal}}, nil, nil)
}

func (e *engine) Inspect(ctx context.Context, name string) (*container.Status, error) {
	var c define.InspectContainerData
	if err := e.call(ctx, http.MethodGet, "/containers/"+name+"/json", nil, nil, &c); err != nil {
		return nil, err
	}
	s := &container.Status{ID: c.ID, Name: c.Name, Image: c.Image, State: container.Stopped, Created: c.Created}
	if c.Config != nil {
		s.Labels = c.Config.Labels
	}
	if c.State != nil {
		s.State = state(c.State.Status)
	}
	return s, nil
}

func state(status string) container.State {
	switch status {
	case "created", "configured", "initialized":
		return container.Created
	case "running":
		return container.Running
	case "paused":
		return container.Paused
	}
	return container.Stopped
}

func (e *engine) Containers(ctx context.Context, labels ...string) ([]container.Status, error) {
	var found []struct {
		ID      string `json:"Id"`
		Names   []string
		ImageID string
		Labels  map[string]string
		State   string
		Created time.Time
	}
	err := settled(func() error {
		return e.call(ctx, http.MethodGet, "/containers/json", url.Values{"all": {"true"}, "filters": {labelled(labels...)}}, nil, &found)
	})
	if err != nil {
		return nil, err
	}
	var list []container.Status
	for _, c := range found {
		s := container.Status{ID: c.ID, Image: c.ImageID, Labels: c.Labels, State: state(c.State), Created: c.Created}
		if len(c.Names) > 0 {
			s.Name = c.Names[0]
		}
		list = append(list, s)
	}
	return list, nil
}

func (e *engine) Volumes(ctx context.Context, label string) ([]container.Volume, error) {
	var list []container.Volume
	err := settled(func() error {
		return e.call(ctx, http.MethodGet, "/volumes/json", url.Values{"filters": {labelled(label)}}, nil, &list)
	})
	return list, err
}

func (e *engine) Volume(ctx context.Context, name string) (*container.Volume, error) {
	v := new(container.Volume)
	if err := e.call(ctx, http.MethodGet, "/volumes/"+name+"/json", nil, nil, v); err != nil {
		return nil, err
	}
	return v, nil
}

// labelled is a filter for what has every label.
func labelled(labels ...string) string {
	filter, _ := json.Marshal(map[string][]string{"label": labels}) // strings always marshal
	return string(filter)
}

// Remove sends a timeout of 0, without which Podman waits for the container's
// own, and both names of the parameter for volumes: services take one of them.
func (e *engine) Remove(ctx context.Context, name string) error {
	query := url.Values{"force": {"true"}, "v": {"true"}, "volumes": {"true"}, "timeout": {"0"}}
	return e.call(ctx, http.MethodDelete, "/containers/"+name, query, nil, nil)
}

func (e *engine) Exec(ctx context.Context, name, user string, args []string) (io.ReadWriteCloser, error) {
	var exec struct{ ID string }
	err := e.call(ctx, http.MethodPost, "/containers/"+name+"/exec", nil, map[string]any{
		"User": user, "Cmd": args, "WorkingDir": "/", "AttachStdin": true, "AttachStdout": true, "AttachStderr": true,
	}, &exec)
	if err != nil {
		return nil, err
	}
	conn, r, err := e.hijack(ctx, "/exec/"+exec.ID+"/start", map[string]any{"Detach": false, "Tty": false})
	if err != nil {
		return nil, err
	}
	return &stream{Demux: container.NewDemux(r), Conn: conn, buffer: r}, nil
}

// stream is a program's standard input and output.
type stream struct {
	*container.Demux
	net.Conn
	buffer *bufio.Reader
}

func (s *stream) Read(p []byte) (int, error) { return s.Demux.Read(p) }

func (e *engine) Image(ctx context.Context, ref string) (*container.Image, error) {
	var img struct {
		ID           string `json:"Id"`
		Architecture string
		Os           string
		Labels       map[string]string
		Config       struct {
			Env     []string
			Volumes map[string]struct{}
		}
	}
	if err := e.call(ctx, http.MethodGet, "/images/"+url.PathEscape(ref)+"/json", nil, nil, &img); err != nil {
		return nil, err
	}
	return &container.Image{
		ID: "sha256:" + img.ID, Arch: img.Architecture, OS: img.Os, Env: img.Config.Env, Labels: img.Labels,
		Volumes: slices.Sorted(maps.Keys(img.Config.Volumes)),
	}, nil
}

func (e *engine) Ping(ctx context.Context) error {
	return e.call(ctx, http.MethodGet, "/_ping", nil, nil, nil)
}

func (e *engine) Info(ctx context.Context) (*core.Info, error) {
	var info define.Info
	if err := e.call(ctx, http.MethodGet, "/info", nil, nil, &info); err != nil {
		return nil, err
	}
	return describe(&info, e.host), nil
}

// Now reads when the service answered, since nothing that it says of itself has its time.
func (e *engine) Now(ctx context.Context) (time.Time, error) {
	res, err := e.request(ctx, http.MethodGet, "/_ping", nil, nil)
	if err != nil {
		return time.Time{}, err
	}
	defer res.Body.Close()
	date := res.Header.Get("Date")
	now, err := http.ParseTime(date)
	if err != nil {
		return time.Time{}, core.Errorf(core.ErrProtocol, "", "the service's time is %q", date)
	}
	return now.Add(time.Second), nil // of which the fraction is left out
}
