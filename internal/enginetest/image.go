package enginetest

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// File is a file of an image.
type File struct {
	Name string // without the slash before it
	Mode int64
	Data []byte
}

// Load gives the tests' engine an image of one layer that holds files, and
// nothing else, and removes it when t ends. Arch is in Go's notation.
func Load(t testing.TB, scheme, ref, arch string, files ...File) {
	t.Helper()
	archive := imageArchive(t, ref, arch, files)
	call(t, scheme, http.MethodPost, "/v1.40/images/load?quiet=1", bytes.NewReader(archive), http.StatusOK)
	t.Cleanup(func() { RemoveImage(t, scheme, ref) })
}

// Build builds an image from a Dockerfile and files beside it, and removes it when t ends.
func Build(t testing.TB, scheme, ref, dockerfile string, files ...File) {
	t.Helper()
	source := archive(t, append(files, File{Name: "Dockerfile", Mode: 0o644, Data: []byte(dockerfile)}))
	said := call(t, scheme, http.MethodPost, "/v1.40/build?forcerm=1&t="+url.QueryEscape(ref), bytes.NewReader(source), http.StatusOK)
	if bytes.Contains(said, []byte(`"error"`)) {
		t.Fatalf("build %s: %s", ref, said)
	}
	t.Cleanup(func() { RemoveImage(t, scheme, ref) })
}

// RemoveImage removes an image, if it is there.
func RemoveImage(t testing.TB, scheme, ref string) {
	t.Helper()
	call(t, scheme, http.MethodDelete, "/v1.40/images/"+url.PathEscape(ref)+"?force=1", nil, http.StatusOK, http.StatusNotFound)
}

// Objects lists the containers and volumes on the tests' engine that have a label, as "kind name".
func Objects(t testing.TB, scheme, label string) []string {
	t.Helper()
	return objects(t, client(t, scheme), label)
}

func objects(t testing.TB, c *http.Client, label string) []string {
	t.Helper()
	filter := url.QueryEscape(fmt.Sprintf(`{"label":[%q]}`, label))
	var list []string
	var containers []struct{ Names []string }
	decode(t, callOn(t, c, http.MethodGet, "/v1.40/containers/json?all=1&filters="+filter, nil, http.StatusOK), &containers)
	for _, c := range containers {
		list = append(list, "container "+strings.Join(c.Names, " "))
	}
	var volumes struct{ Volumes []struct{ Name string } }
	decode(t, callOn(t, c, http.MethodGet, "/v1.40/volumes?filters="+filter, nil, http.StatusOK), &volumes)
	for _, v := range volumes.Volumes {
		list = append(list, "volume "+v.Name)
	}
	return list
}

// States lists the containers on the tests' engine that have a label, with the engine's word for what each is doing.
func States(t testing.TB, scheme, label string) map[string]string {
	t.Helper()
	filter := url.QueryEscape(fmt.Sprintf(`{"label":[%q]}`, label))
	var containers []struct {
		Names []string
		State string
	}
	decode(t, call(t, scheme, http.MethodGet, "/v1.40/containers/json?all=1&filters="+filter, nil, http.StatusOK), &containers)
	states := make(map[string]string)
	for _, c := range containers {
		states[strings.Join(c.Names, " ")] = c.State
	}
	return states
}

// Container does something to a container behind the driver's back: an API
// path below the container with its method, as in POST "pause" or DELETE "?force=1".
func Container(t testing.TB, scheme, method, name, what string) {
	t.Helper()
	if !strings.HasPrefix(what, "?") {
		what = "/" + what
	}
	call(t, scheme, method, "/v1.40/containers/"+name+what, nil, http.StatusOK, http.StatusNoContent)
}

// Kill kills a container behind the driver's back, if it is there and runs.
func Kill(t testing.TB, scheme, name string) {
	t.Helper()
	call(t, scheme, http.MethodPost, "/v1.40/containers/"+name+"/kill", nil,
		http.StatusOK, http.StatusNoContent, http.StatusNotFound, http.StatusConflict,
		http.StatusInternalServerError) // Podman's word for a container that has stopped meanwhile
}

// call makes a call of Docker's API, which Podman's service has as well.
func call(t testing.TB, scheme, method, path string, body io.Reader, want ...int) []byte {
	t.Helper()
	return callOn(t, client(t, scheme), method, path, body, want...)
}

// client returns one of the API of the tests' engine.
func client(t testing.TB, scheme string) *http.Client {
	t.Helper()
	u, err := url.Parse(URL(t, scheme))
	if err != nil {
		t.Fatal(err)
	}
	return socketClient(u.Path)
}

func socketClient(socket string) *http.Client {
	return &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
	}}
}

func callOn(t testing.TB, c *http.Client, method, path string, body io.Reader, want ...int) []byte {
	t.Helper()
	req, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), method, "http://engine"+path, body)
	if err != nil {
		t.Fatal(err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/x-tar")
	}
	req.Header.Set("X-Registry-Auth", "e30=") // an empty object: a push asks for one
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, status := range want {
		if res.StatusCode == status {
			return answer
		}
	}
	t.Fatalf("%s %s: %s: %s", method, path, res.Status, answer)
	return nil
}

func decode(t testing.TB, data []byte, v any) {
	t.Helper()
	if err := json.Unmarshal(data, v); err != nil {
		t.Fatalf("engine's answer %s: %v", data, err)
	}
}

// imageArchive is what "docker save" writes: a configuration, a layer and a manifest
// (https://github.com/moby/moby/blob/master/image/spec/spec.md).
func imageArchive(t testing.TB, ref, arch string, files []File) []byte {
	t.Helper()
	layer := archive(t, files)
	sum := sha256.Sum256(layer)
	config, err := json.Marshal(map[string]any{
		"architecture": arch, "os": "linux", "config": map[string]any{"Env": []string{"FROM_IMAGE=yes"}},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + hex.EncodeToString(sum[:])}},
	})
	if err != nil {
		t.Fatal(err)
	}
	configSum := sha256.Sum256(config)
	name := hex.EncodeToString(configSum[:]) + ".json"
	manifest, err := json.Marshal([]map[string]any{{"Config": name, "RepoTags": []string{ref}, "Layers": []string{"layer.tar"}}})
	if err != nil {
		t.Fatal(err)
	}
	return archive(t, []File{
		{Name: name, Mode: 0o644, Data: config}, {Name: "layer.tar", Mode: 0o644, Data: layer}, {Name: "manifest.json", Mode: 0o644, Data: manifest},
	})
}

func archive(t testing.TB, files []File) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, f := range files {
		if err := w.WriteHeader(&tar.Header{Name: f.Name, Mode: f.Mode, Size: int64(len(f.Data)), Format: tar.FormatUSTAR}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(f.Data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}
