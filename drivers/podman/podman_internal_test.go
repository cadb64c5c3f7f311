package podman

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/containers/podman/v5/pkg/bindings"
	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/drivers/internal/container"
)

func TestURLs(t *testing.T) {
	for raw, want := range map[string]string{
		"podman:":                             "",
		"podman://":                           "",
		"podman:///run/p.sock":                "unix:///run/p.sock",
		"podman:?host=ssh://user@host/p.sock": "ssh://user@host/p.sock",
		"podman://host:1":                     "error",
		"podman:///x?host=y":                  "error",
		"podman:?hst=misspelled":              "error",
		"podman:x":                            "error",
	} {
		u, err := url.Parse(raw)
		require.NoError(t, err)
		host, err := parse(u)
		if want == "error" {
			require.ErrorIs(t, err, core.ErrInvalid, raw)
			continue
		}
		require.NoError(t, err, raw)
		require.Equal(t, want, host, raw)
	}
}

func TestServiceIsFound(t *testing.T) {
	t.Setenv("CONTAINER_HOST", "tcp://192.0.2.1:1")
	drv, err := New(nil)
	require.NoError(t, err)
	require.NoError(t, drv.Close())
	for _, host := range []string{"http://x", "::", "x"} {
		_, err = New(&Options{Host: host})
		require.ErrorIs(t, err, core.ErrInvalid, host)
	}
}

func TestShortNamesMeanWhatTheyMeanToDocker(t *testing.T) {
	for ref, want := range map[string]string{
		"python":                     "docker.io/library/python",
		"python:3.12-slim":           "docker.io/library/python:3.12-slim",
		"group/image":                "docker.io/group/image",
		"localhost/image":            "localhost/image",
		"127.0.0.1:5000/image:tag":   "127.0.0.1:5000/image:tag",
		"quay.io/group/image@sha256": "quay.io/group/image@sha256",
	} {
		require.Equal(t, want, qualified(ref))
	}
}

func TestErrorsAreClassedByTheirText(t *testing.T) {
	for text, want := range map[string]core.Code{
		"unable to find network with name or ID x: network not found": core.ErrNotFound,
		"x: image not known":                                    core.ErrNotFound,
		`the container name "x" is already in use by y`:         core.ErrConflict,
		"volume is being used by the following container(s): x": core.ErrConflict,
		"write /x: no space left on device":                     core.ErrResource,
		"something nobody has seen":                             core.ErrInternal,
	} {
		require.Equal(t, want, codeOf(500, text), text)
	}
}

// imitate serves a socket as it is told, and returns its address.
func imitate(t *testing.T, answer http.HandlerFunc) (host string) {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "podman.sock")
	l, err := new(net.ListenConfig).Listen(t.Context(), "unix", socket)
	require.NoError(t, err)
	server := &http.Server{Handler: answer}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	return "unix://" + socket
}

// A bound of ours is not the caller's doing.
func TestBuildThatTakesTooLong(t *testing.T) {
	e := &engine{host: imitate(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Libpod-Api-Version", "4.3.1")
		if strings.HasSuffix(r.URL.Path, "/build") {
			_, _ = io.Copy(io.Discard, r.Body) // without that nobody notices that the client leaves
			<-r.Context().Done()
		}
	})}
	defer e.Close()
	for cause, want := range map[error]core.Code{container.ErrNoAnswer: core.ErrTimeout, errors.New("the caller's"): core.ErrCanceled} {
		ctx, cancel := context.WithTimeoutCause(t.Context(), 10*time.Millisecond, cause)
		require.Equal(t, want, core.CodeOf(e.Build(ctx, strings.NewReader(""), new(container.Build))))
		cancel()
	}
}

// The bindings dial by ssh once, and no context ends that.
func TestLostConnectionBySSH(t *testing.T) {
	calls := map[string]func(context.Context, *engine) error{
		"call": func(ctx context.Context, e *engine) error { return e.call(ctx, http.MethodGet, "/info", nil, nil, nil) },
		"hijack": func(ctx context.Context, e *engine) error {
			_, _, err := e.hijack(ctx, "/exec/x/start", nil)
			return err
		},
	}
	for name, call := range calls {
		lost := &bindings.Connection{URI: &url.URL{Scheme: "ssh", Host: "far"}, Client: &http.Client{Transport: &http.Transport{
			DialContext: func(context.Context, string, string) (net.Conn, error) { return nil, io.EOF },
		}}}
		e := &engine{host: "ssh://far/podman.sock"}
		e.conn.Store(lost)
		require.ErrorIs(t, call(t.Context(), e), core.ErrUnavailable, name)
		require.Nil(t, e.conn.Load(), "%s: the next one connects anew", name)

		release := make(chan struct{})
		lost.Client.Transport = &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
			<-release
			return nil, io.EOF
		}}
		e.conn.Store(lost)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		require.ErrorIs(t, call(ctx, e), context.DeadlineExceeded, name)
		cancel()
		close(release)
	}
}

// A list is of what there is: the service fails if something is removed while it makes one.
func TestListsOutliveRemovals(t *testing.T) {
	var mu sync.Mutex
	asked := map[string]int{}
	host := imitate(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Libpod-Api-Version", "4.3.1")
		w.Header().Set("Content-Type", "application/json")
		list := false
		for _, what := range []string{"/volumes/json", "/containers/json", "/images/json"} {
			if !strings.HasSuffix(r.URL.Path, what) {
				continue
			}
			mu.Lock()
			asked[what]++
			first := asked[what] == 1
			mu.Unlock()
			if list = true; first {
				w.WriteHeader(http.StatusNotFound)
				_, _ = io.WriteString(w, `{"cause": "no such object", "message": "no such object", "response": 404}`)
				return
			}
		}
		if list {
			_, _ = io.WriteString(w, "[]")
			return
		}
		_, _ = io.WriteString(w, "{}")
	})
	drv, err := New(&Options{Host: host})
	require.NoError(t, err)
	defer drv.Close()
	collector, ok := core.AsDriver[core.Collector](drv)
	require.True(t, ok)
	found, err := collector.Collect(t.Context(), nil)
	require.NoError(t, err)
	require.Empty(t, found)
	require.Equal(t, map[string]int{"/volumes/json": 3, "/containers/json": 2, "/images/json": 2}, asked, "volumes of two kinds")
}
