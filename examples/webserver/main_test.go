package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/drivers/fake"
	"github.com/caisson-dev/caisson/internal/enginetest"
	"github.com/caisson-dev/caisson/sessions"
)

func TestWebserver(t *testing.T) {
	t.Run("fake", func(t *testing.T) { serve(t, fake.New(nil), "debian:bookworm") })
	for _, scheme := range []string{"docker", "podman"} {
		t.Run(scheme, func(t *testing.T) { serve(t, enginetest.Open(t, scheme), enginetest.Image()) })
	}
}

// serve has two users work beside each other.
func serve(t *testing.T, driver core.Driver, image string) {
	m, err := sessions.New(driver, &sessions.Options{
		Owner: "webserver-test-" + strings.ToLower(rand.Text()), DefaultRuntime: &core.Runtime{Image: image}, Lease: time.Minute, Ephemeral: true,
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		_, err := m.Shutdown(context.Background())
		require.NoError(t, err)
	})
	server := httptest.NewServer(newHandler(m))
	t.Cleanup(server.Close)
	alice, bob := newClient(t, server.URL), newClient(t, server.URL)

	alice.do(http.MethodPut, "/files/notes/a.txt", "hello\n", http.StatusNoContent)
	require.Equal(t, answer{Output: "hello\n", Reason: "exited"}, alice.run("cat notes/a.txt"))
	require.Equal(t, answer{ExitCode: 3, Reason: "exited"}, bob.run("test ! -e notes && exit 3"))
	alice.run("echo made > made.txt")
	require.Equal(t, "made\n", alice.do(http.MethodGet, "/files/made.txt", "", http.StatusOK))
	bob.do(http.MethodGet, "/files/made.txt", "", http.StatusNotFound)
	bob.do(http.MethodGet, "/files/..%2Fmade.txt", "", http.StatusBadRequest)
	bob.do(http.MethodPut, "/files/large", strings.Repeat("x", maxFile+1), http.StatusRequestEntityTooLarge)
	require.Equal(t, 2, m.Len())
	alice.do(http.MethodDelete, "/session", "", http.StatusNoContent)
	alice.do(http.MethodGet, "/files/made.txt", "", http.StatusNotFound)
}

// client is a browser.
type client struct {
	*testing.T
	http *http.Client
	url  string
}

func newClient(t *testing.T, url string) *client {
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	return &client{t, &http.Client{Jar: jar}, url}
}

func (c *client) do(method, path, body string, want int) string {
	c.Helper()
	req, err := http.NewRequestWithContext(c.Context(), method, c.url+path, strings.NewReader(body))
	require.NoError(c, err)
	res, err := c.http.Do(req)
	require.NoError(c, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	require.NoError(c, err)
	require.Equal(c, want, res.StatusCode, "%s %s: %s", method, path, text)
	return string(text)
}

func (c *client) run(script string) (a answer) {
	c.Helper()
	require.NoError(c, json.Unmarshal([]byte(c.do(http.MethodPost, "/run", script, http.StatusOK)), &a))
	return a
}
