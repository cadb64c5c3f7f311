package core

import (
	"context"
	"io/fs"
	"path"
	"time"
)

// The optional file verbs, one interface each. A Backend that has only the
// four methods gets them all from guest.NewFiles. Paths follow the rules of
// CleanPath; all of them act as the workload user.

// FileInfo describes a file.
type FileInfo struct {
	Path    string // absolute
	Size    int64  // bytes
	Mode    fs.FileMode
	ModTime time.Time
	UID     int
	GID     int
	Link    string // where a symbolic link points
}

// Name returns the last element of the path.
func (f *FileInfo) Name() string { return path.Base(f.Path) }

// IsDir reports whether it is a directory.
func (f *FileInfo) IsDir() bool { return f.Mode.IsDir() }

// Lister lists the direct children of a directory, sorted by name, links not
// followed. It returns ErrNotFound, ErrNotRegular if path is no directory, or
// ErrPermission; never an empty list in place of an error.
type Lister interface {
	List(ctx context.Context, path string) ([]FileInfo, error)
}

// Stater describes the file at path, following links if follow is set.
type Stater interface {
	Stat(ctx context.Context, path string, follow bool) (*FileInfo, error)
}

// Remover removes a file or an empty directory, with recursive set a whole
// tree. A link is removed, not what it points at. A missing path is
// ErrNotFound, a directory that is not empty ErrConflict.
type Remover interface {
	Remove(ctx context.Context, path string, recursive bool) error
}

// DirMaker makes a directory and its missing parents. One that is there already is no error; a file there is ErrExists.
type DirMaker interface {
	Mkdir(ctx context.Context, path string) error
}

// Renamer moves a file or a directory, replacing a file at to, and makes missing parents of to.
type Renamer interface {
	Rename(ctx context.Context, from, to string) error
}

// Search bounds a Glob or Grep.
type Search struct {
	// Root is the directory to search; empty means the work directory. Grep takes a file as well.
	Root string
	// Max is the largest number of results; 0 means DefaultMaxResults.
	Max int
	// Include limits Grep to the files that this glob pattern matches.
	Include string
	// Literal makes Grep take its pattern as plain text rather than RE2.
	Literal bool
	// Hidden includes files and directories whose names begin with a dot.
	Hidden bool
}

// DefaultMaxResults bounds the results of Glob and Grep.
const DefaultMaxResults = 10_000

// Match is a line that Grep found.
type Match struct {
	Path string // absolute
	Line int    // from 1
	Text string // the line without its end, at most MaxMatchText bytes of it
}

// MaxMatchText bounds the text of a Match.
const MaxMatchText = 4096

// Matches is the answer of Grep.
type Matches struct {
	Matches   []Match // by path, then line
	Truncated bool    // there are more than Search.Max
	Skipped   int     // files that could not be read or are binary
}

// Paths is the answer of Glob.
type Paths struct {
	Paths     []string // absolute, sorted
	Truncated bool     // there are more than Search.Max
	Skipped   int      // directories that could not be read
}

// Globber finds regular files by pattern: '*' and '?' stay within a name,
// '**' matches zero or more directories, classes and {a,b} work, and names that
// begin with a dot match only a pattern that spells the dot or with
// Search.Hidden. A pattern without a slash matches names at the top of
// Root only. A malformed pattern is ErrInvalid.
type Globber interface {
	Glob(ctx context.Context, pattern string, search *Search) (*Paths, error)
}

// Grepper finds the lines that match an RE2 expression, or contain a literal
// text, in the regular text files below Search.Root. A malformed expression is ErrInvalid.
type Grepper interface {
	Grep(ctx context.Context, pattern string, search *Search) (*Matches, error)
}

// Editor replaces literal text in a file, atomically and keeping its permission bits. An
// old text with LF line ends matches a file with CRLF ends, and the new text
// then gets CRLF. No match is ErrNotFound; several without all are
// ErrConflict. It returns the number of replacements.
type Editor interface {
	Edit(ctx context.Context, path, old, new string, all bool) (int, error)
}
