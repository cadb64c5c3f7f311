package docker

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
)

// configure gives the test a Docker configuration of its own, with a context "remote" and one "tls".
func configure(t *testing.T, current string) {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("DOCKER_CONFIG", dir)
	for _, variable := range []string{"DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY"} {
		t.Setenv(variable, "")
	}
	write := func(path, text string) {
		path = filepath.Join(dir, path)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	id := func(name string) string {
		sum := sha256.Sum256([]byte(name))
		return hex.EncodeToString(sum[:])
	}
	if current != "" {
		write("config.json", `{"auths": {}, "currentContext": "`+current+`"}`)
	}
	write("contexts/meta/"+id("remote")+"/meta.json", `{"Name": "remote", "Endpoints": {"docker": {"Host": "tcp://192.0.2.1:2375"}}}`)
	write("contexts/meta/"+id("tls")+"/meta.json", `{"Name": "tls", "Endpoints": {"docker": {"Host": "tcp://192.0.2.2:2376"}}}`)
	write("contexts/tls/"+id("tls")+"/docker/ca.pem", "")
	write("contexts/meta/"+id("broken")+"/meta.json", `{`)
}

func TestEngineIsFoundAsTheDockerCommandFindsIt(t *testing.T) {
	for _, test := range []struct {
		name    string
		current string
		env     map[string]string
		opts    Options
		host    string
		tls     bool
	}{
		{name: "what the caller says", current: "remote", env: map[string]string{"DOCKER_HOST": "tcp://192.0.2.9:1"}, opts: Options{Host: "unix:///x.sock"}, host: "unix:///x.sock"},
		{name: "a context of the caller's", env: map[string]string{"DOCKER_HOST": "tcp://192.0.2.9:1"}, opts: Options{Context: "remote"}, host: "tcp://192.0.2.1:2375"},
		{name: "DOCKER_HOST over contexts", current: "remote", env: map[string]string{"DOCKER_HOST": "tcp://192.0.2.9:1", "DOCKER_CONTEXT": "tls"}, host: "tcp://192.0.2.9:1", tls: true},
		{name: "a socket beside keys", env: map[string]string{"DOCKER_HOST": "unix:///x.sock", "DOCKER_CERT_PATH": "/keys"}, host: "unix:///x.sock"},
		{name: "DOCKER_CONTEXT over the current one", current: "remote", env: map[string]string{"DOCKER_CONTEXT": "tls"}, host: "tcp://192.0.2.2:2376", tls: true},
		{name: "the current context", current: "remote", host: "tcp://192.0.2.1:2375"},
		{name: "the default context", current: "default", host: usualSocket()},
		{name: "no configuration", host: usualSocket()},
	} {
		t.Run(test.name, func(t *testing.T) {
			configure(t, test.current)
			for k, v := range test.env {
				t.Setenv(k, v)
			}
			e, err := find(&test.opts)
			require.NoError(t, err)
			require.Equal(t, test.host, e.host)
			require.Equal(t, test.tls, e.tls != nil)
		})
	}
}

func TestContextsThatCannotBeUsed(t *testing.T) {
	for name, opts := range map[string]Options{
		"missing": {Context: "nowhere"}, "broken": {Context: "broken"}, "two at once": {Context: "remote", Host: "unix:///x.sock"},
	} {
		t.Run(name, func(t *testing.T) {
			configure(t, "")
			_, err := New(&opts)
			require.ErrorIs(t, err, core.ErrInvalid)
		})
	}
	configure(t, "nowhere")
	_, err := New(nil)
	require.ErrorContains(t, err, `no docker context "nowhere"`)
}

func TestURLs(t *testing.T) {
	for raw, want := range map[string][2]string{
		"docker:":                   {"", ""},
		"docker://":                 {"", ""},
		"docker:///run/d.sock":      {"unix:///run/d.sock", ""},
		"docker://127.0.0.1:2375":   {"tcp://127.0.0.1:2375", ""},
		"docker:?context=remote":    {"", "remote"},
		"docker:///x?context=y":     {"error", ""},
		"docker:x":                  {"error", ""},
		"docker://host:1/path":      {"error", ""},
		"docker:?contxt=misspelled": {"error", ""},
	} {
		u, err := url.Parse(raw)
		require.NoError(t, err)
		host, context, err := parse(u)
		if want[0] == "error" {
			require.ErrorIs(t, err, core.ErrInvalid, raw)
			continue
		}
		require.NoError(t, err, raw)
		require.Equal(t, want, [2]string{host, context}, raw)
	}
}
