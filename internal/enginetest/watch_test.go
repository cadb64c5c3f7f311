package enginetest

import (
	"context"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestWatchPassesOnAnAnswerThatComesEarly has an engine that answers before it
// has read everything, as Podman does, which reads an archive up to its end and no further.
func TestWatchPassesOnAnAnswerThatComesEarly(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "engine.sock")
	l, err := new(net.ListenConfig).Listen(t.Context(), "unix", socket)
	require.NoError(t, err)
	const first, rest = "first half, ", "the rest"
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		_ = control.EnableFullDuplex()
		_, _ = io.CopyN(w, r.Body, int64(len(first)))
		_ = control.Flush()
		_, _ = io.Copy(w, r.Body)
	})}
	go func() { _ = server.Serve(l) }()
	defer server.Close()
	t.Setenv(sockets["podman"].variable, socket)
	watched := new(Watch).listen(t, "podman")
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", watched)
	}}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: 10 * time.Second} // that keeps connections, as drivers do

	body, send := io.Pipe()
	defer body.Close()
	go func() { _, _ = io.WriteString(send, first) }()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://engine/build", body)
	require.NoError(t, err)
	res, err := client.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	go func() {
		_, _ = io.WriteString(send, rest)
		_ = send.Close()
	}()
	answer, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.Equal(t, first+rest, string(answer))
}
