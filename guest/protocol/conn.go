package protocol

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// Conn is one side of a byte stream between a host and a guest. Many calls run
// over it at once; one that is not read never holds up the others.
type Conn struct {
	rw     io.ReadWriteCloser
	accept func(*Call, Op, []byte) // nil on the host

	buffers buffers
	writer  writer

	mu    sync.Mutex
	calls map[uint32]*Call
	last  uint32
	err   error

	hello    chan []byte
	done     chan struct{} // closed when err is set
	clock    func() time.Time
	began    time.Time    // what lastRead counts from: a difference knows no step of the wall clock and no suspend
	lastRead atomic.Int64 // when the last frame came, in nanoseconds
	wg       sync.WaitGroup
}

// Errors of a connection.
var (
	ErrClosed = errors.New("connection closed")
	ErrSilent = errors.New("the other side does not answer")
	ErrCut    = errors.New("connection ended while a call was opened")
)

// maxCalls bounds the calls of one connection that run at once.
const maxCalls = 4096

// readAhead is the buffer of a guest's reader, in bytes; fewer reads are fewer wake-ups of the processes between the two sides.
const readAhead = 256 << 10

// NewConn begins to read from rw. A guest passes accept, which is called on a
// goroutine of its own for each call that the host opens; a host passes nil.
// The Conn owns rw.
func NewConn(rw io.ReadWriteCloser, accept func(*Call, Op, []byte)) *Conn {
	return newConn(rw, accept, time.Now)
}

func newConn(rw io.ReadWriteCloser, accept func(*Call, Op, []byte), clock func() time.Time) *Conn {
	c := &Conn{
		rw: rw, accept: accept, calls: make(map[uint32]*Call), clock: clock, began: clock(),
		hello: make(chan []byte, 1), done: make(chan struct{}),
	}
	c.writer.init()
	c.wg.Go(c.readLoop)
	c.wg.Go(c.controlLoop)
	return c
}

// Open begins a call. If whole is not nil, it is all that this side sends with
// the call, MaxWhole bytes at most, and goes out together with the request.
//
// While others write it waits no longer than ctx, and returns its error. Once
// it writes by itself only the end of the connection ends that; then the error
// is ErrCut, and the call may have been sent. After every other error it was not.
func (c *Conn) Open(ctx context.Context, op Op, m Message, whole []byte) (*Call, error) {
	payload := append([]byte{byte(op)}, Marshal(m)...)
	if len(payload) > maxOpen {
		return nil, fmt.Errorf("request of %d bytes exceeds %d", len(payload), maxOpen)
	}
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return nil, ErrClosed
	}
	if len(c.calls) >= maxCalls {
		c.mu.Unlock()
		return nil, fmt.Errorf("more than %d calls at once", maxCalls)
	}
	c.last++
	call := newCall(c, c.last)
	frames := []*frame{{kind: kindOpen, call: call.id, payload: payload}}
	if len(whole) > 0 {
		call.credit -= cost(len(whole))
		frames = append(frames, &frame{kind: kindData, channel: Content, call: call.id, payload: whole})
	}
	if whole != nil {
		frames = append(frames, &frame{kind: kindEOF, call: call.id})
	}
	c.calls[call.id] = call
	c.mu.Unlock()
	if err := c.takeTurn(ctx.Done()); err != nil {
		c.forget(call)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, ErrClosed
	}
	if c.writeNow(nil, frames...) != nil {
		return nil, ErrCut
	}
	return call, nil
}

// SendHello sends the first message of this side.
func (c *Conn) SendHello(payload []byte) error {
	return c.write(nil, &frame{kind: kindHello, payload: append([]byte{Version}, payload...)})
}

// Hello waits for the first message of the other side, until the connection or stop ends.
func (c *Conn) Hello(stop <-chan struct{}) ([]byte, error) {
	select {
	case p := <-c.hello:
		if len(p) == 0 || p[0] != Version {
			return nil, fmt.Errorf("the other side does not speak version %d", Version)
		}
		return p[1:], nil
	case <-c.done:
		return nil, c.Err()
	case <-stop:
		return nil, ErrSilent
	}
}

