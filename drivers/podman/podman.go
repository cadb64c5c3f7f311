// Package podman is the driver for Podman's service, 4.3 and later. Import it
// for its side effect, which registers the scheme "podman":
//
//	podman:                                  CONTAINER_HOST, else the usual socket of this user
//	podman:///run/podman/podman.sock
//	podman:?host=ssh://user@host/run/podman/podman.sock
package podman

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"strconv"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/drivers/internal/container"
)

const scheme = "podman"

func init() {
	core.Register(scheme, func(_ context.Context, u *url.URL) (core.Driver, error) {
		host, err := parse(u)
		if err != nil {
			return nil, err
		}
		return New(&Options{Host: host})
	})
}

// Options says which service to use. The zero value and nil mean CONTAINER_HOST, else the usual socket.
type Options struct {
	// Host is the service's address: unix://, tcp:// or ssh://. A connection by
	// ssh outlives Close, as the bindings give no means to end it: it stays until
	// the other side or the process ends.
	Host string
	// Identity is the private key file for ssh; CONTAINER_SSHKEY if it is empty.
	Identity string
}

// New returns a driver. It makes no call to the service. The caller must close it.
func New(opts *Options) (core.Driver, error) {
	if opts == nil {
		opts = new(Options)
	}
	e := &engine{host: opts.Host, identity: opts.Identity}
	if e.host == "" {
		e.host = os.Getenv("CONTAINER_HOST")
	}
	if e.host == "" {
		e.host = "unix://" + usualSocket()
	}
	if u, err := url.Parse(e.host); err != nil || u.Scheme != "unix" && u.Scheme != "tcp" && u.Scheme != "ssh" {
		return nil, core.Errorf(core.ErrInvalid, "open", "podman host %q: use unix:///path, tcp://host:port or ssh://user@host/path", e.host)
	}
	return container.New(scheme, e), nil
}

// usualSocket is that of the user's own service, or the system's for root.
func usualSocket() string {
	if os.Getuid() <= 0 {
		return "/run/podman/podman.sock"
	}
	dir := os.Getenv("XDG_RUNTIME_DIR")
	if dir == "" {
		dir = filepath.Join("/run/user", strconv.Itoa(os.Getuid()))
	}
	return filepath.Join(dir, "podman", "podman.sock")
}

// parse reads a driver URL.
func parse(u *url.URL) (host string, err error) {
	query := u.Query()
	host = query.Get("host")
	query.Del("host")
	if len(query) > 0 || u.Opaque != "" || u.Fragment != "" || u.Host != "" || host != "" && u.Path != "" {
		return "", core.Errorf(core.ErrInvalid, "open", "%q: use podman:, podman:///path/to.sock or podman:?host=ssh://user@host/path/to.sock", u.String())
	}
	if u.Path != "" {
		return "unix://" + u.Path, nil
	}
	return host, nil
}
