package core

import (
	"context"
	"io"
)

// Backend is one live sandbox. All methods may be called from many goroutines
// at once. Every error is an [*Error] or wraps one, except that a context that
// ended is reported by an error that answers errors.Is for the context's own
// error as well.
//
// Users hold a [*Sandbox], which checks arguments before it calls the driver's
// Backend; so an implementation may assume that paths are absolute or relative
// to the work directory and free of NUL, that options are not nil and that a
// command is valid.
type Backend interface {
	// Execute runs one command and returns when the command itself has ended;
	// its background children live on until Stop and do not delay it. A
	// non-zero exit, a signal, a timeout and a missing program are a Result,
	// not an error. When ctx ends, every process of the command is killed and
	// Execute returns the partial Result together with the context's error.
	// An error with the code ErrIndeterminate means that the command may have
	// run; it is never repeated.
	Execute(ctx context.Context, cmd *Command) (*Result, error)

	// Upload writes all of src to the file at path, as the workload user.
	// Missing parents are made. The file appears whole or not at all, and one
	// that is there already keeps its permission bits; those that set a user or
	// group go, as the kernel has them go with every write. Symbolic links are
	// followed inside the sandbox. A relative path starts at the runtime's work directory.
	// Upload returns ErrIsDirectory for a directory, ErrNotRegular for a
	// device, a FIFO or a socket, and ErrPermission where the workload user
	// may not write. If src fails, by a panic too, Upload returns its error, an
	// ErrInvalid. When ctx ends a Read of src that blocks is not waited for; no
	// other begins once Upload has returned.
	Upload(ctx context.Context, path string, src io.Reader, opts *UploadOptions) error

	// Read opens the regular file at path as the workload user. The caller
	// must close the reader; closing it early stops the transfer. Read returns
	// ErrNotFound, ErrIsDirectory, ErrNotRegular (device, FIFO, socket),
	// ErrPermission or ErrTooLarge at once, not from the first Read of the
	// reader. When ctx ends, the reader fails with the context's error.
	Read(ctx context.Context, path string, opts *ReadOptions) (io.ReadCloser, error)

	// Stop ends every process, removes the sandbox and releases what it holds.
	// It may be called in any state, many times and at the same time as other
	// methods, which then return ErrStopped. Stopping a sandbox that is gone
	// is not an error.
	Stop(ctx context.Context) error
}

// UploadOptions changes how Upload writes a file. The zero value and nil are the defaults.
type UploadOptions struct {
	// Mode is the permission bits of a new file; 0 means 0644. A file that is
	// there already keeps its own unless Mode is set.
	Mode uint32
}

// ReadOptions selects a part of a file. The zero value and nil read all of it.
type ReadOptions struct {
	// Offset is the position of the first byte. Beyond the end of the file
	// nothing is read.
	Offset int64
	// Limit is the largest number of bytes to read; 0 means no limit.
	Limit int64
	// MaxSize makes Read fail with ErrTooLarge if what Offset and Limit select
	// is larger than this many bytes; 0 means no bound. The check is made
	// again while the file is read, for files that grow.
	MaxSize int64
}
