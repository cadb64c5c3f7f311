package runner

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"strings"
	"syscall"

	"github.com/caisson-dev/caisson/core"
)

const (
	dirMode  = 0o755 // of a directory that a verb makes
	fileMode = 0o644 // of a new file, unless the caller says otherwise
)

// locate returns p as an absolute, clean path; a relative one starts at
// workDir. The host has checked the path already; the runner does not rely on it.
func locate(workDir, p string) (string, error) {
	clean, err := core.CleanPath(p)
	if err != nil {
		return "", err
	}
	if !path.IsAbs(clean) {
		clean = path.Join(workDir, clean)
	}
	return clean, nil
}

// locateFile is locate for the path of a file.
func locateFile(workDir, p string) (string, error) {
	if _, err := core.CleanFilePath(p); err != nil {
		return "", err
	}
	return locate(workDir, p)
}

// movable refuses what commands and relative paths stand on: the work directory and what leads to it.
func movable(workDir, file string) error {
	if within(file, path.Clean(workDir)) {
		return &core.Error{Code: core.ErrInvalid, Path: file, Err: errors.New("the work directory must stay where it is")}
	}
	return nil
}

// within reports whether file is dir or lies below it. Both are clean.
func within(dir, file string) bool {
	return file == dir || strings.HasPrefix(file, strings.TrimSuffix(dir, "/")+"/")
}

// join returns the path of the child name of dir, which is clean.
func join(dir, name string) string { return strings.TrimSuffix(dir, "/") + "/" + name }

// makeDirs makes dir and its missing parents, so that their mode does not
// depend on a umask. Symbolic links are followed; one that points at nothing
// gets a directory to point at.
func makeDirs(fsys FS, dir string) error {
	info, err := fsys.Stat(dir)
	switch {
	case err == nil && info.IsDir():
		return nil
	case err == nil:
		return &core.Error{Code: core.ErrExists, Path: dir, Err: errors.New("a file stands where a directory is needed")}
	case codeOf(err) != core.ErrNotFound || dir == "/":
		return FileError(dir, err)
	}
	if err := makeDirs(fsys, path.Dir(dir)); err != nil {
		return err
	}
	target, err := fsys.Resolve(dir)
	if err != nil {
		return FileError(dir, err)
	}
	if err := fsys.Mkdir(target, dirMode); err != nil {
		if now, statErr := fsys.Stat(target); statErr == nil && now.IsDir() {
			return nil // another call was quicker
		}
		return FileError(dir, err)
	}
	made, err := fsys.Lstat(target)
	if err != nil {
		return FileError(dir, err)
	}
	if made.Mode.Perm() == dirMode {
		return nil
	}
	return FileError(dir, fsys.Chmod(target, made.Mode&^fs.ModePerm|dirMode))
}

// regular returns the error for a file whose content cannot be read or replaced, nil for a regular one.
func regular(file string, info *core.FileInfo) error {
	switch {
	case info.Mode.IsRegular():
		return nil
	case info.IsDir():
		return &core.Error{Code: core.ErrIsDirectory, Path: file}
	default:
		return &core.Error{Code: core.ErrNotRegular, Path: file}
	}
}

// FileError gives an error of a file system its code and path. It leaves an
// *core.Error and a context's error as they are, and nil.
func FileError(file string, err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if own, ok := errors.AsType[*core.Error](err); ok {
		if own.Path != "" {
			return err
		}
		c := *own
		c.Path = file
		return &c
	}
	e := &core.Error{Code: codeOf(err), Path: file, Err: err}
	// The reason alone: the errors of package os repeat the path.
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		e.Err = errno
	} else if pe, ok := errors.AsType[*fs.PathError](err); ok {
		e.Err = pe.Err
	}
	return e
}

// codeOf is core.CodeOf for the errors of file systems, of which the standard library names only a few.
func codeOf(err error) core.Code {
	errno, ok := errors.AsType[syscall.Errno](err)
	if !ok {
		return core.CodeOf(err)
	}
	switch errno {
	case syscall.ENOTDIR: // a file where the path has a directory: what is below it does not exist
		return core.ErrNotFound
	case syscall.EISDIR:
		return core.ErrIsDirectory
	case syscall.ENXIO, syscall.ENODEV: // a socket, or a device without a driver
		return core.ErrNotRegular
	case syscall.ENOTEMPTY, syscall.EBUSY, syscall.ETXTBSY:
		return core.ErrConflict
	case syscall.EINVAL, syscall.ELOOP, syscall.ENAMETOOLONG:
		return core.ErrInvalid
	case syscall.EROFS:
		return core.ErrPermission
	case syscall.ENOSPC, syscall.EDQUOT, syscall.ENOMEM, syscall.EMFILE, syscall.ENFILE:
		return core.ErrResource
	case syscall.EFBIG:
		return core.ErrTooLarge
	default:
		return core.CodeOf(err)
	}
}
