package enginetest

import (
	"bytes"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
)

// Proxy puts a socket before the tests' engine, until t ends. It returns the
// URL for it, and a function that tells how many requests have gone through.
func Proxy(t testing.TB, scheme string) (proxyURL string, requests func() int) {
	t.Helper()
	engine, err := url.Parse(URL(t, scheme))
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "caisson") //nolint:usetesting // the path of a socket has to be short
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "engine.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = l.Close()
		_ = os.RemoveAll(dir)
	})
	var n atomic.Int64
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go forward(client, engine.Path, &n)
		}
	}()
	return scheme + "://" + socket, func() int { return int(n.Load()) }
}

// forward joins a client and the engine until either has no more to say.
func forward(client net.Conn, socket string, n *atomic.Int64) {
	defer client.Close()
	engine, err := net.Dial("unix", socket)
	if err != nil {
		return
	}
	go func() {
		_, _ = io.Copy(engine, &counting{client, n})
		_ = engine.(*net.UnixConn).CloseWrite()
	}()
	_, _ = io.Copy(client, engine)
	_ = engine.Close()
}

// counting counts the requests in what a client sends. Each begins a packet of its own.
type counting struct {
	io.Reader
	n *atomic.Int64
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	for _, method := range []string{"GET /", "HEAD /", "POST /", "DELETE /", "PUT /"} {
		if bytes.HasPrefix(p[:n], []byte(method)) {
			c.n.Add(1)
		}
	}
	return n, err
}
