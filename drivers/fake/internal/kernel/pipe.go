package kernel

import (
	"errors"
	"io"
	"sync"
)

// pipe is a pipe or a FIFO: a bounded buffer between processes. Its zero value has no end open.
type pipe struct {
	mu       sync.Mutex
	buf      []byte
	readers  int
	writers  int
	opened   [2]int // how often it was opened for reading and for writing
	put, got int64  // bytes written and read so far
	drained  bool   // what is written is dropped
	changed  event
}

const (
	pipeSize = 64 << 10 // bytes that a pipe holds
	pipeUnit = 4 << 10  // writes of up to this many bytes are never mixed
)

// errKilled is what a call returns whose process was killed.
var errKilled = errors.New("killed")

// newPipe returns a pipe with both ends open.
func newPipe() *pipe { return &pipe{readers: 1, writers: 1} }

// join adds to the number of readers and writers; negative numbers take away.
func (p *pipe) join(readers, writers int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.readers += readers
	p.writers += writers
	p.opened[0] += max(readers, 0)
	p.opened[1] += max(writers, 0)
	if p.readers == 0 && p.writers == 0 {
		p.buf = nil
	}
	p.changed.fire()
}

// await waits until cond is true and returns with the lock held. It returns
// errKilled, without the lock, when stop is closed first. Cond is called with the lock held.
func (p *pipe) await(stop <-chan struct{}, cond func() bool) error {
	for {
		p.mu.Lock()
		if cond() {
			return nil
		}
		changed := p.changed.next()
		p.mu.Unlock()
		select {
		case <-changed:
		case <-stop:
			return errKilled
		}
	}
}

// open opens a FIFO and waits for its other end, as open(2) does.
func (p *pipe) open(stop <-chan struct{}, read, write bool) (*pipeEnd, error) {
	end := &pipeEnd{pipe: p}
	if read {
		end.reads = 1
	}
	if write {
		end.writes = 1
	}
	p.mu.Lock()
	before := p.opened
	p.mu.Unlock()
	p.join(end.reads, end.writes)
	if read && write {
		return end, nil
	}
	// The other end may have been opened and closed again meanwhile; that counts too.
	there := func() bool { return p.writers > 0 || p.opened[1] > before[1] }
	if write {
		there = func() bool { return p.readers > 0 || p.opened[0] > before[0] }
	}
	if err := p.await(stop, there); err != nil {
		end.close()
		return nil, err
	}
	p.mu.Unlock()
	return end, nil
}

// read waits for data or for the last writer to go.
func (p *pipe) read(stop <-chan struct{}, b []byte) (int, error) {
	if err := p.await(stop, func() bool { return len(p.buf) > 0 || p.writers == 0 }); err != nil {
		return 0, err
	}
	defer p.mu.Unlock()
	if len(p.buf) == 0 {
		return 0, io.EOF
	}
	n := copy(b, p.buf)
	p.buf = p.buf[n:]
	p.got += int64(n)
	p.changed.fire()
	return n, nil
}

// write waits for room as long as there is a reader.
func (p *pipe) write(stop <-chan struct{}, b []byte) (int, error) {
	need := 1
	if len(b) <= pipeUnit {
		need = len(b)
	}
	written := 0
	for written < len(b) {
		if err := p.await(stop, func() bool { return p.readers == 0 || p.drained || pipeSize-len(p.buf) >= need }); err != nil {
			return written, err
		}
		switch {
		case p.drained:
			written = len(b)
		case p.readers == 0:
			p.mu.Unlock()
			return written, EPIPE
		default:
			n := min(len(b)-written, pipeSize-len(p.buf))
			p.buf = append(p.buf, b[written:written+n]...)
			written += n
			p.put += int64(n)
			p.changed.fire()
		}
		p.mu.Unlock()
	}
	return written, nil
}

// drain makes the pipe drop everything that is in it or will be written.
func (p *pipe) drain() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.drained, p.buf = true, nil
	p.changed.fire()
}

// pumpOut copies what is written to the pipe to dst. It returns when end is
// closed and dst has all that was written before that, or when there are no
// more writers; from then on the pipe drops what is written. If dst fails,
// failed is called and the rest is dropped.
func (p *pipe) pumpOut(dst io.Writer, end <-chan struct{}, failed func()) {
	defer p.drain()
	buf := make([]byte, pipeSize/2)
	for {
		n, err := p.read(end, buf)
		if errors.Is(err, errKilled) {
			break
		}
		if err != nil {
			return
		}
		if _, err := dst.Write(buf[:n]); err != nil {
			failed()
			return
		}
	}
	p.mu.Lock()
	rest := p.buf
	p.buf, p.drained = nil, true
	p.changed.fire()
	p.mu.Unlock()
	if len(rest) > 0 {
		_, _ = dst.Write(rest) // nothing is left to be ended
	}
}

// pumpIn copies src to the pipe until src or stop ends, and is then no longer a
// writer. A src that fails has no end that the pipe's reader could take for it.
func (p *pipe) pumpIn(src io.Reader, stop <-chan struct{}) {
	defer p.join(0, -1)
	buf := make([]byte, pipeSize/2)
	for {
		n, err := src.Read(buf)
		if n > 0 {
			if _, werr := p.write(stop, buf[:n]); werr != nil {
				return
			}
		}
		if err != nil {
			if !errors.Is(err, io.EOF) {
				<-stop
			}
			return
		}
	}
}