// Ping asks the other side for a sign of life. It does not wait.
func (c *Conn) Ping() { c.signal(func(p *pending) { p.ping = true }) }

// Silence is the time since the last frame came in.
func (c *Conn) Silence() time.Duration { return c.age() - time.Duration(c.lastRead.Load()) }

// age is how long the connection is there.
func (c *Conn) age() time.Duration { return c.clock().Sub(c.began) }

// Busy reports whether a call is open.
func (c *Conn) Busy() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.calls) > 0
}

// Done is closed when the connection has ended.
func (c *Conn) Done() <-chan struct{} { return c.done }

// Err returns why the connection ended, or nil while it lives.
func (c *Conn) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Fail ends the connection: every call fails with err.
func (c *Conn) Fail(err error) {
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return
	}
	c.err = err
	calls := c.calls
	c.calls = make(map[uint32]*Call)
	c.mu.Unlock()
	for _, call := range calls {
		call.fail(err)
	}
	close(c.done)
	_ = c.rw.Close()
}

// Close ends the connection and waits for its goroutines, those of accepted calls included.
func (c *Conn) Close() {
	c.Fail(ErrClosed)
	c.wg.Wait()
}

func (c *Conn) touch() { c.lastRead.Store(int64(c.age())) }

func (c *Conn) readLoop() {
	size := readAhead
	if c.accept == nil { // a host may hold hundreds that are idle
		size = readAhead / 16
	}
	r := bufio.NewReaderSize(c.rw, size)
	var header [headerSize]byte
	for {
		f, err := readFrame(r, &header, &c.buffers)
		if err == nil {
			c.touch()
			err = c.dispatch(f)
		}
		if err != nil {
			c.Fail(err)
			return
		}
	}
}

// dispatch passes a frame on. It never waits. An error is a breach of the protocol.
func (c *Conn) dispatch(f *frame) error {
	switch f.kind {
	case kindPing:
		c.signal(func(p *pending) { p.pong = true })
		return nil
	case kindPong:
		return nil
	case kindHello:
		select {
		case c.hello <- f.payload:
			return nil
		default:
			return fmt.Errorf("%w: a second hello", errFrame)
		}
	case kindOpen:
		return c.accepted(f)
	}
	c.mu.Lock()
	call := c.calls[f.call]
	c.mu.Unlock()
	if call == nil {
		return nil // it is over on this side
	}
	switch f.kind {
	case kindData:
		return call.received(f)
	case kindEOF:
		call.receivedEOF()
	case kindCredit:
		if len(f.payload) != 4 {
			return errFrame
		}
		return call.credited(binary.BigEndian.Uint32(f.payload))
	case kindCancel:
		if c.accept != nil {
			call.cancel()
		}
	case kindEnd:
		if c.accept == nil {
			c.forget(call)
			call.ended(f.payload)
		}
	}
	return nil
}

func (c *Conn) accepted(f *frame) error {
	if c.accept == nil || len(f.payload) == 0 {
		return fmt.Errorf("%w: unexpected call", errFrame)
	}
	call := newCall(c, f.call)
	call.ctx, call.cancel = context.WithCancel(context.Background())
	c.mu.Lock()
	_, taken := c.calls[f.call]
	if taken || len(c.calls) >= maxCalls || c.err != nil {
		c.mu.Unlock()
		return fmt.Errorf("%w: too many calls", errFrame)
	}
	c.calls[f.call] = call
	c.mu.Unlock()
	c.wg.Go(func() { c.accept(call, Op(f.payload[0]), f.payload[1:]) })
	return nil
}

func (c *Conn) forget(call *Call) {
	c.mu.Lock()
	delete(c.calls, call.id)
	c.mu.Unlock()
}
