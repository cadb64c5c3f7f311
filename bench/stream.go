package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
)

// bare is a program's standard input and output over the engine's own API,
// with nothing of Caisson between: the fastest that anything which is carried
// by an exec can be.
type bare struct {
	net.Conn
	r    *bufio.Reader
	left uint32 // of the frame being read
}

// stream starts a program and attaches to it.
func (r *raw) stream(ctx context.Context, args ...string) (*bare, error) {
	var created struct{ ID string }
	body := map[string]any{"Cmd": args, "AttachStdin": true, "AttachStdout": true, "User": "1000:1000"}
	if err := r.json(ctx, http.MethodPost, "/containers/"+r.container+"/exec", body, &created); err != nil {
		return nil, err
	}
	start, err := json.Marshal(map[string]any{"Detach": false})
	if err != nil {
		return nil, err
	}
	conn, err := r.dial(ctx)
	if err != nil {
		return nil, err
	}
	s := &bare{Conn: conn, r: bufio.NewReaderSize(conn, 64<<10)}
	if err := s.upgrade(ctx, "/exec/"+created.ID+"/start", start); err != nil {
		conn.Close()
		return nil, err
	}
	return s, nil
}

func (s *bare) upgrade(ctx context.Context, path string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://engine/v1.40"+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", "tcp")
	if err := req.Write(s.Conn); err != nil {
		return err
	}
	res, err := http.ReadResponse(s.r, req)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusSwitchingProtocols && res.StatusCode != http.StatusOK {
		defer res.Body.Close()
		return fmt.Errorf("attach: %s", res.Status)
	}
	return nil
}

// Read reads standard output.
func (s *bare) Read(p []byte) (int, error) {
	for s.left == 0 {
		var header [8]byte
		if _, err := io.ReadFull(s.r, header[:]); err != nil {
			return 0, err
		}
		s.left = binary.BigEndian.Uint32(header[4:])
	}
	n, err := s.r.Read(p[:min(len(p), int(s.left))])
	s.left -= uint32(n)
	return n, err
}

// line reads a line of standard output.
func (s *bare) line() (string, error) {
	var text []byte
	for {
		var b [1]byte
		if _, err := io.ReadFull(s, b[:]); err != nil {
			return "", err
		}
		if b[0] == '\n' {
			return string(text), nil
		}
		text = append(text, b[0])
	}
}

// CloseWrite ends standard input.
func (s *bare) CloseWrite() error {
	c, ok := s.Conn.(interface{ CloseWrite() error })
	if !ok {
		return errors.New("the connection cannot be closed in one direction")
	}
	return c.CloseWrite()
}

// copyIn sends size bytes to a program that reads them, and waits for its end.
func (r *raw) copyIn(ctx context.Context, src io.Reader, args ...string) error {
	s, err := r.stream(ctx, args...)
	if err != nil {
		return err
	}
	defer s.Close()
	if _, err := io.CopyBuffer(struct{ io.Writer }{s}, src, make([]byte, 64<<10)); err != nil {
		return err
	}
	if err := s.CloseWrite(); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, s)
	return err
}

// copyOut reads what a program writes.
func (r *raw) copyOut(ctx context.Context, size int64, args ...string) error {
	s, err := r.stream(ctx, args...)
	if err != nil {
		return err
	}
	defer s.Close()
	n, err := io.CopyBuffer(io.Discard, struct{ io.Reader }{s}, make([]byte, 64<<10))
	if err == nil && n != size {
		err = fmt.Errorf("read %d bytes of %d", n, size)
	}
	return err
}

// echo sends p through a program that sends it back.
func (s *bare) echo(p []byte) error {
	if _, err := s.Write(p); err != nil {
		return err
	}
	_, err := io.ReadFull(s, p)
	return err
}
