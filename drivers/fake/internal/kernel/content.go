package kernel

import (
	"bytes"
	"slices"
)

// content is the bytes of a regular file, in chunks so that holes cost
// nothing and a file that grows is not copied.
type content struct {
	size   int64
	chunks map[int64][]byte // by number; what a chunk lacks at its end is zero
	used   int64            // bytes held, as charged to the volume
}

const chunkSize = 64 << 10

// zeros is the chunk of all who hold nothing else, so that they hold no memory.
var zeros [chunkSize]byte

// shared reports whether a chunk is part of zeros, or nothing at all.
func shared(chunk []byte) bool { return len(chunk) == 0 || &chunk[0] == &zeros[0] }

func newContent(data []byte) content {
	var c content
	_, _ = c.writeAt(data, 0, &Volume{limit: int64(len(data))})
	return c
}

// readAt copies what is there at off to b.
func (c *content) readAt(b []byte, off int64) int {
	n := 0
	for n < len(b) && off < c.size {
		in := off % chunkSize
		part := b[n:min(int64(len(b)), int64(n)+min(chunkSize-in, c.size-off))]
		clear(part)
		if chunk := c.chunks[off/chunkSize]; in < int64(len(chunk)) {
			copy(part, chunk[in:])
		}
		n += len(part)
		off += int64(len(part))
	}
	return n
}

// writeAt writes as much of b as the volume has room for.
func (c *content) writeAt(b []byte, off int64, room *Volume) (int, error) {
	for n := 0; ; {
		if n == len(b) {
			return n, nil
		}
		number, in := off/chunkSize, off%chunkSize
		part := b[n:min(int64(len(b)), int64(n)+chunkSize-in)]
		chunk := c.chunks[number]
		if more := in + int64(len(part)) - int64(len(chunk)); more > 0 {
			lack := more - min(more, room.left())
			if lack >= int64(len(part)) {
				return n, ENOSPC
			}
			part, more = part[:int64(len(part))-lack], more-lack
			room.take(more)
			c.used += more
		}
		chunk = put(chunk, part, in)
		if c.chunks == nil {
			c.chunks = make(map[int64][]byte)
		}
		c.chunks[number] = chunk
		n += len(part)
		off += int64(len(part))
		c.size = max(c.size, off)
	}
}

// put returns the chunk with part at in.
func put(chunk, part []byte, in int64) []byte {
	size := max(int64(len(chunk)), in+int64(len(part)))
	if shared(chunk) {
		if bytes.Equal(part, zeros[:len(part)]) {
			return zeros[:size]
		}
		chunk = slices.Clone(chunk)
	}
	chunk = append(chunk, make([]byte, size-int64(len(chunk)))...)
	copy(chunk[in:], part)
	return chunk
}

// truncate sets the size and gives back what lay beyond it.
func (c *content) truncate(size int64, room *Volume) {
	for number, chunk := range c.chunks {
		keep := min(max(size-number*chunkSize, 0), int64(len(chunk)))
		gone := int64(len(chunk)) - keep
		room.take(-gone)
		c.used -= gone
		if keep == 0 {
			delete(c.chunks, number)
		} else {
			c.chunks[number] = chunk[:keep:keep]
		}
	}
	c.size = size
}

// bytes returns a copy of all of it.
func (c *content) bytes() []byte {
	b := make([]byte, c.size)
	c.readAt(b, 0)
	return b
}
