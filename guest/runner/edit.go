package runner

import (
	"bytes"
	"errors"
	"io"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/guest/protocol"
)

// maxEdit bounds the bytes of a file that is edited, before and after.
const maxEdit = 16 << 20

// edit replaces literal text in a file, byte by byte whatever its encoding. It
// writes the new file beside the old one and swaps them, as upload does. If
// the file changed between its reading and the swap, edit returns ErrConflict
// and has changed nothing; two edits at once must be kept apart by the caller.
func edit(fsys FS, workDir string, m *protocol.Edit) (*protocol.Count, error) {
	file, err := locateFile(workDir, m.Path)
	if err != nil {
		return nil, err
	}
	if m.Old == "" {
		return nil, &core.Error{Code: core.ErrInvalid, Path: file, Err: errors.New("the text to replace is empty")}
	}
	target, old, err := destination(fsys, file)
	switch {
	case err != nil:
		return nil, FileError(file, err)
	case old == nil:
		return nil, &core.Error{Code: core.ErrNotFound, Path: file}
	}
	content, err := readSmall(fsys, target)
	if err != nil {
		return nil, FileError(file, err)
	}
	edited, n, err := substitute(content, m.Old, m.New, m.All)
	if err != nil {
		return nil, FileError(file, err)
	}
	if bytes.Equal(edited, content) {
		return &protocol.Count{N: n}, nil
	}
	unchanged := func() error {
		now, err := fsys.Lstat(target)
		if err == nil && (now.Size != old.Size || !now.ModTime.Equal(old.ModTime)) {
			err = core.Errorf(core.ErrConflict, "", "the file changed meanwhile; read it again")
		}
		return err
	}
	if err := replace(fsys, target, old.Mode.Perm(), bytes.NewReader(edited), unchanged); err != nil {
		return nil, FileError(file, err)
	}
	return &protocol.Count{N: n}, nil
}

// readSmall returns the content of a file that is small enough to be edited.
func readSmall(fsys FS, file string) ([]byte, error) {
	f, info, err := openRegular(fsys, file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info.Size > maxEdit {
		return nil, tooLarge("", info.Size, maxEdit)
	}
	content, err := io.ReadAll(io.LimitReader(f, maxEdit+1))
	if err == nil && len(content) > maxEdit {
		err = tooLarge("", int64(len(content)), maxEdit)
	}
	return content, err
}
