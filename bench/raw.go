package main

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// raw is the engine's own API for one container, as a program without Caisson
// would use it. Both engines have it.
type raw struct {
	client    *http.Client
	path      string
	container string
}

func newRaw(endpoint, container string) *raw {
	r := &raw{path: strings.TrimPrefix(endpoint, "unix://"), container: container}
	r.client = &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return r.dial(ctx) },
	}}
	return r
}

func (r *raw) dial(ctx context.Context) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "unix", r.path)
}

// exec creates an exec, starts it, reads it to its end and asks for the exit code.
func (r *raw) exec(ctx context.Context, args ...string) error {
	var created struct{ ID string }
	body := map[string]any{"Cmd": args, "AttachStdout": true, "AttachStderr": true}
	if err := r.json(ctx, http.MethodPost, "/containers/"+r.container+"/exec", body, &created); err != nil {
		return err
	}
	if err := r.json(ctx, http.MethodPost, "/exec/"+created.ID+"/start", map[string]any{"Detach": false}, nil); err != nil {
		return err
	}
	var ended struct{ ExitCode int }
	if err := r.json(ctx, http.MethodGet, "/exec/"+created.ID+"/json", nil, &ended); err != nil {
		return err
	}
	if ended.ExitCode != 0 {
		return fmt.Errorf("exec ended with %d", ended.ExitCode)
	}
	return nil
}

// put uploads one file in a tar archive.
func (r *raw) put(ctx context.Context, dir, name string, data io.Reader, size int64) error {
	in, out := io.Pipe()
	go func() {
		w := tar.NewWriter(out)
		err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: size, Uid: 1000, Gid: 1000})
		if err == nil {
			_, err = io.CopyBuffer(struct{ io.Writer }{w}, data, make([]byte, 256<<10))
		}
		if err == nil {
			err = w.Close()
		}
		out.CloseWithError(err)
	}()
	defer in.Close()
	res, err := r.do(ctx, http.MethodPut, "/containers/"+r.container+"/archive?path="+url.QueryEscape(dir), in, "application/x-tar")
	if err != nil {
		return err
	}
	return res.Body.Close()
}

// get downloads one file in a tar archive.
func (r *raw) get(ctx context.Context, path string, size int64) error {
	res, err := r.do(ctx, http.MethodGet, "/containers/"+r.container+"/archive?path="+url.QueryEscape(path), nil, "")
	if err != nil {
		return err
	}
	defer res.Body.Close()
	t := tar.NewReader(res.Body)
	if _, err := t.Next(); err != nil {
		return err
	}
	n, err := io.Copy(io.Discard, t)
	if err == nil && n != size {
		err = fmt.Errorf("read %d bytes of %d", n, size)
	}
	_, _ = io.Copy(io.Discard, res.Body) // what pads the archive
	return err
}

func (r *raw) json(ctx context.Context, method, path string, body, answer any) error {
	var in io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return err
		}
		in = bytes.NewReader(data)
	}
	res, err := r.do(ctx, method, path, in, "application/json")
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if answer == nil {
		_, err = io.Copy(io.Discard, res.Body)
		return err
	}
	return json.NewDecoder(res.Body).Decode(answer)
}

func (r *raw) do(ctx context.Context, method, path string, body io.Reader, kind string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://engine/v1.40"+path, body)
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", kind)
	}
	res, err := r.client.Do(req)
	if err != nil {
		return nil, err
	}
	if res.StatusCode >= http.StatusBadRequest {
		text, _ := io.ReadAll(io.LimitReader(res.Body, 1<<10))
		_ = res.Body.Close()
		return nil, fmt.Errorf("%s %s: %s: %s", method, path, res.Status, bytes.TrimSpace(text))
	}
	return res, nil
}
