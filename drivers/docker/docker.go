// Package docker is the driver for Docker Engine, 20.10 and later. Import it
// for its side effect, which registers the scheme "docker":
//
//	docker:                        DOCKER_HOST, else the current Docker context, else the usual sockets
//	docker:?context=NAME           the Docker context of that name
//	docker:///run/user/1000/docker.sock
//	docker://127.0.0.1:2375        plain TCP; give a context for TLS
package docker

import (
	"context"
	"net/url"

	"github.com/docker/docker/client"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/drivers/internal/container"
)

const scheme = "docker"

func init() {
	core.Register(scheme, func(_ context.Context, u *url.URL) (core.Driver, error) {
		host, name, err := parse(u)
		if err != nil {
			return nil, err
		}
		return New(&Options{Host: host, Context: name})
	})
}

// Options says which engine to use. The zero value and nil mean the one that the docker command would use.
type Options struct {
	// Host is the engine's address, as in unix:///var/run/docker.sock or tcp://127.0.0.1:2375.
	Host string
	// Context is the name of a Docker context. It excludes Host.
	Context string
}

// New returns a driver. It makes no call to the engine. The caller must close it.
func New(opts *Options) (core.Driver, error) {
	if opts == nil {
		opts = new(Options)
	}
	e, err := find(opts)
	if err != nil {
		return nil, err
	}
	set := []client.Opt{client.WithAPIVersionNegotiation()}
	if e.tls != nil { // which makes a new transport, that of the host is set up after it
		set = append(set, e.tls)
	}
	cli, err := client.NewClientWithOpts(append(set, client.WithHost(e.host))...)
	if err != nil {
		return nil, core.Errorf(core.ErrInvalid, "open", "docker host %s: %w", e.host, err)
	}
	return container.New(scheme, &engine{api: cli}), nil
}

// parse reads a driver URL.
func parse(u *url.URL) (host, name string, err error) {
	query := u.Query()
	name = query.Get("context")
	query.Del("context")
	switch {
	case len(query) > 0 || u.Opaque != "" || u.Fragment != "" || u.Host != "" && u.Path != "" || name != "" && u.Host+u.Path != "":
		return "", "", core.Errorf(core.ErrInvalid, "open", "%q: use docker:, docker:?context=NAME, docker:///path/to.sock or docker://host:port", u.String())
	case u.Host != "":
		return "tcp://" + u.Host, "", nil
	case u.Path != "":
		return "unix://" + u.Path, "", nil
	}
	return "", name, nil
}
