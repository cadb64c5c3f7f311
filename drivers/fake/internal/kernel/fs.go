package kernel

import (
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"time"
)

// FS is a file system. All methods may be called from many goroutines. Paths
// are absolute; a method acts for the user that it is given.
type FS struct {
	mu       sync.Mutex
	root     *inode
	last     uint64 // inode number
	fileSize int64  // largest file, bytes
}

const (
	maxName  = 255
	maxPath  = 4095
	maxLinks = 40 // symbolic links in one path
)

// NewFS returns a file system with a root directory of root's on vol.
func NewFS(vol *Volume) *FS {
	f := &FS{fileSize: 1 << 62}
	f.root = f.inode(vol, fs.ModeDir|0o755, Root)
	f.root.parent = f.root
	return f
}

// SetFileSize bounds every file to so many bytes from now on.
func (f *FS) SetFileSize(limit int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fileSize = limit
}

// SetReadOnly makes a volume refuse every change.
func (f *FS) SetReadOnly(vol *Volume) {
	f.mu.Lock()
	defer f.mu.Unlock()
	vol.readOnly = true
}

// SetFull makes a volume have no room, or again as much as it had.
func (f *FS) SetFull(vol *Volume, full bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	vol.full = full
}

// Used returns how many bytes of a volume are taken, and how many it has.
func (f *FS) Used(vol *Volume) (used, limit int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return vol.used, vol.limit
}

// Take charges n bytes to a volume, or gives -n back, and reports whether there was room.
func (f *FS) Take(vol *Volume, n int64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return vol.take(n)
}

func (f *FS) inode(room *Volume, mode fs.FileMode, owner User) *inode {
	f.last++
	n := &inode{number: f.last, mode: mode, owner: owner, modified: time.Now(), links: 1, room: room}
	if mode.IsDir() {
		n.entries = make(map[string]*inode)
	}
	return n
}

// place is where a path leads: a name in a directory, and what is there, if anything.
type place struct {
	dir  *inode
	name string // "" for the root and for paths that end in "." or ".."
	node *inode // nil if there is none
	path string // absolute, without links before the last element
}

// walk follows an absolute path for u. With follow set, a link at its end is
// followed too; one that points at nothing leads to where its target would be.
func (f *FS) walk(u User, name string, follow bool) (place, error) {
	if len(name) > maxPath {
		return place{}, ENAMETOOLONG
	}
	if name == "" {
		return place{}, ENOENT
	}
	at := place{dir: f.root, node: f.root, path: "/"}
	rest, links := name, 0
	for {
		rest = strings.TrimLeft(rest, "/")
		if rest == "" {
			return at, nil
		}
		part, tail, mustDir := strings.Cut(rest, "/")
		last := strings.Trim(tail, "/") == ""
		rest = tail
		dir := at.node
		switch {
		case dir == nil:
			return place{}, ENOENT
		case !dir.mode.IsDir():
			return place{}, ENOTDIR
		case len(part) > maxName:
			return place{}, ENAMETOOLONG
		}
		if err := dir.check(u, MayExec); err != nil {
			return place{}, err
		}
		if part == "." {
			continue
		}
		if part == ".." {
			at = place{dir: dir.parent, node: dir.parent, path: path.Dir(at.path)}
			continue
		}
		node := dir.entries[part]
		if node != nil && node.mode&fs.ModeSymlink != 0 && (!last || follow || mustDir) {
			if links++; links > maxLinks {
				return place{}, ELOOP
			}
			rest = node.target + "/" + rest
			if last && !mustDir {
				rest = node.target
			}
			if strings.HasPrefix(rest, "/") {
				at = place{dir: f.root, node: f.root, path: "/"}
			}
			continue
		}
		at = place{dir: dir, name: part, node: node, path: path.Join(at.path, part)}
		if mustDir && node != nil && !node.mode.IsDir() {
			return place{}, ENOTDIR
		}
	}
}

// find is walk for a file that must be there.
func (f *FS) find(u User, name string, follow bool) (place, error) {
	at, err := f.walk(u, name, follow)
	if err == nil && at.node == nil {
		err = ENOENT
	}
	return at, err
}

// add puts a new file where at says.
func (f *FS) add(u User, at place, mode fs.FileMode) (*inode, error) {
	if at.node != nil {
		return nil, EEXIST
	}
	if at.dir.links == 0 {
		return nil, ENOENT // the directory was removed meanwhile
	}
	if err := at.dir.check(u, MayWrite|MayExec); err != nil {
		return nil, err
	}
	if !at.dir.room.take(entryCost) {
		return nil, ENOSPC
	}
	n := f.inode(at.dir.room, mode, u)
	f.link(at, n)
	return n, nil
}

func (f *FS) link(at place, n *inode) {
	at.dir.entries[at.name] = n
	at.dir.modified = time.Now()
	if n.mode.IsDir() {
		n.parent = at.dir
	}
}

func (f *FS) unlink(at place) {
	delete(at.dir.entries, at.name)
	at.dir.modified = time.Now()
	at.node.unlink()
}

// Stat describes a file.
func (f *FS) Stat(u User, name string, follow bool) (FileInfo, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	at, err := f.find(u, name, follow)
	if err != nil {
		return FileInfo{}, err
	}
	return at.node.info(at.path), nil
}

// Access returns nil if u has the permissions in want on a file.
func (f *FS) Access(u User, name string, want fs.FileMode) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	at, err := f.find(u, name, true)
	if err != nil {
		return err
	}
	return at.node.check(u, want)
}

// Resolve returns the path without links. Its last element may be missing.
func (f *FS) Resolve(u User, name string) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	at, err := f.walk(u, name, true)
	return at.path, err
}

// ReadDir describes the children of a directory, by name.
func (f *FS) ReadDir(u User, name string) ([]FileInfo, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	at, err := f.find(u, name, true)
	if err != nil {
		return nil, err
	}
	if !at.node.mode.IsDir() {
		return nil, ENOTDIR
	}
	if err := at.node.check(u, MayRead); err != nil {
		return nil, err
	}
	list := make([]FileInfo, 0, len(at.node.entries))
	for child, n := range at.node.entries {
		list = append(list, n.info(path.Join(at.path, child)))
	}
	slices.SortFunc(list, func(a, b FileInfo) int { return strings.Compare(a.Path, b.Path) })
	return list, nil
}
