package enginetest

import (
	"context"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/caisson-dev/caisson/core"
)

// Watch notes the requests that an engine gets.
type Watch struct {
	mu       sync.Mutex
	requests []string
}

// Requests returns those since the last call whose "METHOD path" ends as given, in order.
func (w *Watch) Requests(ending string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var list []string
	for _, r := range w.requests {
		if strings.HasSuffix(r, ending) {
			list = append(list, r)
		}
	}
	w.requests = nil
	return list
}

// OpenWatched is Open with something between driver and engine that notes every request.
func OpenWatched(t testing.TB, scheme string) (core.Driver, *Watch) {
	t.Helper()
	w := new(Watch)
	drv, err := core.Open(t.Context(), scheme+"://"+w.listen(t, scheme))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = drv.Close() })
	return drv, w
}

// listen puts w before the tests' engine, until t ends, and returns its socket.
func (w *Watch) listen(t testing.TB, scheme string) string {
	t.Helper()
	engine, err := url.Parse(URL(t, scheme))
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "caisson-watch-") //nolint:usetesting // its names are too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	listener, err := net.Listen("unix", filepath.Join(dir, "engine.sock"))
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: "engine"})
	proxy.FlushInterval = -1
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", engine.Path)
	}}
	proxy.Transport = transport
	server := &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		w.requests = append(w.requests, r.Method+" "+r.URL.Path)
		w.mu.Unlock()
		// Podman answers before it has read the last bytes of an archive. Without
		// this the server takes those away from the proxy, which then cuts the answer off.
		_ = http.NewResponseController(rw).EnableFullDuplex() // of its own writer, which can
		proxy.ServeHTTP(rw, r)
	})}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(listener) // until it is closed
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-served
		transport.CloseIdleConnections()
	})
	return listener.Addr().String()
}
