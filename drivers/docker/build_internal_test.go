package docker

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/docker/docker/client"
	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/drivers/internal/container"
)

// TestBuildsDoNotLookForCachedSteps: the builder lists the images on a base and
// then reads each, and fails if one was removed in between, whosever it was.
func TestBuildsDoNotLookForCachedSteps(t *testing.T) {
	var asked url.Values
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/build") {
			asked = r.URL.Query()
		}
	}))
	defer server.Close()
	api, err := client.NewClientWithOpts(client.WithHost("tcp://"+server.Listener.Addr().String()), client.WithVersion("1.41"))
	require.NoError(t, err)
	e := &engine{api: api}
	defer e.Close()
	require.NoError(t, e.Build(t.Context(), strings.NewReader(""), &container.Build{Tag: "localhost/x:y"}))
	require.Equal(t, "localhost/x:y", asked.Get("t"))
	require.Equal(t, "1", asked.Get("nocache"))
}
