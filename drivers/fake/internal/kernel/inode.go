package kernel

import (
	"io/fs"
	"math"
	"time"

	"github.com/caisson-dev/caisson/core"
)

// inode is a file of any kind. Its fields are guarded by the lock of its FS.
type inode struct {
	number   uint64
	mode     fs.FileMode
	owner    User
	modified time.Time
	links    int
	opens    int // files that are open
	room     *Volume

	data    content           // of a regular file
	entries map[string]*inode // of a directory
	parent  *inode            // of a directory; the root's is itself
	target  string            // of a symbolic link
	fifo    *pipe             // of a FIFO
	device  Device            // of a character device

	// made gives a file of /proc its text when it is opened.
	made func() string
}

// Device is one of the few in /dev.
type Device byte

// The devices.
const (
	DevNull Device = iota + 1
	DevZero
	DevFull
	DevRandom
	DevStdin // the descriptor of the process itself
	DevStdout
	DevStderr
)

const (
	entryCost = 128  // bytes that any file takes beside its content
	dirSize   = 4096 // bytes that a directory says to have
)

// Volume bounds the bytes of a part of the file system. It is guarded by the FS's lock.
type Volume struct {
	used, limit int64
	outer       *Volume // charged as well
	readOnly    bool
	full        bool
}

// NewVolume returns a volume of so many bytes, which are taken from outer as well unless that is nil.
func NewVolume(limit int64, outer *Volume) *Volume { return &Volume{limit: limit, outer: outer} }

// take charges n bytes, or gives back -n, and reports whether there was room.
func (v *Volume) take(n int64) bool {
	for each := v; each != nil; each = each.outer {
		if n > 0 && (each.full || each.used+n > each.limit) {
			return false
		}
	}
	for each := v; each != nil; each = each.outer {
		each.used += n
	}
	return true
}

// left returns how many bytes there is room for.
func (v *Volume) left() int64 {
	left := int64(math.MaxInt64)
	for each := v; each != nil; each = each.outer {
		if each.full {
			return 0
		}
		left = min(left, max(each.limit-each.used, 0))
	}
	return left
}

// FileInfo is what stat(2) tells.
type FileInfo struct {
	core.FileInfo
	Inode uint64
	Links int
	Used  int64 // bytes on its volume
}

func (n *inode) info(path string) FileInfo {
	i := FileInfo{
		FileInfo: core.FileInfo{Path: path, Mode: n.mode, ModTime: n.modified, UID: n.owner.UID, GID: n.owner.GID, Link: n.target},
		Inode:    n.number, Links: n.links,
	}
	switch {
	case n.mode.IsRegular():
		i.Size, i.Used = n.data.size, n.data.used
	case n.mode.IsDir():
		i.Size, i.Used, i.Links = dirSize, dirSize, 2
		for _, e := range n.entries {
			if e.mode.IsDir() {
				i.Links++
			}
		}
	case n.mode&fs.ModeSymlink != 0:
		i.Size = int64(len(n.target))
	}
	return i
}

// A User is whom a call acts for.
type User struct{ UID, GID int }

// Root may do everything.
var Root = User{}

// Permissions asked of a file, as in access(2).
const (
	MayExec  = 1
	MayWrite = 2
	MayRead  = 4
)

// check returns nil if u has all of the permissions in want.
func (n *inode) check(u User, want fs.FileMode) error {
	if want&MayWrite != 0 && n.room.readOnly && (n.mode.IsRegular() || n.mode.IsDir()) {
		return EROFS
	}
	if u.UID == 0 {
		if want&MayExec == 0 || n.mode.IsDir() || n.mode.Perm()&0o111 != 0 {
			return nil
		}
		return EACCES
	}
	perm := n.mode.Perm()
	switch {
	case u.UID == n.owner.UID:
		perm >>= 6
	case u.GID == n.owner.GID:
		perm >>= 3
	}
	if perm&want == want {
		return nil
	}
	return EACCES
}

// unlink takes one of its names from a file.
func (n *inode) unlink() {
	n.links--
	n.giveBack()
}

// giveBack gives back what a file took once no name leads to it and nobody has it open.
func (n *inode) giveBack() {
	if n.links <= 0 && n.opens == 0 {
		n.room.take(-entryCost - n.data.used)
	}
}
