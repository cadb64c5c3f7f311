package runner

import (
	"context"
	"errors"
	"io"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/guest/protocol"
)

const chunkSize = 64 << 10 // bytes of a file that are handled at a time

// read sends the selected part of a file to dst. It calls begin with the number
// of bytes that are selected now, once it is sure that there is something to
// read; an error before that is about the file, one after it about the
// transfer. A file that grows is read to its new end, but never beyond
// m.MaxSize, where the error is ErrTooLarge.
func read(ctx context.Context, fsys FS, workDir string, m *protocol.Read, begin func(size int64) error, dst io.Writer) error {
	file, err := locateFile(workDir, m.Path)
	if err != nil {
		return err
	}
	f, info, err := openRegular(fsys, file)
	if err != nil {
		return err
	}
	defer f.Close()
	size := max(info.Size-m.Offset, 0)
	if m.Limit > 0 {
		size = min(size, m.Limit)
	}
	if m.MaxSize > 0 && size > m.MaxSize {
		return tooLarge(file, size, m.MaxSize)
	}
	if m.Offset > 0 && m.Offset >= info.Size { // perhaps further than the file system can seek
		return begin(0)
	}
	if m.Offset > 0 {
		if _, err := f.Seek(m.Offset, io.SeekStart); err != nil {
			return FileError(file, err)
		}
	}
	if err := begin(size); err != nil {
		return err
	}
	return FileError(file, send(ctx, file, f, m, dst))
}

// send copies from f, which stands at the offset, what the limits let through.
func send(ctx context.Context, file string, f File, m *protocol.Read, dst io.Writer) error {
	buf := make([]byte, chunkSize)
	for sent := int64(0); m.Limit == 0 || sent < m.Limit; {
		if err := ctx.Err(); err != nil {
			return err
		}
		room := buf
		if m.Limit > 0 {
			room = room[:min(int64(len(room)), m.Limit-sent)]
		}
		n, err := f.Read(room)
		if m.MaxSize > 0 && int64(n) > m.MaxSize-sent {
			return tooLarge(file, sent+int64(n), m.MaxSize)
		}
		if n > 0 {
			if _, err := dst.Write(room[:n]); err != nil {
				return err
			}
			sent += int64(n)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// openRegular opens a regular file and describes it. Another kind is refused
// before it is opened, because that alone can have an effect on a device, and
// again after it, in case that the path meanwhile leads elsewhere.
func openRegular(fsys FS, file string) (File, *core.FileInfo, error) {
	info, err := fsys.Stat(file)
	if err != nil {
		return nil, nil, FileError(file, err)
	}
	if err := regular(file, info); err != nil {
		return nil, nil, err
	}
	f, err := fsys.Open(file)
	if err != nil {
		return nil, nil, FileError(file, err)
	}
	info, err = f.Stat()
	if err == nil {
		err = regular(file, info)
	}
	if err != nil {
		f.Close()
		return nil, nil, FileError(file, err)
	}
	return f, info, nil
}

func tooLarge(file string, size, limit int64) error {
	e := core.Errorf(core.ErrTooLarge, "", "%d bytes or more, where at most %d are wanted", size, limit)
	e.Path = file
	return e
}
