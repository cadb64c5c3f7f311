package docker

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/docker/docker/client"
	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/drivers/internal/container"
)

// TestBuildsDoNotLookForCachedSteps: the builder lists the images on a base and
// then reads each, and fails if one was removed in between, whosever it was.
func TestBuildsDoNotLookForCachedSteps(t *testing.T) {
	var asked url.Values
	e := imitate(t, func(_ http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/build") {
			asked = r.URL.Query()
		}
	})
	require.NoError(t, e.Build(t.Context(), strings.NewReader(""), &container.Build{Tag: "localhost/x:y"}))
	require.Equal(t, "localhost/x:y", asked.Get("t"))
	require.Equal(t, "1", asked.Get("nocache"))
}

// An error in an engine's stream is its own word; one of the stream is not.
func TestErrorsInAStream(t *testing.T) {
	for what, test := range map[string]struct {
		stream                 string
		cut                    bool
		pull, build, noVolumes core.Code
	}{
		"an error": {`{"error": "exit status 2"}`, false, core.ErrInternal, core.ErrBuild, core.ErrUnsupported},
		"missing":  {`{"error": "manifest unknown"}`, false, core.ErrNotFound, core.ErrBuild, core.ErrUnsupported},
		"disk":     {`{"error": "write: no space left on device"}`, false, core.ErrResource, core.ErrBuild, core.ErrResource},
		"cut off":  {`{"stream": "Step 1`, true, core.ErrUnavailable, core.ErrUnavailable, core.ErrUnavailable},
		"between":  {`{"stream": "Step 1"}`, true, core.ErrUnavailable, core.ErrUnavailable, core.ErrUnavailable},
	} {
		t.Run(what, func(t *testing.T) {
			e := imitate(t, func(w http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.URL.Path, "/json") {
					_, _ = io.WriteString(w, `{"Config": {}}`)
					return
				}
				_, _ = io.WriteString(w, test.stream)
				if test.cut {
					_ = http.NewResponseController(w).Flush()
					panic(http.ErrAbortHandler)
				}
			})
			require.Equal(t, test.pull, core.CodeOf(e.Pull(t.Context(), "image", func(core.Progress) {})))
			require.Equal(t, test.build, core.CodeOf(e.Build(t.Context(), strings.NewReader(""), new(container.Build))))
			require.Equal(t, test.noVolumes, core.CodeOf(e.dropVolumes(t.Context(), "from", "to")))
		})
	}
}

// imitate returns an engine that answers as it is told.
func imitate(t *testing.T, answer http.HandlerFunc) *engine {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	api, err := client.NewClientWithOpts(client.WithHost("tcp://"+server.Listener.Addr().String()), client.WithVersion("1.41"))
	require.NoError(t, err)
	e := &engine{api: api}
	t.Cleanup(func() { _ = e.Close() })
	return e
}
