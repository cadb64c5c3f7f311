package runner

import (
	"errors"
	"path"
	"syscall"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/guest/protocol"
)

// rename moves a file or a directory and makes the parents of its new place.
// A link is moved or replaced itself. A directory is never replaced, whether
// it is empty or not, nor a file by a directory.
func rename(fsys FS, workDir string, m *protocol.Rename) error {
	from, err := locate(workDir, m.From)
	if err != nil {
		return err
	}
	to, err := locate(workDir, m.To)
	if err != nil {
		return err
	}
	for _, p := range []string{from, to} {
		if err := movable(workDir, p); err != nil {
			return err
		}
	}
	info, err := fsys.Lstat(from)
	switch {
	case err != nil:
		return FileError(from, err)
	case from == to:
		return nil
	case within(from, to) && info.IsDir():
		return &core.Error{Code: core.ErrInvalid, Path: to, Err: errors.New("a directory cannot be moved into itself")}
	}
	if err := makeDirs(fsys, path.Dir(to)); err != nil {
		return err
	}
	if old, err := fsys.Lstat(to); err == nil {
		switch {
		case old.IsDir() && !info.IsDir():
			return &core.Error{Code: core.ErrIsDirectory, Path: to}
		case old.IsDir() || info.IsDir():
			return &core.Error{Code: core.ErrConflict, Path: to, Err: errors.New("it is there already")}
		}
	}
	err = fsys.Rename(from, to)
	if errors.Is(err, syscall.EXDEV) {
		return moveAcross(fsys, info, from, to)
	}
	return FileError(from, err)
}

// moveAcross moves a regular file between file systems, such as /tmp and the
// work directory: the new one is whole before the old one goes.
func moveAcross(fsys FS, info *core.FileInfo, from, to string) error {
	if !info.Mode.IsRegular() {
		e := core.Errorf(core.ErrUnsupported, "", "only regular files can be moved to another file system; run mv")
		e.Path = from
		return e
	}
	f, info, err := openRegular(fsys, from)
	if err != nil {
		return err
	}
	defer f.Close()
	dir, err := fsys.Resolve(path.Dir(to))
	if err != nil {
		return FileError(to, err)
	}
	if err := replace(fsys, join(dir, path.Base(to)), info.Mode.Perm(), f, nil); err != nil {
		return FileError(to, err)
	}
	return removeOne(fsys, from)
}
