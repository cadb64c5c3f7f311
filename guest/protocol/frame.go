package protocol

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
)

// kind is what a frame does.
type kind byte

const (
	kindHello  kind = iota + 1 // first in each direction: Config, then Facts
	kindPing                   // asks for a pong
	kindPong                   //
	kindOpen                   // host: begins a call; an Op, then its message
	kindData                   // bytes of a call, on the frame's channel
	kindEOF                    // no more data from this side
	kindCredit                 // the peer may send this much more
	kindCancel                 // host: end the call, killing what it started
	kindEnd                    // guest: the call is over; an answer or an error
)

// Channel tells the byte streams of a call apart.
type Channel byte

// The channels.
const (
	Content Channel = iota // standard input, file content, the answer of a verb
	Stdout
	Stderr
	Begin // the answer that comes before the content
)

const (
	headerSize  = 10       // kind, channel, call, length
	maxData     = 64 << 10 // bytes of a frame's payload, but for the first ones of a call
	maxOpen     = 4 << 20  // bytes of a kindOpen or kindHello payload
	maxDeferred = maxData  // bytes that wait for the next frame
	// MaxWhole bounds what a call is opened with, in bytes.
	MaxWhole = 32 << 10
	// window is how much one side may send on a call before the other has
	// taken it: the bound of what is buffered for a slow reader.
	window = 1 << 20
	// frameCost is charged for each data frame beside its payload, so that tiny ones cannot fill memory.
	frameCost = 64
)

type frame struct {
	kind    kind
	channel Channel
	call    uint32
	payload []byte
}

var errFrame = errors.New("malformed frame")

func appendFrame(buf []byte, f *frame) []byte {
	buf = append(buf, byte(f.kind), byte(f.channel))
	buf = binary.BigEndian.AppendUint32(buf, f.call)
	buf = binary.BigEndian.AppendUint32(buf, uint32(len(f.payload)))
	return append(buf, f.payload...)
}

// readFrame reads one frame. The payload is the caller's; a large one is from buffers if that is not nil.
func readFrame(r io.Reader, header *[headerSize]byte, buffers *buffers) (*frame, error) {
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return nil, err
	}
	f := &frame{kind: kind(header[0]), channel: Channel(header[1]), call: binary.BigEndian.Uint32(header[2:])}
	size, limit := binary.BigEndian.Uint32(header[6:]), uint32(maxData)
	switch f.kind {
	case kindHello, kindOpen:
		limit = maxOpen
	case kindPing, kindPong, kindEOF, kindCancel:
		limit = 0
	case kindCredit:
		limit = 4
	case kindData, kindEnd:
	default:
		return nil, fmt.Errorf("%w: kind %d", errFrame, f.kind)
	}
	if size > limit || f.channel > Begin {
		return nil, fmt.Errorf("%w: kind %d with %d bytes on channel %d", errFrame, f.kind, size, f.channel)
	}
	if size > 0 {
		f.payload = buffers.get(int(size))
		if _, err := io.ReadFull(r, f.payload); err != nil {
			return nil, fmt.Errorf("%w: cut off", errFrame)
		}
	}
	return f, nil
}

// buffers keeps the payloads of data that was taken, for what comes next. With
// none of it gigabytes of garbage would outrun the collector. Small payloads
// are not worth it: each would hold a whole buffer. A nil one keeps nothing.
type buffers struct{ pool sync.Pool }

const pooledSize = maxData / 2 // bytes; a smaller payload gets memory of its own

func (b *buffers) get(size int) []byte {
	if b == nil || size < pooledSize || size > maxData {
		return make([]byte, size)
	}
	buf, ok := b.pool.Get().(*[maxData]byte)
	if !ok {
		buf = new([maxData]byte)
	}
	return buf[:size]
}

func (b *buffers) put(p []byte) {
	if b != nil && cap(p) == maxData {
		b.pool.Put((*[maxData]byte)(p[:maxData]))
	}
}

func cost(n int) int { return n + frameCost }
