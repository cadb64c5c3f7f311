package drivertest

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/internal/enginetest"
)

// between is what stands between a driver and the engine. Either function holds
// up what it is true for until release is called or the test ends: a request
// before the engine sees it, or the answer to one.
type between struct {
	request, answer func(*http.Request) bool
	reached         chan struct{} // closed when something is held up
	release         func()
	socket          string
}

func (b *between) listen(t *testing.T, scheme string) {
	t.Helper()
	real, err := url.Parse(enginetest.URL(t, scheme))
	require.NoError(t, err)
	b.reached = make(chan struct{})
	reach := sync.OnceFunc(func() { close(b.reached) })
	released := make(chan struct{})
	b.release = sync.OnceFunc(func() { close(released) })
	wait := func(hold func(*http.Request) bool, r *http.Request) {
		if hold != nil && hold(r) {
			reach()
			<-released
		}
	}
	proxy := &httputil.ReverseProxy{
		ErrorLog: log.New(io.Discard, "", 0), // of requests that their client has given up
		Rewrite:  func(r *httputil.ProxyRequest) { r.Out.URL.Scheme, r.Out.URL.Host = "http", "engine" },
		Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", real.Path)
		}},
		ModifyResponse: func(r *http.Response) error {
			wait(b.answer, r.Request)
			return nil
		},
	}
	b.socket = filepath.Join(t.TempDir(), "engine.sock")
	l, err := new(net.ListenConfig).Listen(t.Context(), "unix", b.socket)
	require.NoError(t, err)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		wait(b.request, r)
		proxy.ServeHTTP(w, r)
	})}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() {
		b.release()
		_ = server.Close()
	})
}

// held opens a driver on an engine that is as all are, but does not see a request that hold is true for until t ends or release is called.
func (s *suite) held(t *testing.T, hold func(*http.Request) bool) (drv core.Driver, release func()) {
	t.Helper()
	b := &between{request: hold}
	b.listen(t, s.scheme)
	drv, err := core.Open(t.Context(), s.scheme+"://"+b.socket)
	require.NoError(t, err)
	t.Cleanup(func() {
		b.release()
		require.NoError(t, drv.Close())
	})
	_, err = drv.Prepare(t.Context(), &core.Runtime{Image: enginetest.Image()}, nil)
	require.NoError(t, err)
	return drv, b.release
}

// request returns what is true for requests to a path that has both parts.
func request(contains, ending string) func(*http.Request) bool {
	return func(r *http.Request) bool {
		return strings.Contains(r.URL.Path, contains) && strings.HasSuffix(r.URL.Path, ending)
	}
}
