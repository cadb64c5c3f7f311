package docker

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/docker/docker/client"

	"github.com/caisson-dev/caisson/core"
)

// endpoint is where an engine is.
type endpoint struct {
	host string
	tls  client.Opt // nil without TLS
}

// find returns the endpoint in the order of the docker command: what the
// caller says, DOCKER_HOST, DOCKER_CONTEXT, the current context, the usual sockets.
func find(opts *Options) (*endpoint, error) {
	if opts.Host != "" && opts.Context != "" {
		return nil, core.Errorf(core.ErrInvalid, "open", "docker: Host and Context exclude each other")
	}
	if opts.Host != "" {
		return &endpoint{host: opts.Host}, nil
	}
	name := opts.Context
	if name == "" {
		if host := os.Getenv(client.EnvOverrideHost); host != "" {
			e := &endpoint{host: host}
			if strings.HasPrefix(host, "tcp:") || strings.HasPrefix(host, "http") { // a socket has none, whatever else is set
				e.tls = client.WithTLSClientConfigFromEnv()
			}
			return e, nil
		}
		name = os.Getenv("DOCKER_CONTEXT")
	}
	config := configDir()
	if name == "" {
		var err error
		if name, err = currentContext(config); err != nil {
			return nil, err
		}
	}
	if name == "" || name == "default" {
		return &endpoint{host: usualSocket()}, nil
	}
	return contextEndpoint(config, name)
}

// usualSocket is the system's, or the user's own if only that is there.
func usualSocket() string {
	if _, err := os.Stat("/var/run/docker.sock"); err != nil {
		for _, dir := range []string{os.Getenv("XDG_RUNTIME_DIR"), filepath.Join(home(), ".docker", "run")} {
			socket := filepath.Join(dir, "docker.sock")
			if _, err := os.Stat(socket); dir != "" && err == nil {
				return "unix://" + filepath.ToSlash(socket)
			}
		}
	}
	return client.DefaultDockerHost
}

func configDir() string {
	if dir := os.Getenv("DOCKER_CONFIG"); dir != "" {
		return dir
	}
	return filepath.Join(home(), ".docker")
}

func home() string {
	dir, _ := os.UserHomeDir() // without one there is no configuration
	return dir
}

// currentContext reads the name that "docker context use" has written.
func currentContext(config string) (string, error) {
	var file struct{ CurrentContext string }
	err := readJSON(filepath.Join(config, "config.json"), &file)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return file.CurrentContext, err
}

// contextEndpoint reads a context from where the docker command keeps it:
// contexts/meta/<SHA-256 of the name>/meta.json, and keys in contexts/tls
// (https://github.com/docker/cli/tree/master/cli/context/store). The packages
// that do this come with all of the command's own dependencies.
func contextEndpoint(config, name string) (*endpoint, error) {
	sum := sha256.Sum256([]byte(name))
	id := hex.EncodeToString(sum[:])
	var meta struct {
		Endpoints map[string]struct{ Host string }
	}
	err := readJSON(filepath.Join(config, "contexts", "meta", id, "meta.json"), &meta)
	if errors.Is(err, fs.ErrNotExist) || err == nil && meta.Endpoints["docker"].Host == "" {
		return nil, core.Errorf(core.ErrInvalid, "open", "there is no docker context %q; see docker context ls", name)
	}
	if err != nil {
		return nil, err
	}
	e := &endpoint{host: meta.Endpoints["docker"].Host}
	keys := filepath.Join(config, "contexts", "tls", id, "docker")
	if _, err := os.Stat(filepath.Join(keys, "ca.pem")); err == nil {
		e.tls = client.WithTLSClientConfig(filepath.Join(keys, "ca.pem"), filepath.Join(keys, "cert.pem"), filepath.Join(keys, "key.pem"))
	}
	return e, nil
}

func readJSON(path string, v any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return core.Errorf(core.ErrInvalid, "open", "%s is not valid JSON: %w", path, err)
	}
	return nil
}
