package kernel

import (
	"crypto/rand"
	"io"
	"io/fs"
	"sync/atomic"
	"time"

	"github.com/caisson-dev/caisson/core"
)

// stream is an open file. Its calls return errKilled when stop is closed.
type stream interface {
	read(stop <-chan struct{}, b []byte) (int, error)
	write(stop <-chan struct{}, b []byte) (int, error)
	close()
}

// descriptor is a stream that processes share, closed with its last holder.
type descriptor struct {
	stream
	holders atomic.Int32
}

func describe(s stream) *descriptor {
	d := &descriptor{stream: s}
	d.holders.Store(1)
	return d
}

func (d *descriptor) hold() *descriptor {
	d.holders.Add(1)
	return d
}

func (d *descriptor) release() {
	if d.holders.Add(-1) == 0 {
		d.close()
	}
}

// pipeEnd is one end of a pipe, or of a FIFO that was opened for both.
type pipeEnd struct {
	*pipe
	reads, writes int
}

func (e *pipeEnd) read(stop <-chan struct{}, b []byte) (int, error) {
	if e.reads == 0 {
		return 0, EBADF
	}
	return e.pipe.read(stop, b)
}

func (e *pipeEnd) write(stop <-chan struct{}, b []byte) (int, error) {
	if e.writes == 0 {
		return 0, EBADF
	}
	return e.pipe.write(stop, b)
}

func (e *pipeEnd) close() { e.join(-e.reads, -e.writes) }

// deviceFile is an open device.
type deviceFile Device

func (d deviceFile) read(_ <-chan struct{}, b []byte) (int, error) {
	switch Device(d) {
	case DevZero, DevFull:
		clear(b)
	case DevRandom:
		_, _ = rand.Read(b) // it never fails
	default:
		return 0, io.EOF
	}
	return len(b), nil
}

func (d deviceFile) write(_ <-chan struct{}, b []byte) (int, error) {
	if Device(d) == DevFull {
		return 0, ENOSPC
	}
	return len(b), nil
}

func (deviceFile) close() {}

// File is an open file of any kind but a directory's content. It is a stream
// for processes and a file for the runner. The lock of the FS guards its offset as well.
type File struct {
	fs            *FS
	node          *inode
	path          string
	reads, writes bool
	appends       bool
	closed        bool
	offset        int64
	text          []byte // of a file that is made when it is opened
}

// Read reads from where the file stands.
func (f *File) Read(b []byte) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	var n int
	switch {
	case f.node.mode.IsDir():
		return 0, EISDIR
	case !f.reads:
		return 0, EBADF
	case f.node.made != nil:
		n = copy(b, f.text[min(f.offset, int64(len(f.text))):])
	default:
		n = f.node.data.readAt(b, f.offset)
	}
	if n == 0 && len(b) > 0 {
		return 0, io.EOF
	}
	f.offset += int64(n)
	return n, nil
}

// Write writes where the file stands: as much as its size and its volume allow.
func (f *File) Write(b []byte) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if !f.writes {
		return 0, EBADF
	}
	if f.appends {
		f.offset = f.node.data.size
	}
	room := max(f.fs.fileSize-f.offset, 0)
	n, err := f.node.data.writeAt(b[:min(int64(len(b)), room)], f.offset, f.node.room)
	if err == nil && n < len(b) {
		err = EFBIG
	}
	f.offset += int64(n)
	f.node.modified = time.Now()
	return n, err
}

// Seek sets where the file stands.
func (f *File) Seek(offset int64, whence int) (int64, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	switch whence {
	case io.SeekCurrent:
		offset += f.offset
	case io.SeekEnd:
		offset += f.node.data.size
	}
	if offset < 0 {
		return 0, EINVAL
	}
	f.offset = offset
	return offset, nil
}

// Truncate sets the size of the file.
func (f *File) Truncate(size int64) error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	switch {
	case !f.writes || !f.node.mode.IsRegular():
		return EINVAL
	case size > f.fs.fileSize:
		return EFBIG
	}
	f.node.data.truncate(size, f.node.room)
	f.node.modified = time.Now()
	return nil
}

// Stat describes the file.
func (f *File) Stat() (*core.FileInfo, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	info := f.node.info(f.path).FileInfo
	return &info, nil
}

// Made reports that the file has no content but what the kernel makes up, as in /proc.
func (f *File) Made() bool { return f.node.made != nil }

// Close gives the file back.
func (f *File) Close() error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if !f.closed {
		f.closed = true
		f.node.opens--
		f.node.giveBack()
	}
	return nil
}

func (f *File) read(_ <-chan struct{}, b []byte) (int, error)  { return f.Read(b) }
func (f *File) write(_ <-chan struct{}, b []byte) (int, error) { return f.Write(b) }
func (f *File) close()                                         { _ = f.Close() }

// OpenFlags say how a file is opened.
type OpenFlags struct {
	Read, Write, Append, Create, Truncate, Exclusive bool
	Mode                                             fs.FileMode // of a new file
}

// Open opens a file. It does not wait for the other end of a FIFO, and reads nothing from a device.
func (f *FS) Open(u User, name string, fl OpenFlags) (*File, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	at, err := f.walk(u, name, !fl.Exclusive)
	if err != nil {
		return nil, err
	}
	n := at.node
	switch {
	case n == nil && !fl.Create:
		return nil, ENOENT
	case n == nil:
		if n, err = f.add(u, at, fl.Mode.Perm()); err != nil {
			return nil, err
		}
	case fl.Exclusive:
		return nil, EEXIST
	case n.mode.IsDir() && fl.Write:
		return nil, EISDIR
	case n.mode&fs.ModeSocket != 0:
		return nil, ENXIO
	default:
		if err := n.check(u, fl.want()); err != nil {
			return nil, err
		}
		if fl.Truncate && n.mode.IsRegular() {
			n.data.truncate(0, n.room)
			n.modified = time.Now()
		}
	}
	n.opens++
	file := &File{fs: f, node: n, path: at.path, reads: fl.Read, writes: fl.Write, appends: fl.Append}
	if n.made != nil {
		file.text = []byte(n.made())
	}
	return file, nil
}

func (fl OpenFlags) want() (want fs.FileMode) {
	if fl.Read {
		want |= MayRead
	}
	if fl.Write {
		want |= MayWrite
	}
	return want
}
