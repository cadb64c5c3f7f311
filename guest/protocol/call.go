package protocol

import (
	"context"
	"errors"
	"io"
	"math"
	"sync"
)

// Call is one request and all that belongs to it. Receive may be called from
// one goroutine at a time; the other methods from many.
type Call struct {
	conn *Conn
	id   uint32

	mu       sync.Mutex
	changed  sync.Cond
	queue    []Data
	unacked  int // cost of what was taken from the queue and not yet credited
	buffered int // cost of what the peer has sent and was not credited for
	eof      bool
	credit   int    // what this side may still send
	deferred []byte // frames that go out before the next one
	err      error
	broken   bool

	end    []byte
	over   chan struct{}   // closed at the end or failure of the call
	ctx    context.Context // of an accepted call
	cancel context.CancelFunc
	once   sync.Once
}

// Data is one piece of a call's bytes. They are the receiver's, until it calls Release if it does.
type Data struct {
	Channel Channel
	Bytes   []byte
	from    *buffers
}

// Release gives the memory of Bytes back for other data. It may be called once
// at most, by a receiver that keeps no part of them; without it the collector does the work.
func (d *Data) Release() {
	d.from.put(d.Bytes)
	d.Bytes, d.from = nil, nil
}

// ErrBroken is what Send returns when the other side does not take the data of a cancelled call.
var ErrBroken = errors.New("call is over")

func newCall(c *Conn, id uint32) *Call {
	call := &Call{conn: c, id: id, credit: window, over: make(chan struct{})}
	call.changed.L = &call.mu
	return call
}

// Send sends bytes on a channel, waiting for the other side to make room. It does not keep p.
func (c *Call) Send(ch Channel, p []byte) error {
	for len(p) > 0 {
		n := min(len(p), maxData)
		if err := c.spend(cost(n)); err != nil {
			return err
		}
		if err := c.write(&frame{kind: kindData, channel: ch, call: c.id, payload: p[:n]}); err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}

// Defer is Send for a piece after which the call soon sends something else: if
// it is small, the two go out together.
func (c *Call) Defer(ch Channel, p []byte) error {
	c.mu.Lock()
	small := len(c.deferred)+len(p) <= maxDeferred
	c.mu.Unlock()
	if !small {
		return c.Send(ch, p)
	}
	if err := c.spend(cost(len(p))); err != nil {
		return err
	}
	c.mu.Lock()
	c.deferred = appendFrame(c.deferred, &frame{kind: kindData, channel: ch, call: c.id, payload: p})
	c.mu.Unlock()
	return nil
}

// write sends a frame of the call, after those that were deferred.
func (c *Call) write(f *frame) error {
	c.mu.Lock()
	before := c.deferred
	c.deferred = nil
	c.mu.Unlock()
	return c.conn.write(before, f)
}

func (c *Call) spend(n int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.credit < n && c.err == nil && !c.broken && c.end == nil {
		c.changed.Wait()
	}
	switch {
	case c.err != nil:
		return c.err
	case c.broken || c.end != nil:
		return ErrBroken
	}
	c.credit -= n
	return nil
}

// CloseSend tells the other side that no more data comes.
func (c *Call) CloseSend() error { return c.write(&frame{kind: kindEOF, call: c.id}) }

// Receive returns the next data, io.EOF when the other side has closed its
// direction or ended the call, or the error that the connection ended with.
func (c *Call) Receive() (Data, error) {
	c.mu.Lock()
	for len(c.queue) == 0 && !c.eof && c.end == nil && c.err == nil && !c.broken {
		c.changed.Wait()
	}
	if len(c.queue) == 0 {
		defer c.mu.Unlock()
		switch {
		case c.end != nil || c.eof:
			return Data{}, io.EOF
		case c.err != nil:
			return Data{}, c.err
		default:
			return Data{}, ErrBroken
		}
	}
	d := c.queue[0]
	c.queue[0] = Data{}
	c.queue = c.queue[1:]
	c.unacked += cost(len(d.Bytes))
	grant := 0
	if c.unacked >= window/4 && c.end == nil && !c.eof {
		grant, c.unacked = c.unacked, 0
		c.buffered -= grant
	}
	c.mu.Unlock()
	if grant > 0 {
		c.conn.grant(c.id, grant)
	}
	return d, nil
}

// End ends an accepted call with an answer, as MarshalAnswer makes it.
func (c *Call) End(answer []byte) error {
	c.conn.forget(c)
	c.Break()
	return c.write(&frame{kind: kindEnd, call: c.id, payload: answer})
}

// Cancel asks the guest to end the call. It does not wait.
func (c *Call) Cancel() {
	c.once.Do(func() {
		c.conn.signal(func(p *pending) { p.cancels = append(p.cancels, c.id) })
	})
}

// Context ends when the host has cancelled an accepted call, or is gone.
func (c *Call) Context() context.Context { return c.ctx }

// Over is closed when the guest has ended the call or the connection has failed.
func (c *Call) Over() <-chan struct{} { return c.over }

// Answer reads the end of the call into m once Over is closed.
func (c *Call) Answer(m Message) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.end == nil {
		return c.err
	}
	return UnmarshalAnswer(c.end, m)
}

// Break makes every Send and Receive of this side that waits return ErrBroken.
func (c *Call) Break() {
	c.mu.Lock()
	c.broken = true
	c.changed.Broadcast()
	c.mu.Unlock()
}

// Forget releases a call of which nothing more is wanted.
func (c *Call) Forget() {
	c.conn.forget(c)
	c.Break()
}

func (c *Call) received(f *frame) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.buffered += cost(len(f.payload))
	if c.buffered > window || c.eof {
		return errFrame
	}
	if !c.broken {
		c.queue = append(c.queue, Data{Channel: f.channel, Bytes: f.payload, from: &c.conn.buffers})
	}
	c.changed.Broadcast()
	return nil
}

func (c *Call) receivedEOF() {
	c.mu.Lock()
	c.eof = true
	c.changed.Broadcast()
	c.mu.Unlock()
}

func (c *Call) credited(n uint32) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n > math.MaxInt32 || c.credit+int(n) > window {
		return errFrame
	}
	c.credit += int(n)
	c.changed.Broadcast()
	return nil
}

func (c *Call) ended(answer []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.end != nil || c.err != nil {
		return
	}
	if answer == nil {
		answer = []byte{}
	}
	c.end = answer
	close(c.over)
	c.changed.Broadcast()
}

func (c *Call) fail(err error) {
	if errors.Is(err, io.EOF) { // of the stream, which is no end of what the call carries
		err = io.ErrUnexpectedEOF
	}
	c.mu.Lock()
	if c.end == nil && c.err == nil {
		c.err = err
		close(c.over)
		c.changed.Broadcast()
	}
	c.mu.Unlock()
	if c.conn.accept != nil {
		c.cancel()
	}
}

// Ended reports whether the guest has ended the call, rather than the connection.
func (c *Call) Ended() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.end != nil
}
