package kernel

import (
	"errors"
	"io/fs"
	"syscall"
)

// Errno is an error of the imitated kernel. It has Linux's texts and answers
// as a syscall.Errno and for the errors of io/fs on every host.
type Errno syscall.Errno

// The errors, as in errno(3).
const (
	EPERM        = Errno(syscall.EPERM)
	ENOENT       = Errno(syscall.ENOENT)
	ESRCH        = Errno(syscall.ESRCH)
	EBADF        = Errno(syscall.EBADF)
	ECHILD       = Errno(syscall.ECHILD)
	EAGAIN       = Errno(syscall.EAGAIN)
	EACCES       = Errno(syscall.EACCES)
	EEXIST       = Errno(syscall.EEXIST)
	EXDEV        = Errno(syscall.EXDEV)
	ENOMEM       = Errno(syscall.ENOMEM)
	ENOTDIR      = Errno(syscall.ENOTDIR)
	EISDIR       = Errno(syscall.EISDIR)
	EINVAL       = Errno(syscall.EINVAL)
	EMFILE       = Errno(syscall.EMFILE)
	EFBIG        = Errno(syscall.EFBIG)
	ENOSPC       = Errno(syscall.ENOSPC)
	ESPIPE       = Errno(syscall.ESPIPE)
	EPIPE        = Errno(syscall.EPIPE)
	ENAMETOOLONG = Errno(syscall.ENAMETOOLONG)
	ENOTEMPTY    = Errno(syscall.ENOTEMPTY)
	ELOOP        = Errno(syscall.ELOOP)
	ENOEXEC      = Errno(syscall.ENOEXEC)
	EBUSY        = Errno(syscall.EBUSY)
	EINTR        = Errno(syscall.EINTR)
	EROFS        = Errno(syscall.EROFS)
	ENXIO        = Errno(syscall.ENXIO)
)

// Error returns what Linux's strerror does.
func (e Errno) Error() string {
	switch e {
	case EPERM:
		return "Operation not permitted"
	case ENOENT:
		return "No such file or directory"
	case ESRCH:
		return "No such process"
	case EBADF:
		return "Bad file descriptor"
	case ECHILD:
		return "No child processes"
	case EAGAIN:
		return "Resource temporarily unavailable"
	case EACCES:
		return "Permission denied"
	case EEXIST:
		return "File exists"
	case ENOMEM:
		return "Cannot allocate memory"
	case EXDEV:
		return "Invalid cross-device link"
	case ENOTDIR:
		return "Not a directory"
	case EISDIR:
		return "Is a directory"
	case EINVAL:
		return "Invalid argument"
	case EMFILE:
		return "Too many open files"
	case EFBIG:
		return "File too large"
	case ENOSPC:
		return "No space left on device"
	case ESPIPE:
		return "Illegal seek"
	case EPIPE:
		return "Broken pipe"
	case ENAMETOOLONG:
		return "File name too long"
	case ENOTEMPTY:
		return "Directory not empty"
	case ELOOP:
		return "Too many levels of symbolic links"
	case ENOEXEC:
		return "Exec format error"
	case EBUSY:
		return "Device or resource busy"
	case EINTR:
		return "Interrupted system call"
	case EROFS:
		return "Read-only file system"
	case ENXIO:
		return "No such device or address"
	default:
		return "Unknown error"
	}
}

// Is answers for the errors of io/fs.
func (e Errno) Is(target error) bool {
	switch e {
	case ENOENT:
		return target == fs.ErrNotExist
	case EEXIST, ENOTEMPTY:
		return target == fs.ErrExist
	case EACCES, EPERM:
		return target == fs.ErrPermission
	default:
		return false
	}
}

// As gives the number itself.
func (e Errno) As(target any) bool {
	no, ok := target.(*syscall.Errno)
	if ok {
		*no = syscall.Errno(e)
	}
	return ok
}

// Reason returns the text of an error for a command's diagnostic: without a path.
func Reason(err error) string {
	if e, ok := errors.AsType[Errno](err); ok {
		return e.Error()
	}
	return err.Error()
}
