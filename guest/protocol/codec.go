package protocol

import (
	"encoding/binary"

	"github.com/caisson-dev/caisson/core"
)

// Message is a payload that can be sent: its fields in order, integers as
// varints and texts with their length before them.
type Message interface {
	encode(*encoder)
	decode(*decoder)
}

// Marshal returns the message's bytes.
func Marshal(m Message) []byte {
	var e encoder
	m.encode(&e)
	return e.buf
}

// errMessage is the error for bytes that are not the message expected.
var errMessage = core.Errorf(core.ErrProtocol, "", "malformed message")

// Unmarshal reads a message from exactly the bytes p.
func Unmarshal(p []byte, m Message) error {
	d := decoder{buf: p}
	m.decode(&d)
	if d.bad || len(d.buf) > 0 {
		return errMessage
	}
	return nil
}

// MarshalAnswer returns an answer or, if err is not nil, the error as the end of a call.
func MarshalAnswer(m Message, err error) []byte {
	var e encoder
	e.bool(err != nil)
	if err != nil {
		failureOf(err).encode(&e)
	} else {
		m.encode(&e)
	}
	return e.buf
}

// UnmarshalAnswer reads the end of a call: into m, or as the error that it carries.
func UnmarshalAnswer(p []byte, m Message) error {
	d := decoder{buf: p}
	if failed := d.bool(); failed {
		var f failure
		f.decode(&d)
		if !d.bad && len(d.buf) == 0 && f.code != "" {
			return f.error()
		}
		return errMessage
	}
	if d.bad {
		return errMessage
	}
	return Unmarshal(d.buf, m)
}

type encoder struct{ buf []byte }

func (e *encoder) int(n int64)  { e.buf = binary.AppendVarint(e.buf, n) }
func (e *encoder) str(s string) { e.int(int64(len(s))); e.buf = append(e.buf, s...) }
func (e *encoder) bool(b bool) {
	var v byte
	if b {
		v = 1
	}
	e.buf = append(e.buf, v)
}

func (e *encoder) strs(list []string) {
	e.int(int64(len(list)))
	for _, s := range list {
		e.str(s)
	}
}

// A decoder reads fields; after the first that is not there all are zero and bad is set.
type decoder struct {
	buf []byte
	bad bool
}

func (d *decoder) fail() { d.buf, d.bad = nil, true }

func (d *decoder) int() int64 {
	n, k := binary.Varint(d.buf)
	if k <= 0 {
		d.fail()
		return 0
	}
	d.buf = d.buf[k:]
	return n
}

// count reads the length of a list. Each element takes a byte at least, so a larger one is a lie.
func (d *decoder) count() int {
	n := d.int()
	if n < 0 || n > int64(len(d.buf)) {
		d.fail()
		return 0
	}
	return int(n)
}

// atMost is count for a list with a bound of its own.
func (d *decoder) atMost(most int) int {
	n := d.count()
	if n > most {
		d.fail()
		return 0
	}
	return n
}

func (d *decoder) str() string {
	n := d.count()
	s := string(d.buf[:n])
	d.buf = d.buf[n:]
	return s
}

func (d *decoder) bool() bool {
	if len(d.buf) == 0 || d.buf[0] > 1 {
		d.fail()
		return false
	}
	b := d.buf[0] == 1
	d.buf = d.buf[1:]
	return b
}

func (d *decoder) strs(most int) []string {
	var list []string
	for range d.atMost(most) {
		list = append(list, d.str())
	}
	return list
}
