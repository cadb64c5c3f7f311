package drivertest

import (
	"encoding/json"
	"flag"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
)

var update = flag.Bool("update", false, "write the golden files")

// Wire compares the request with which the driver creates a container of each
// profile with testdata/PROFILE.json. No engine takes part. Run with -update
// to write the files anew, and read what has changed: it is what protects the host.
func Wire(t *testing.T, scheme string) {
	t.Helper()
	for _, profile := range []core.Profile{core.Strict, core.Standard, core.Relaxed} {
		t.Run(string(profile), func(t *testing.T) {
			got := createRequest(t, scheme, profile)
			golden := filepath.Join("testdata", string(profile)+".json")
			if *update {
				require.NoError(t, os.MkdirAll("testdata", 0o755))
				require.NoError(t, os.WriteFile(golden, got, 0o644))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			require.Equal(t, string(want), string(got))
		})
	}
}

// changing is what differs each time.
var changing = regexp.MustCompile(`caisson-[0-9a-f]{20}|guest:[0-9a-f]{32}`)

// createRequest starts a sandbox on an engine that is not there and returns the body of its create request.
func createRequest(t *testing.T, scheme string, profile core.Profile) []byte {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "engine.sock")
	l, err := new(net.ListenConfig).Listen(t.Context(), "unix", socket)
	require.NoError(t, err)
	var body []byte
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Api-Version", "1.41")
		w.Header().Set("Libpod-Api-Version", "4.3.1")
		w.Header().Set("Content-Type", "application/json")
		path := r.URL.Path
		switch {
		case strings.HasSuffix(path, "/containers/create"):
			body, _ = io.ReadAll(r.Body)
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"message": "enough"}`)
		case r.Method == http.MethodDelete, strings.Contains(path, "/containers/"):
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, `{"message": "no such object"}`)
		default: // the parts that a driver reads of a version, an image and the engine
			_, _ = io.WriteString(w, `{"Id": "sha256:`+strings.Repeat("a", 64)+`", "Arch": "amd64", "Architecture": "amd64", "Os": "linux",
				"Config": {"Env": ["FROM_IMAGE=yes"]}, "host": {"arch": "amd64", "os": "linux"}}`)
		}
	})}
	go func() { _ = server.Serve(l) }()
	defer server.Close()
	drv, err := core.Open(t.Context(), scheme+"://"+socket)
	require.NoError(t, err)
	defer drv.Close()
	_, err = core.Start(t.Context(), drv, &core.Spec{
		Runtime: &core.Runtime{Image: "image:tag", Env: map[string]string{"SECRET": "in-no-request"}}, Profile: profile,
		Owner: "owner", Labels: map[string]string{"key": "value"},
	})
	require.ErrorIs(t, err, core.ErrInvalid)
	require.NotContains(t, string(body), "in-no-request", "the environment goes to the runner, not through the engine")
	return normal(t, body)
}

// normal indents a body and replaces what differs each time. The filter of system calls is checked by its own file.
func normal(t *testing.T, body []byte) []byte {
	t.Helper()
	var fields map[string]any
	require.NoError(t, json.Unmarshal(body, &fields), string(body))
	if labels, ok := fields["labels"].(map[string]any); ok {
		delete(labels, core.LabelPrefix+".spec")
		delete(labels, core.LabelPrefix+".start")
	}
	text, err := json.MarshalIndent(fields, "", "  ")
	require.NoError(t, err)
	text = regexp.MustCompile(`"seccomp=[^\n]*"`).ReplaceAll(text, []byte(`"seccomp=..."`))
	text = regexp.MustCompile(`("dev.caisson.(?:spec|start)": )"[0-9a-f]+"`).ReplaceAll(text, []byte(`$1"..."`))
	text = regexp.MustCompile(`("-claim",\s*)"[0-9a-f]{16}"`).ReplaceAll(text, []byte(`$1"..."`))
	return append(changing.ReplaceAll(text, []byte("...")), '\n')
}
