package kernel

import (
	"io/fs"
	"time"
)

// The calls of the file system, as the process's user and relative to its directory.

// Stat describes a file.
func (p *Process) Stat(name string) (FileInfo, error) {
	p.check()
	return p.kernel.FS.Stat(p.User, p.Abs(name), true)
}

// Lstat describes a file, or a link itself.
func (p *Process) Lstat(name string) (FileInfo, error) {
	p.check()
	return p.kernel.FS.Stat(p.User, p.Abs(name), false)
}

// Access returns nil if the process may do what want says to a file.
func (p *Process) Access(name string, want fs.FileMode) error {
	p.check()
	return p.kernel.FS.Access(p.User, p.Abs(name), want)
}

// ReadDir describes the children of a directory, by name.
func (p *Process) ReadDir(name string) ([]FileInfo, error) {
	p.check()
	return p.kernel.FS.ReadDir(p.User, p.Abs(name))
}

// Resolve returns the path without links; its last element may be missing.
func (p *Process) Resolve(name string) (string, error) {
	p.check()
	return p.kernel.FS.Resolve(p.User, p.Abs(name))
}

// Mkdir makes a directory.
func (p *Process) Mkdir(name string, mode fs.FileMode) error {
	p.check()
	return p.kernel.FS.Mkdir(p.User, p.Abs(name), mode&^p.Umask)
}

// Mkfifo makes a FIFO.
func (p *Process) Mkfifo(name string, mode fs.FileMode) error {
	p.check()
	return p.kernel.FS.Mkfifo(p.User, p.Abs(name), mode&^p.Umask)
}

// Symlink makes a symbolic link.
func (p *Process) Symlink(target, name string) error {
	p.check()
	return p.kernel.FS.Symlink(p.User, target, p.Abs(name))
}

// Link gives a file another name.
func (p *Process) Link(from, to string) error {
	p.check()
	return p.kernel.FS.Link(p.User, p.Abs(from), p.Abs(to))
}

// Remove removes a file that is no directory.
func (p *Process) Remove(name string) error {
	p.check()
	return p.kernel.FS.Remove(p.User, p.Abs(name))
}

// Rmdir removes an empty directory.
func (p *Process) Rmdir(name string) error {
	p.check()
	return p.kernel.FS.Rmdir(p.User, p.Abs(name))
}

// Rename moves a file.
func (p *Process) Rename(from, to string) error {
	p.check()
	return p.kernel.FS.Rename(p.User, p.Abs(from), p.Abs(to))
}

// Chmod changes the permission of a file.
func (p *Process) Chmod(name string, mode fs.FileMode) error {
	p.check()
	return p.kernel.FS.Chmod(p.User, p.Abs(name), mode)
}

// Touch sets the time of a file's last change.
func (p *Process) Touch(name string, follow bool, at time.Time) error {
	p.check()
	return p.kernel.FS.Touch(p.User, p.Abs(name), follow, at)
}

// Statfs returns how many bytes of the volume of a file are taken, and how many it has.
func (p *Process) Statfs(name string) (used, limit int64, err error) {
	p.check()
	f := p.kernel.FS
	f.mu.Lock()
	defer f.mu.Unlock()
	at, err := f.find(p.User, p.Abs(name), true)
	if err != nil {
		return 0, 0, err
	}
	return at.node.room.used, at.node.room.limit, nil
}

// Chdir changes the directory of the process to an absolute path.
func (p *Process) Chdir(name string) error {
	info, err := p.Stat(name)
	switch {
	case err != nil:
		return err
	case !info.IsDir():
		return ENOTDIR
	}
	if err := p.Access(name, MayExec); err != nil {
		return err
	}
	p.Dir = p.Abs(name)
	return nil
}
