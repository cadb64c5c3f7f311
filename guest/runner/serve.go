package runner

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/guest/protocol"
)

const (
	helloPatience = 30 * time.Second // for the host's first message
	// hostPatience is how long the host may be silent. It sends a ping every
	// few seconds; a connection that was cut without a trace ends by this.
	hostPatience = 2 * time.Minute
	pumpPatience = 200 * time.Millisecond // for the output of a command that was killed
)

// Serve answers the calls that come over rw until it ends, then kills every
// command that still runs, and returns nil for an orderly end, which is one
// before the first message too. It owns rw.
func Serve(rw io.ReadWriteCloser, sys System) error {
	s := &server{sys: sys, ready: make(chan struct{})}
	conn := protocol.NewConn(rw, s.accept)
	defer conn.Close()
	if err := s.greet(conn); err != nil {
		return unlessOver(err)
	}
	for {
		select {
		case <-conn.Done():
			return unlessOver(conn.Err())
		case <-time.After(hostPatience / 4):
			if conn.Silence() > hostPatience {
				return protocol.ErrSilent
			}
		}
	}
}

// unlessOver returns nil for what a connection ends with when the host has closed it.
func unlessOver(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe) {
		return nil
	}
	return err
}

type server struct {
	sys   System
	cfg   protocol.Config
	ready chan struct{} // closed when cfg is set
}

// greet takes the configuration and answers with the facts.
func (s *server) greet(conn *protocol.Conn) error {
	stop := make(chan struct{})
	timer := time.AfterFunc(helloPatience, func() { close(stop) })
	defer timer.Stop()
	hello, err := conn.Hello(stop)
	if err != nil {
		return err
	}
	if err := protocol.Unmarshal(hello, &s.cfg); err != nil {
		return err
	}
	facts, err := s.sys.Configure(&s.cfg)
	if err == nil {
		close(s.ready)
	}
	return errors.Join(err, conn.SendHello(protocol.MarshalAnswer(facts, err)))
}

// accept serves one call.
func (s *server) accept(call *protocol.Call, op protocol.Op, request []byte) {
	select {
	case <-s.ready: // a call that was cancelled already gets its end too
	default:
		select {
		case <-s.ready:
		case <-call.Context().Done():
			return
		}
	}
	answer, err := s.serve(call, op, request)
	if err == nil && answer == nil {
		answer = &protocol.Empty{}
	}
	_ = call.End(protocol.MarshalAnswer(answer, err))
}

func (s *server) serve(call *protocol.Call, op protocol.Op, request []byte) (protocol.Message, error) {
	if op == protocol.OpExec { // sees to its end by itself
		return handle(request, func(m *protocol.Exec) (protocol.Message, error) { return s.exec(call, m) })
	}
	ctx := call.Context()
	defer context.AfterFunc(ctx, call.Break)()
	switch op {
	case protocol.OpUpload:
		return handle(request, func(m *protocol.Upload) (protocol.Message, error) {
			return nil, upload(s.sys, s.cfg.WorkDir, m, &content{call: call})
		})
	case protocol.OpRead:
		return handle(request, func(m *protocol.Read) (protocol.Message, error) {
			out := &selection{call: call}
			return nil, read(ctx, s.sys, s.cfg.WorkDir, m, out.begin, out)
		})
	default:
		answer, err := s.file(ctx, op, request)
		if err == nil && answer != nil {
			err = call.Defer(protocol.Content, protocol.Marshal(answer))
		}
		return nil, err
	}
}

// file serves a verb whose answer is one message, which is sent as content because it can be long.
func (s *server) file(ctx context.Context, op protocol.Op, request []byte) (protocol.Message, error) {
	fs, dir := FS(s.sys), s.cfg.WorkDir
	switch op {
	case protocol.OpList:
		return handle(request, func(m *protocol.Path) (protocol.Message, error) { return answer(list(fs, dir, m)) })
	case protocol.OpStat:
		return handle(request, func(m *protocol.Path) (protocol.Message, error) { return answer(stat(fs, dir, m)) })
	case protocol.OpRemove:
		return handle(request, func(m *protocol.Path) (protocol.Message, error) { return nil, remove(fs, dir, m) })
	case protocol.OpMkdir:
		return handle(request, func(m *protocol.Path) (protocol.Message, error) { return nil, mkdir(fs, dir, m) })
	case protocol.OpRename:
		return handle(request, func(m *protocol.Rename) (protocol.Message, error) { return nil, rename(fs, dir, m) })
	case protocol.OpGlob:
		return handle(request, func(m *protocol.Find) (protocol.Message, error) { return answer(glob(ctx, fs, dir, m)) })
	case protocol.OpGrep:
		return handle(request, func(m *protocol.Find) (protocol.Message, error) { return answer(grep(ctx, fs, dir, m)) })
	case protocol.OpEdit:
		return handle(request, func(m *protocol.Edit) (protocol.Message, error) { return answer(edit(fs, dir, m)) })
	default:
		return nil, core.Errorf(core.ErrProtocol, "", "unknown call %d", op)
	}
}

// handle decodes a request and serves it.
func handle[M any, P interface {
	*M
	protocol.Message
}](request []byte, serve func(P) (protocol.Message, error),
) (protocol.Message, error) {
	m := P(new(M))
	if err := protocol.Unmarshal(request, m); err != nil {
		return nil, core.Errorf(core.ErrProtocol, "", "%w", err)
	}
	return serve(m)
}

// answer keeps a nil pointer from becoming a Message that is not nil.
func answer[P protocol.Message](m P, err error) (protocol.Message, error) {
	if err != nil {
		return nil, err
	}
	return m, nil
}

// sender writes to a channel of a call.
type sender struct {
	call    *protocol.Call
	channel protocol.Channel
}

func (s sender) Write(p []byte) (int, error) {
	if err := s.call.Send(s.channel, p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// selection sends what was selected of a file. The beginning, and what seems
// to be the last of the content, go out with what follows.
type selection struct {
	call *protocol.Call
	left int64 // bytes that are to come
}

func (s *selection) begin(size int64) error {
	s.left = size
	return s.call.Defer(protocol.Begin, protocol.Marshal(&protocol.Count{N: int(size)}))
}

func (s *selection) Write(p []byte) (int, error) {
	send := s.call.Send
	if s.left -= int64(len(p)); s.left <= 0 {
		send = s.call.Defer
	}
	if err := send(protocol.Content, p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// content reads what the host sends with a call.
type content struct {
	call *protocol.Call
	data protocol.Data
	rest []byte // of data
}

func (c *content) Read(p []byte) (int, error) {
	for len(c.rest) == 0 {
		c.data.Release()
		d, err := c.call.Receive()
		if err != nil {
			return 0, err
		}
		c.data, c.rest = d, d.Bytes
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

// WriteTo writes each piece as it came.
func (c *content) WriteTo(w io.Writer) (total int64, err error) {
	for {
		d, err := c.call.Receive()
		if errors.Is(err, io.EOF) {
			return total, nil
		}
		if err != nil {
			return total, err
		}
		n, err := w.Write(d.Bytes)
		d.Release()
		total += int64(n)
		if err != nil {
			return total, err
		}
	}
}
