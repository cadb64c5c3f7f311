package linux

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/guest/protocol"
	"github.com/caisson-dev/caisson/guest/runner"
	"golang.org/x/sys/unix"
)

// blockingFileCalls is how many calls of the file system run at once. Each can
// hold a thread, and there are only so many.
const blockingFileCalls = 3

// files is the file system; see runner.FS.
type files struct{ slots chan struct{} }

func newFiles() files { return files{slots: make(chan struct{}, blockingFileCalls)} }

// call runs one blocking call.
func (f files) call(do func() error) error {
	f.slots <- struct{}{}
	err := do()
	<-f.slots
	return err
}

// Lstat describes a file without following a link.
func (f files) Lstat(path string) (*core.FileInfo, error) {
	return f.stat(path, os.Lstat)
}

// Stat describes a file.
func (f files) Stat(path string) (*core.FileInfo, error) {
	return f.stat(path, os.Stat)
}

func (f files) stat(path string, stat func(string) (os.FileInfo, error)) (info *core.FileInfo, err error) {
	err = f.call(func() error {
		i, err := stat(path)
		if err == nil {
			info = fileInfo(path, i)
		}
		return err
	})
	return info, err
}

// Resolve follows every symbolic link in path; see runner.FS.
func (f files) Resolve(path string) (resolved string, err error) {
	err = f.call(func() error {
		var err error
		resolved, err = evalLinks(path)
		if errors.Is(err, fs.ErrNotExist) {
			resolved, err = resolveNew(path)
		}
		return err
	})
	return resolved, err
}

// evalLinks is filepath.EvalSymlinks with the kernel's error for a loop, in place of a text.
func evalLinks(path string) (string, error) {
	resolved, err := filepath.EvalSymlinks(path)
	if _, ok := errors.AsType[*fs.PathError](err); err != nil && !ok {
		err = syscall.ELOOP
	}
	return resolved, err
}

// resolveNew resolves a path whose last element may be missing. A link that
// leads nowhere is followed to what it names, as a write through it would be.
func resolveNew(path string) (string, error) {
	const maxLinks = 40 // the kernel's
	for range maxLinks {
		parent, err := evalLinks(filepath.Dir(path))
		if err != nil {
			return "", err
		}
		path = filepath.Join(parent, filepath.Base(path))
		link, err := os.Readlink(path)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.EINVAL) {
			return path, nil
		}
		if err != nil {
			return "", err
		}
		if !filepath.IsAbs(link) {
			link = filepath.Join(parent, link)
		}
		path = link
	}
	return "", syscall.ELOOP
}

// Open opens a file for reading; see runner.FS. It refuses files that the kernel makes up.
func (f files) Open(path string) (runner.File, error) {
	return f.open(path, unix.O_RDONLY, 0)
}

// Create makes a new file for writing; see runner.FS.
func (f files) Create(path string, mode fs.FileMode) (runner.File, error) {
	return f.open(path, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL, uint32(mode.Perm()))
}

// open goes by the system call: an *os.File would give the descriptor of a FIFO to the poller, and wait.
func (f files) open(path string, flags int, mode uint32) (opened runner.File, err error) {
	err = f.call(func() error {
		fd, err := unix.Open(path, flags|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, mode)
		if err != nil {
			return err
		}
		var in unix.Statfs_t
		if err := unix.Fstatfs(fd, &in); err == nil && (in.Type == unix.PROC_SUPER_MAGIC || in.Type == unix.SYSFS_MAGIC) {
			unix.Close(fd)
			return core.Errorf(core.ErrInvalid, "", "lies in one of the kernel's own file systems; run a command to look there")
		}
		// What is read and written are regular files, which never block on a peer.
		_ = unix.SetNonblock(fd, false)
		opened = &file{File: os.NewFile(uintptr(fd), path), path: path, files: f}
		return nil
	})
	return opened, err
}

// ReadDir lists a directory without following links.
func (f files) ReadDir(path string) (list []core.FileInfo, err error) {
	err = f.call(func() error {
		dir, err := os.Open(path)
		if err != nil {
			return err
		}
		defer dir.Close()
		entries, err := dir.ReadDir(-1) // unsorted, unlike os.ReadDir
		if err != nil {
			return err
		}
		for _, entry := range entries {
			info, err := entry.Info()
			if errors.Is(err, fs.ErrNotExist) {
				continue // removed meanwhile
			}
			if err != nil {
				return err
			}
			list = append(list, *fileInfo(filepath.Join(path, entry.Name()), info))
		}
		return nil
	})
	return list, err
}

// Mkdir makes a directory.
func (f files) Mkdir(path string, mode fs.FileMode) error {
	return f.call(func() error { return os.Mkdir(path, mode) })
}

// Chmod changes the permission of a file.
func (f files) Chmod(path string, mode fs.FileMode) error {
	return f.call(func() error { return os.Chmod(path, mode) })
}

// Remove removes a file or an empty directory.
func (f files) Remove(path string) error {
	return f.call(func() error { return os.Remove(path) })
}

// Rename moves a file, replacing one at to.
func (f files) Rename(from, to string) error {
	return f.call(func() error { return os.Rename(from, to) })
}

// Replace exchanges the files and removes the old one. A rename onto a file
// makes ext4 allocate the new one's blocks at once, which takes longer than all the rest.
func (f files) Replace(from, to string) error {
	exchange := func() error {
		return unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_EXCHANGE)
	}
	return f.call(func() error {
		if exchange() != nil { // there is none, or the file system cannot
			return os.Rename(from, to)
		}
		err := unix.Unlink(from)
		if err != nil { // a directory, which took the file's place in this moment
			_ = exchange()
		}
		return err
	})
}

// A file is an open file whose calls count among the blocking ones.
type file struct {
	*os.File
	path  string
	files files
}

func (f *file) Read(p []byte) (n int, err error) {
	f.files.slots <- struct{}{}
	n, err = f.File.Read(p)
	<-f.files.slots
	return n, err
}

func (f *file) Write(p []byte) (n int, err error) {
	f.files.slots <- struct{}{}
	n, err = f.File.Write(p)
	<-f.files.slots
	return n, err
}

func (f *file) Stat() (*core.FileInfo, error) {
	info, err := f.File.Stat()
	if err != nil {
		return nil, err
	}
	return fileInfo(f.path, info), nil
}

func fileInfo(path string, info os.FileInfo) *core.FileInfo {
	out := &core.FileInfo{Path: path, Size: info.Size(), Mode: info.Mode(), ModTime: info.ModTime()}
	if sys, ok := info.Sys().(*syscall.Stat_t); ok {
		out.UID, out.GID = int(sys.Uid), int(sys.Gid)
	}
	if out.Mode&fs.ModeSymlink != 0 {
		out.Link, _ = os.Readlink(path) // it may be gone by now
	}
	return out
}

// makeHome makes the work directory and the home of cfg if they are missing.
func makeHome(cfg *protocol.Config) error {
	dirs := []string{cfg.WorkDir}
	for _, kv := range cfg.Env {
		if home, ok := strings.CutPrefix(kv, "HOME="); ok {
			dirs = append(dirs, home)
		}
	}
	for _, dir := range dirs {
		if !filepath.IsAbs(dir) {
			continue
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return runner.FileError(dir, err)
		}
	}
	return nil
}
