package runner

import (
	"bufio"
	"bytes"
	"context"
	"io"
)

const (
	// maxLine is how much of a line is searched. What is beyond it is
	// skipped, so that a file without line ends takes no memory.
	maxLine = 64 << 10
	// binaryHead is how much of a file is looked at for a NUL, which makes it binary.
	binaryHead = 8000
)

// A lineReader reads a file line by line in bounded memory.
type lineReader struct {
	buf    *bufio.Reader
	number int    // of the present line, from 1
	text   []byte // its first maxLine bytes without the line end; valid until next
	err    error  // why next returned false, unless it was the end of the file
}

func newLineReader(ctx context.Context, f io.Reader) *lineReader {
	return &lineReader{buf: bufio.NewReaderSize(&cancelReader{ctx, f}, maxLine)}
}

// binary reports whether the file does not hold text. It is called before next.
func (r *lineReader) binary() bool {
	head, _ := r.buf.Peek(binaryHead) // an error comes again from next
	return bytes.IndexByte(head, 0) >= 0
}

// next moves to the next line and reports whether there is one.
func (r *lineReader) next() bool {
	if r.err != nil {
		return false
	}
	line, err := r.buf.ReadSlice('\n')
	if len(line) == 0 && err != nil {
		r.end(err)
		return false
	}
	r.number++
	switch {
	case err == nil:
		r.text = bytes.TrimSuffix(line[:len(line)-1], []byte("\r"))
	case err == bufio.ErrBufferFull: //nolint:errorlint // never wrapped
		r.text = bytes.Clone(line)
		for err == bufio.ErrBufferFull { //nolint:errorlint // never wrapped
			_, err = r.buf.ReadSlice('\n')
		}
		r.end(err)
	default:
		r.text = bytes.TrimSuffix(line, []byte("\r"))
		r.end(err)
	}
	return true
}

// end keeps an error for the call of next after the present line. The end of the file needs none: it comes again.
func (r *lineReader) end(err error) {
	if err != io.EOF { //nolint:errorlint // never wrapped
		r.err = err
	}
}

// A cancelReader fails once the context has ended.
type cancelReader struct {
	ctx context.Context
	src io.Reader
}

func (r *cancelReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.src.Read(p)
}
