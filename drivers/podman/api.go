package podman

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/containers/podman/v5/pkg/bindings"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/drivers/internal/container"
)

// apiVersion is the oldest that has all we use; every later service takes it.
const apiVersion = "/v4.0.0/libpod"

// connect connects on first use and keeps the connection once it is made. All
// who wait for it share one attempt, and each waits as long as its context says:
// the bindings do not look at a context while they dial by ssh, or rest after a failure.
func (e *engine) connect(ctx context.Context) (*bindings.Connection, error) {
	if conn := e.conn.Load(); conn != nil {
		return conn, nil
	}
	made := e.connecting.DoChan("", func() (any, error) {
		if conn := e.conn.Load(); conn != nil { // by an attempt that has just ended
			return conn, nil
		}
		ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), container.Patience, container.ErrNoAnswer)
		defer cancel()
		withConn, err := bindings.NewConnectionWithIdentity(ctx, e.host, e.identity, false)
		if err != nil {
			return nil, e.unreachable(ctx, err)
		}
		conn, err := bindings.GetClient(withConn)
		if err == nil {
			e.conn.Store(conn)
		}
		return conn, err
	})
	select {
	case res := <-made:
		if res.Err != nil {
			return nil, res.Err
		}
		return res.Val.(*bindings.Connection), nil //nolint:errcheck,forcetypeassert // what the function above returned
	case <-ctx.Done():
		return nil, e.unreachable(ctx, context.Cause(ctx))
	}
}

// request makes one call. The connection's own DoRequest repeats calls, with
// bodies that are read already, and sleeps on although its context has ended.
func (e *engine) request(ctx context.Context, method, path string, query url.Values, body any) (*http.Response, error) {
	return e.requestOver(ctx, nil, method, path, query, body)
}

// requestOver is request by another client than the connection's own, if it is not nil.
func (e *engine) requestOver(ctx context.Context, client *http.Client, method, path string, query url.Values, body any) (*http.Response, error) {
	conn, err := e.connect(ctx)
	if err != nil {
		return nil, err
	}
	req, err := newRequest(ctx, conn, method, path, query, body)
	if err != nil {
		return nil, err
	}
	if client == nil {
		client = conn.Client
	}
	res, err := client.Do(req)
	if err != nil {
		e.forget(ctx, conn)
		return nil, e.unreachable(ctx, err)
	}
	if res.StatusCode >= http.StatusBadRequest {
		defer res.Body.Close()
		return nil, failure(res)
	}
	return res, nil
}

// call makes a call and decodes its answer into out, unless that is nil.
func (e *engine) call(ctx context.Context, method, path string, query url.Values, body, out any) error {
	res, err := e.request(ctx, method, path, query, body)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if out == nil {
		_, err = io.Copy(io.Discard, res.Body)
	} else {
		err = json.NewDecoder(res.Body).Decode(out)
	}
	if err != nil {
		return e.unreachable(ctx, err)
	}
	return nil
}

func newRequest(ctx context.Context, conn *bindings.Connection, method, path string, query url.Values, body any) (*http.Request, error) {
	base := "http://podman"
	if conn.URI.Scheme == "tcp" {
		base = "http://" + conn.URI.Host + conn.URI.Path
	}
	reader, kind := io.Reader(nil), ""
	switch b := body.(type) {
	case nil:
	case io.Reader:
		reader, kind = b, "application/x-tar"
	default:
		data, err := json.Marshal(b)
		if err != nil {
			return nil, err
		}
		reader, kind = bytes.NewReader(data), "application/json"
	}
	req, err := http.NewRequestWithContext(ctx, method, base+apiVersion+path, reader)
	if err != nil {
		return nil, err
	}
	req.URL.RawQuery = query.Encode()
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	return req, nil
}

// hijack makes a call and returns the connection that it turns into a stream,
// over a connection of its own. The bindings' own way replaces the transport
// under calls that run at the same time.
func (e *engine) hijack(ctx context.Context, path string, body any) (net.Conn, *bufio.Reader, error) {
	shared, err := e.connect(ctx)
	if err != nil {
		return nil, nil, err
	}
	// The bindings' dialers for ssh and TCP do not look at the context.
	conn, err := container.Await(ctx, func() (net.Conn, error) { return shared.GetDialer(ctx) })
	if err != nil {
		e.forget(ctx, shared)
		return nil, nil, e.unreachable(ctx, err)
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	r, err := upgrade(ctx, shared, conn, path, body)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		_ = conn.Close()
		if _, ok := errors.AsType[*core.Error](err); ok {
			return nil, nil, err
		}
		return nil, nil, e.unreachable(ctx, err)
	}
	return conn, r, nil
}

// forget has the next call connect anew. The bindings dial by ssh once, and
// when that connection is lost every other call would fail as the last one did.
func (e *engine) forget(ctx context.Context, conn *bindings.Connection) {
	if ctx.Err() == nil && conn.URI.Scheme == "ssh" {
		e.conn.CompareAndSwap(conn, nil)
	}
}

func upgrade(ctx context.Context, shared *bindings.Connection, conn net.Conn, path string, body any) (*bufio.Reader, error) {
	req, err := newRequest(ctx, shared, http.MethodPost, path, nil, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", "tcp")
	if err := req.Write(conn); err != nil {
		return nil, err
	}
	r := bufio.NewReader(conn)
	res, err := http.ReadResponse(r, req)
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusSwitchingProtocols && res.StatusCode != http.StatusOK {
		defer res.Body.Close()
		return nil, failure(res)
	}
	return r, nil
}

// unreachable says that nothing answered.
func (e *engine) unreachable(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil && errors.Is(context.Cause(ctx), container.ErrNoAnswer):
		return core.Errorf(core.ErrTimeout, "", "podman at %s does not answer: %w", e.host, err)
	case ctx.Err() != nil:
		return core.Ended(ctx)
	}
	return core.Errorf(core.ErrUnavailable, "", "podman cannot be reached at %s; start it with \"podman system service\", or set CONTAINER_HOST (%w)", e.host, err)
}

// failure reads the error that the service answered with.
func failure(res *http.Response) error {
	data, _ := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	var model struct{ Cause, Message string }
	if json.Unmarshal(data, &model) != nil || model.Message == "" {
		model.Message = strings.TrimSpace(string(data))
	}
	if model.Message == "" {
		model.Message = fmt.Sprintf("status %d", res.StatusCode)
	}
	return core.Errorf(codeOf(res.StatusCode, model.Message), "", "%s", model.Message)
}

// codeOf classifies an error. Podman answers 500 for much that has a status of its own elsewhere, so the text counts too.
func codeOf(status int, text string) core.Code {
	has := func(phrases ...string) bool {
		for _, p := range phrases {
			if strings.Contains(text, p) {
				return true
			}
		}
		return false
	}
	switch {
	case status == http.StatusNotFound, has("no such container", "no such image", "image not known", "no such volume", "no such network", "network not found"):
		return core.ErrNotFound
	case status == http.StatusConflict, has("already in use", "already exists", "being used", "container state improper"):
		return core.ErrConflict
	case has("no space left on device"):
		return core.ErrResource
	case status == http.StatusBadRequest:
		return core.ErrInvalid
	}
	return core.ErrInternal
}
