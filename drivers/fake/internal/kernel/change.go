package kernel

import (
	"io/fs"
	"path"
	"strings"
	"time"
)

// The calls that change the tree. Modes are final: no umask is applied here.

// Mkdir makes a directory.
func (f *FS) Mkdir(u User, name string, mode fs.FileMode) error {
	return f.make(u, name, fs.ModeDir|mode.Perm())
}

// Mkfifo makes a FIFO.
func (f *FS) Mkfifo(u User, name string, mode fs.FileMode) error {
	return f.make(u, name, fs.ModeNamedPipe|mode.Perm())
}

func (f *FS) make(u User, name string, mode fs.FileMode) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	at, err := f.walk(u, name, false)
	if err != nil {
		return err
	}
	n, err := f.add(u, at, mode)
	if err == nil && mode&fs.ModeNamedPipe != 0 {
		n.fifo = new(pipe)
	}
	return err
}

// Symlink makes a symbolic link.
func (f *FS) Symlink(u User, target, name string) error {
	switch {
	case target == "":
		return ENOENT
	case len(target) > maxPath:
		return ENAMETOOLONG
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	at, err := f.walk(u, name, false)
	if err != nil {
		return err
	}
	n, err := f.add(u, at, fs.ModeSymlink|0o777)
	if err == nil {
		n.target = target
	}
	return err
}

// Link gives a file another name.
func (f *FS) Link(u User, from, to string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	src, err := f.find(u, from, false)
	if err != nil {
		return err
	}
	dst, err := f.walk(u, to, false)
	switch {
	case err != nil:
		return err
	case dst.node != nil:
		return EEXIST
	case src.node.mode.IsDir():
		return EPERM
	case src.node.room != dst.dir.room:
		return EXDEV
	}
	if err := dst.dir.check(u, MayWrite|MayExec); err != nil {
		return err
	}
	src.node.links++
	f.link(dst, src.node)
	return nil
}

// Remove removes a file that is no directory.
func (f *FS) Remove(u User, name string) error { return f.remove(u, name, false) }

// Rmdir removes an empty directory.
func (f *FS) Rmdir(u User, name string) error { return f.remove(u, name, true) }

func (f *FS) remove(u User, name string, dir bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	at, err := f.find(u, name, false)
	if err != nil {
		return err
	}
	if err := removable(u, at, dir); err != nil {
		return err
	}
	f.unlink(at)
	return nil
}

// detachable returns nil if u may take a name away from its directory.
func detachable(u User, at place) error {
	if at.name == "" || at.node.mode.IsDir() && at.node.room != at.dir.room {
		return EBUSY // the root, "." or where a volume is mounted
	}
	if err := at.dir.check(u, MayWrite|MayExec); err != nil {
		return err
	}
	if at.dir.mode&fs.ModeSticky != 0 && u.UID != 0 && u.UID != at.node.owner.UID && u.UID != at.dir.owner.UID {
		return EPERM
	}
	return nil
}

func removable(u User, at place, dir bool) error {
	if err := detachable(u, at); err != nil {
		return err
	}
	switch {
	case dir && !at.node.mode.IsDir():
		return ENOTDIR
	case !dir && at.node.mode.IsDir():
		return EISDIR
	case dir && len(at.node.entries) > 0:
		return ENOTEMPTY
	}
	return nil
}

// Rename moves a file, replacing what is at to if it is of the same kind.
func (f *FS) Rename(u User, from, to string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	src, err := f.find(u, from, false)
	if err != nil {
		return err
	}
	dst, err := f.walk(u, to, false)
	switch {
	case err != nil:
		return err
	case src.name == "" || dst.name == "":
		return EBUSY
	case dst.node == src.node:
		return nil
	case src.node.mode.IsDir() && strings.HasPrefix(dst.path+"/", src.path+"/"):
		return EINVAL
	case src.node.room != dst.dir.room:
		return EXDEV
	}
	if err := detachable(u, src); err != nil {
		return err
	}
	if err := dst.dir.check(u, MayWrite|MayExec); err != nil {
		return err
	}
	if dst.node != nil {
		if err := removable(u, dst, src.node.mode.IsDir()); err != nil {
			return err
		}
		f.unlink(dst)
	}
	delete(src.dir.entries, src.name)
	src.dir.modified = time.Now()
	f.link(dst, src.node)
	return nil
}

// change applies set to a file that u owns.
func (f *FS) change(u User, name string, follow bool, set func(*inode)) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	at, err := f.find(u, name, follow)
	switch {
	case err != nil:
		return err
	case at.node.room.readOnly:
		return EROFS
	case u.UID != 0 && u.UID != at.node.owner.UID:
		return EPERM
	}
	set(at.node)
	return nil
}

const modeBits = fs.ModePerm | fs.ModeSticky | fs.ModeSetuid | fs.ModeSetgid

// Chmod changes the permission of a file.
func (f *FS) Chmod(u User, name string, mode fs.FileMode) error {
	return f.change(u, name, true, func(n *inode) { n.mode = n.mode&^modeBits | mode&modeBits })
}

// Touch sets the time of a file's last change.
func (f *FS) Touch(u User, name string, follow bool, at time.Time) error {
	return f.change(u, name, follow, func(n *inode) { n.modified = at })
}

// A Node is a file to Install.
type Node struct {
	Mode   fs.FileMode // with its type
	Owner  User
	Data   []byte        // of a regular file
	Made   func() string // of a regular file whose text is made when it is opened
	Target string        // of a symbolic link
	Device Device        // of a character device
	Volume *Volume       // of a directory: what is mounted there
}

// Install puts a file of the image in place, with its missing parents, whatever stands in the way of users.
func (f *FS) Install(name string, node Node) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, c := range name {
		if c != '/' || i == 0 {
			continue
		}
		if at, err := f.walk(Root, name[:i], true); err == nil && at.node == nil {
			_, _ = f.add(Root, at, fs.ModeDir|0o755) // images have room for what they hold
		}
	}
	at, err := f.walk(Root, path.Clean(name), false)
	if err != nil {
		return
	}
	n := at.node
	if n == nil {
		n = f.inode(at.dir.room, node.Mode, node.Owner)
		f.link(at, n)
	}
	n.mode, n.owner, n.target, n.device, n.made = node.Mode, node.Owner, node.Target, node.Device, node.Made
	if node.Data != nil {
		n.data = newContent(node.Data)
	}
	if node.Volume != nil {
		n.room = node.Volume
	}
}

// Uninstall removes what Install put in place, and all that is below it.
func (f *FS) Uninstall(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if at, err := f.find(Root, name, false); err == nil && at.name != "" {
		at.node.release()
		delete(at.dir.entries, at.name)
	}
}

// release gives back what a tree took.
func (n *inode) release() {
	for _, child := range n.entries {
		child.release()
	}
	n.unlink()
}
