package protocol

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// A writer is how a Conn sends: one Write at a time, by whoever has the turn.
type writer struct {
	turn  chan struct{} // holds a token while nobody writes
	buf   []byte        // belongs to who has the turn
	since atomic.Int64  // age of the connection when the present Write began; notWriting without one

	control chan struct{} // wakes the sender of what is pending
	pending pending       // guarded by the Conn's mu
}

// pending is what is sent without that anybody waits for it: neither the reader
// of the stream nor whoever takes data is held up by the writer.
type pending struct {
	ping, pong bool
	cancels    []uint32
	credits    map[uint32]int // by call
}

const notWriting = -1

func (w *writer) init() {
	w.turn, w.control = make(chan struct{}, 1), make(chan struct{}, 1)
	w.turn <- struct{}{}
	w.since.Store(notWriting)
}

// signal has something sent, without waiting. Pings and pongs on their way are sent once.
func (c *Conn) signal(add func(*pending)) {
	c.mu.Lock()
	add(&c.writer.pending)
	c.mu.Unlock()
	select {
	case c.writer.control <- struct{}{}:
	default:
	}
}

// grant lets the peer send more on a call.
func (c *Conn) grant(call uint32, n int) {
	c.signal(func(p *pending) {
		if p.credits == nil {
			p.credits = make(map[uint32]int)
		}
		p.credits[call] += n
	})
}

func (c *Conn) controlLoop() {
	for {
		select {
		case <-c.writer.control:
		case <-c.done:
			return
		}
		c.mu.Lock()
		p := c.writer.pending
		c.writer.pending = pending{}
		c.mu.Unlock()
		if frames := p.frames(); len(frames) > 0 {
			_ = c.write(nil, frames...)
		}
	}
}

func (p *pending) frames() []*frame {
	var frames []*frame
	for _, call := range p.cancels {
		frames = append(frames, &frame{kind: kindCancel, call: call})
	}
	for call, n := range p.credits {
		frames = append(frames, &frame{kind: kindCredit, call: call, payload: binary.BigEndian.AppendUint32(nil, uint32(n))})
	}
	if p.ping {
		frames = append(frames, &frame{kind: kindPing})
	}
	if p.pong {
		frames = append(frames, &frame{kind: kindPong})
	}
	return frames
}

// write sends encoded frames, then others, with one Write: each wakes every
// process between the two sides. An error ends the connection.
func (c *Conn) write(encoded []byte, frames ...*frame) error {
	if err := c.takeTurn(nil); err != nil {
		return err
	}
	return c.writeNow(encoded, frames...)
}

// takeTurn waits for the turn to write, until stop or the end of the connection.
func (c *Conn) takeTurn(stop <-chan struct{}) error {
	select {
	case <-c.writer.turn:
	case <-c.done:
		return c.Err()
	case <-stop:
		return errStopped
	}
	if err := c.Err(); err != nil {
		c.writer.turn <- struct{}{}
		return err
	}
	return nil
}

var errStopped = errors.New("not its turn")

// writeNow is write for who has the turn, which it gives back.
func (c *Conn) writeNow(encoded []byte, frames ...*frame) error {
	w := &c.writer
	defer func() { w.turn <- struct{}{} }()
	w.buf = append(w.buf[:0], encoded...)
	for _, f := range frames {
		w.buf = appendFrame(w.buf, f)
	}
	w.since.Store(int64(c.age()))
	_, err := c.rw.Write(w.buf)
	w.since.Store(notWriting)
	if cap(w.buf) > 2*maxData {
		w.buf = nil
	}
	if err != nil {
		c.Fail(fmt.Errorf("send: %w", err))
		return c.Err()
	}
	return nil
}

// Takes reports whether the other side takes what is written, as soon as that is
// known: false says that one Write has waited for it during all of d.
func (c *Conn) Takes(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-c.writer.turn:
		c.writer.turn <- struct{}{}
		return true
	case <-c.done:
		return true
	case <-timer.C:
		since := c.writer.since.Load()
		return since == notWriting || c.age()-time.Duration(since) < d
	}
}
