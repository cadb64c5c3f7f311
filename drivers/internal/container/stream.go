package container

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Demux reads the standard output of a program from the stream that both
// engines send it in. Each frame of that has a header of 8 bytes: which output,
// three zeros, and the length in big endian
// (https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container/operation/ContainerAttach).
// What the program wrote to standard error ends up in the error that Read returns at the end.
type Demux struct {
	src     io.Reader
	left    uint32 // of the frame being read
	started bool   // the program has written something
	stderr  tail
}

// demuxBuffer holds one of the pieces in which Podman sends output, with its
// header. What is larger is read around it, and hundreds of idle sandboxes have one each.
const demuxBuffer = 8<<10 + 8

// NewDemux returns a Demux that reads from src.
func NewDemux(src io.Reader) *Demux { return &Demux{src: bufio.NewReaderSize(src, demuxBuffer)} }

const (
	frameStdout = 1
	frameStderr = 2
	frameSystem = 3 // the engine's own words
)

// Read reads standard output.
func (d *Demux) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for d.left == 0 {
		var header [8]byte
		if _, err := io.ReadFull(d.src, header[:]); err != nil {
			return 0, d.end(err)
		}
		size := binary.BigEndian.Uint32(header[4:])
		switch header[0] {
		case frameStdout:
			d.left = size
			if err := d.notStarted(); err != nil {
				return 0, err
			}
		case frameStderr, frameSystem:
			if _, err := io.CopyN(&d.stderr, d.src, int64(size)); err != nil {
				return 0, d.end(err)
			}
		default:
			return 0, errors.New("engine's stream is damaged: unknown kind of frame")
		}
	}
	n, err := d.src.Read(p[:min(len(p), int(d.left))])
	d.left -= uint32(n)
	if err != nil && n == 0 {
		return 0, d.end(err)
	}
	return n, nil
}

// execFailed begins what Docker sends as the program's output when it cannot be
// started. A runner's first byte is the kind of a frame, which no letter is.
const execFailed = "OCI runtime exec failed"

// notStarted looks at the first output, and returns the engine's words if the program did not start.
func (d *Demux) notStarted() error {
	if d.started {
		return nil
	}
	d.started = true
	first := make([]byte, min(int(d.left), len(execFailed)))
	if _, err := io.ReadFull(d.src, first); err != nil {
		return d.end(err)
	}
	if string(first) != execFailed {
		d.src = io.MultiReader(bytes.NewReader(first), d.src)
		return nil
	}
	rest, _ := io.ReadAll(io.LimitReader(d.src, min(int64(d.left)-int64(len(first)), tailSize)))
	return errors.New(string(bytes.Join(bytes.Fields(append(first, rest...)), []byte(" "))))
}

func (d *Demux) end(err error) error {
	if text := d.stderr.text(); text != "" {
		return fmt.Errorf("%w: %s", err, text)
	}
	return err
}

// tail keeps the last bytes written to it.
type tail struct{ buf []byte }

const tailSize = 1 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.buf = append(t.buf, p...)
	if len(t.buf) > tailSize {
		t.buf = append(t.buf[:0], t.buf[len(t.buf)-tailSize:]...)
	}
	return len(p), nil
}

// text returns what was kept as one line.
func (t *tail) text() string {
	return string(bytes.Join(bytes.Fields(t.buf), []byte(" ")))
}
