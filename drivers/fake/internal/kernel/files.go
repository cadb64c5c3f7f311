package kernel

import (
	"errors"
	"io"
	"io/fs"
	"strconv"
	"strings"
	"time"
)

// private is where the numbers begin of descriptors that children do not get.
const private = 1 << 20

// Abs returns the path that a name means to the process.
func (p *Process) Abs(name string) string {
	if name != "" && name[0] != '/' {
		name = strings.TrimSuffix(p.Dir, "/") + "/" + name
	}
	if rest, ok := strings.CutPrefix(name, "/proc/self"); ok && (rest == "" || rest[0] == '/') {
		name = "/proc/" + strconv.Itoa(p.PID) + rest
	}
	return name
}

// Open opens a file and returns the lowest free descriptor. It waits for the other end of a FIFO.
func (p *Process) Open(name string, fl OpenFlags) (int, error) {
	p.check()
	fd, err := p.free(0)
	if err != nil {
		return -1, err
	}
	fl.Mode &^= p.Umask
	d, err := p.open(p.Abs(name), fl)
	p.back()
	if err != nil {
		return -1, err
	}
	p.files[fd] = d
	return fd, nil
}

func (p *Process) open(name string, fl OpenFlags) (*descriptor, error) {
	if number, ok := strings.CutPrefix(name, "/dev/fd/"); ok {
		fd, err := strconv.Atoi(number)
		if err != nil || p.files[fd] == nil {
			return nil, ENOENT
		}
		return p.files[fd].hold(), nil
	}
	f, err := p.kernel.FS.Open(p.User, name, fl)
	if err != nil {
		return nil, err
	}
	n := f.node
	if t := n.mode.Type(); t != 0 && t != fs.ModeDir {
		_ = f.Close() // what is behind it is opened instead
	}
	switch {
	case n.mode&fs.ModeNamedPipe != 0:
		end, err := n.fifo.open(p.killed, fl.Read, fl.Write)
		if err != nil {
			return nil, err
		}
		return describe(end), nil
	case n.device >= DevStdin:
		d := p.files[int(n.device-DevStdin)]
		if d == nil {
			return nil, ENXIO
		}
		return d.hold(), nil
	case n.device != 0:
		return describe(deviceFile(n.device)), nil
	default:
		return describe(f), nil
	}
}

// free returns the lowest free descriptor from a number on.
func (p *Process) free(from int) (int, error) {
	limit := p.kernel.OpenFiles
	if from >= private {
		limit = 2 * private
	}
	for fd := from; fd < limit; fd++ {
		if p.files[fd] == nil {
			return fd, nil
		}
	}
	return -1, EMFILE
}

// Close closes a descriptor.
func (p *Process) Close(fd int) error {
	d := p.files[fd]
	if d == nil {
		return EBADF
	}
	delete(p.files, fd)
	d.release()
	return nil
}

// Dup2 makes to the same file as from.
func (p *Process) Dup2(from, to int) error {
	d := p.files[from]
	switch {
	case d == nil:
		return EBADF
	case from == to:
		return nil
	case to < 0 || to >= p.kernel.OpenFiles && to < private:
		return EBADF
	}
	d.hold()
	_ = p.Close(to)
	p.files[to] = d
	return nil
}

// Save moves a descriptor, which may be closed, to where children do not see it, and returns what Restore wants.
func (p *Process) Save(fd int) (saved int) {
	d := p.files[fd]
	if d == nil {
		return -1
	}
	saved, err := p.free(private)
	if err != nil {
		return -1
	}
	delete(p.files, fd)
	p.files[saved] = d
	return saved
}

// Restore undoes Save.
func (p *Process) Restore(saved, fd int) {
	_ = p.Close(fd)
	if d := p.files[saved]; d != nil {
		delete(p.files, saved)
		p.files[fd] = d
	}
}

// Pipe makes a pipe.
func (p *Process) Pipe() (read, write int, err error) {
	if read, err = p.free(0); err != nil {
		return -1, -1, err
	}
	end := newPipe()
	p.files[read] = describe(&pipeEnd{pipe: end, reads: 1})
	if write, err = p.free(read + 1); err != nil {
		_ = p.Close(read)
		end.join(0, -1)
		return -1, -1, err
	}
	p.files[write] = describe(&pipeEnd{pipe: end, writes: 1})
	return read, write, nil
}

// Text opens a nameless file that holds text, for here-documents.
func (p *Process) Text(text string) (int, error) {
	fd, err := p.free(0)
	if err != nil {
		return -1, err
	}
	node := &inode{mode: 0o600, data: newContent([]byte(text)), room: new(Volume), opens: 1}
	p.files[fd] = describe(&File{fs: p.kernel.FS, node: node, reads: true})
	return fd, nil
}

// IsOpen reports whether a descriptor is open.
func (p *Process) IsOpen(fd int) bool { return p.files[fd] != nil }

// Read reads from a descriptor; the end is io.EOF.
func (p *Process) Read(fd int, b []byte) (int, error) {
	p.check()
	d := p.files[fd]
	if d == nil {
		return 0, EBADF
	}
	n, err := d.read(p.killed, b)
	p.back()
	return n, err
}

// Write writes all of b to a descriptor. A pipe that nobody reads raises SIGPIPE, a file that gets too large SIGXFSZ.
func (p *Process) Write(fd int, b []byte) (int, error) {
	p.checkAt(callCost + time.Duration(len(b))*byteCost)
	d := p.files[fd]
	if d == nil {
		return 0, EBADF
	}
	n, err := d.write(p.killed, b)
	var sig Signal
	switch {
	case errors.Is(err, EPIPE):
		sig = SIGPIPE
	case errors.Is(err, EFBIG) && n == 0:
		sig = SIGXFSZ
	}
	if sig != 0 {
		p.kernel.mu.Lock()
		p.signal(sig)
		p.kernel.mu.Unlock()
	}
	p.back()
	return n, err
}

// Seek sets the position of a regular file.
func (p *Process) Seek(fd int, offset int64, whence int) (int64, error) {
	f, ok := p.regular(fd)
	if !ok {
		return 0, ESPIPE
	}
	return f.Seek(offset, whence)
}

// Truncate sets the size of the file behind a descriptor.
func (p *Process) Truncate(fd int, size int64) error {
	f, ok := p.regular(fd)
	if !ok {
		return EINVAL
	}
	return f.Truncate(size)
}

func (p *Process) regular(fd int) (*File, bool) {
	d := p.files[fd]
	if d == nil {
		return nil, false
	}
	f, ok := d.stream.(*File)
	return f, ok
}

func (p *Process) closeAll() {
	for _, d := range p.files {
		d.release()
	}
	p.files = nil
}

// Stream is a descriptor as other goroutines than the process's may use it: its
// calls return an error once stop is closed. The process must keep it open.
func (p *Process) Stream(fd int, stop <-chan struct{}) io.ReadWriter {
	return rawStream{p.files[fd], stop}
}

type rawStream struct {
	d    *descriptor
	stop <-chan struct{}
}

func (s rawStream) Read(b []byte) (int, error) {
	if s.d == nil {
		return 0, EBADF
	}
	return s.d.read(s.stop, b)
}

func (s rawStream) Write(b []byte) (int, error) {
	if s.d == nil {
		return 0, EBADF
	}
	return s.d.write(s.stop, b)
}
