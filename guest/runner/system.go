package runner

import (
	"io"
	"io/fs"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/guest/protocol"
)

// System is what a runner serves: a place that runs commands and keeps files.
// guest/linux is the real one; the fake driver has one in memory. All methods
// may be called from many goroutines at once.
type System interface {
	FS

	// Configure is called once, before any other method: it makes HOME and the
	// work directory where they are missing, sets cfg.WorkDir if that is empty,
	// applies the limits, and returns what the kernel really enforces.
	Configure(cfg *protocol.Config) (*protocol.Facts, error)

	// Start starts a command. Its program was not looked up yet: a missing one
	// is not an error but a Process that exits with 127, one that cannot be
	// executed exits with 126, each after a line on Stderr. An error, of Start
	// or of Wait, means that nothing ran; a directory that cannot be entered is
	// core.ErrInvalid, no room for a process core.ErrResource.
	Start(cmd *Command) (Process, error)
}

// Command is what a System starts.
type Command struct {
	Args []string
	Env  []string // complete, KEY=VALUE
	Dir  string   // absolute
	// Stdin is read until its end or the command's; nil is an empty one.
	Stdin io.Reader
	// Stdout and Stderr are written by one goroutine each until the Process
	// has ended. A Write that fails kills the command.
	Stdout, Stderr io.Writer
}

// Process is a command that was started.
type Process interface {
	// Wait returns when the command itself has ended and all that it had
	// written by then was passed to its writers. Background children live on;
	// what they write later is read and dropped, so that they do not stall.
	// An error says why nothing ran, as that of Start does.
	Wait() (protocol.Exit, error)

	// Kill freezes, then kills every process that the command started,
	// whatever session or parent it has now, and returns nil when none is left
	// or an error if that cannot be confirmed. Wait returns then too.
	Kill() error
}

// FS is a file system as the workload user sees it. Paths are absolute and
// clean. Errors answer errors.Is for the io/fs errors, or are *core.Error.
type FS interface {
	Lstat(path string) (*core.FileInfo, error)
	Stat(path string) (*core.FileInfo, error)
	// Resolve follows every symbolic link in path. The last element, and only
	// that, may be missing.
	Resolve(path string) (string, error)
	// Open opens a file for reading. It does not wait for the other end of a FIFO.
	Open(path string) (File, error)
	// Create makes a new file for writing and fails with fs.ErrExist if there is one.
	Create(path string, mode fs.FileMode) (File, error)
	// ReadDir lists a directory in any order, without following links.
	ReadDir(path string) ([]core.FileInfo, error)
	Mkdir(path string, mode fs.FileMode) error
	Chmod(path string, mode fs.FileMode) error
	Remove(path string) error // a file or an empty directory
	Rename(from, to string) error
	// Replace is Rename for two files of one directory of which to may be there already.
	Replace(from, to string) error
}

// File is an open file.
type File interface {
	io.Reader
	io.Writer
	io.Seeker
	io.Closer
	Stat() (*core.FileInfo, error)
}
