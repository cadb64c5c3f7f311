package core

import "strconv"

// Capture is a writer that keeps the head and the tail of what is written to
// it, for the captured outputs of a Result. Drivers use it; it never fails. It
// must not be used by two goroutines at once.
type Capture struct {
	limit int
	head  []byte
	ring  []byte // the last bytes beyond head; full size is limit - headSize
	next  int    // where the next byte goes once ring is full
	total int64
}

// NewCapture returns a Capture that keeps at most limit bytes, half of them from the head; 0 means DefaultOutputLimit.
func NewCapture(limit int) *Capture {
	if limit <= 0 {
		limit = DefaultOutputLimit
	}
	return &Capture{limit: limit}
}

// Write keeps what fits and counts the rest.
func (c *Capture) Write(p []byte) (int, error) {
	n := len(p)
	c.total += int64(n)
	headSize := c.limit - c.limit/2
	if room := headSize - len(c.head); room > 0 {
		k := min(room, len(p))
		c.head = append(c.head, p[:k]...)
		p = p[k:]
	}
	tailSize := c.limit / 2
	if room := tailSize - len(c.ring); room > 0 {
		k := min(room, len(p))
		c.ring = append(c.ring, p[:k]...)
		p = p[k:]
	}
	if tailSize == 0 {
		return n, nil
	}
	if len(p) > tailSize {
		c.next = (c.next + len(p) - tailSize) % tailSize
		p = p[len(p)-tailSize:]
	}
	for len(p) > 0 {
		k := copy(c.ring[c.next:], p)
		p = p[k:]
		c.next = (c.next + k) % tailSize
	}
	return n, nil
}

// Output returns what was kept so far. The bytes are the caller's.
func (c *Capture) Output() Output {
	tail := append(append([]byte(nil), c.ring[c.next:]...), c.ring[:c.next]...)
	out := Output{Total: c.total, Truncated: c.total > int64(c.limit)}
	out.Head = append([]byte(nil), c.head...)
	if out.Truncated {
		out.Tail = tail
	} else {
		out.Head = append(out.Head, tail...)
	}
	return out
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
