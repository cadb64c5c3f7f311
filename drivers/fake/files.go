package fake

import (
	"errors"
	iofs "io/fs"
	"path"
	"strings"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/drivers/fake/internal/kernel"
	"github.com/caisson-dev/caisson/guest/protocol"
	"github.com/caisson-dev/caisson/guest/runner"
)

// files is the file system as a user sees it; see runner.FS.
type files struct {
	fs   *kernel.FS
	user kernel.User
}

// Lstat describes a file without following a link.
func (f files) Lstat(name string) (*core.FileInfo, error) { return f.stat(name, false) }

// Stat describes a file.
func (f files) Stat(name string) (*core.FileInfo, error) { return f.stat(name, true) }

func (f files) stat(name string, follow bool) (*core.FileInfo, error) {
	info, err := f.fs.Stat(f.user, name, follow)
	if err != nil {
		return nil, err
	}
	info.Path = name
	return &info.FileInfo, nil
}

// Resolve follows every symbolic link.
func (f files) Resolve(name string) (string, error) { return f.fs.Resolve(f.user, name) }

// Open opens a file for reading. It refuses files that the kernel makes up.
func (f files) Open(name string) (runner.File, error) {
	file, err := f.fs.Open(f.user, name, kernel.OpenFlags{Read: true})
	if err != nil {
		return nil, err
	}
	if file.Made() {
		_ = file.Close()
		return nil, core.Errorf(core.ErrInvalid, "", "lies in one of the kernel's own file systems; run a command to look there")
	}
	return file, nil
}

// Create makes a new file for writing.
func (f files) Create(name string, mode iofs.FileMode) (runner.File, error) {
	file, err := f.fs.Open(f.user, name, kernel.OpenFlags{Read: true, Write: true, Create: true, Exclusive: true, Mode: mode})
	if err != nil {
		return nil, err
	}
	return file, nil
}

// ReadDir lists a directory without following links.
func (f files) ReadDir(name string) ([]core.FileInfo, error) {
	list, err := f.fs.ReadDir(f.user, name)
	if err != nil {
		return nil, err
	}
	infos := make([]core.FileInfo, len(list))
	for i := range list {
		infos[i] = list[i].FileInfo
		infos[i].Path = path.Join(name, path.Base(list[i].Path))
	}
	return infos, nil
}

// Mkdir makes a directory.
func (f files) Mkdir(name string, mode iofs.FileMode) error { return f.fs.Mkdir(f.user, name, mode) }

// Chmod changes the permission of a file.
func (f files) Chmod(name string, mode iofs.FileMode) error { return f.fs.Chmod(f.user, name, mode) }

// Remove removes a file or an empty directory.
func (f files) Remove(name string) error {
	err := f.fs.Remove(f.user, name)
	if errors.Is(err, kernel.EISDIR) {
		err = f.fs.Rmdir(f.user, name)
	}
	return err
}

// Rename moves a file, replacing one at to.
func (f files) Rename(from, to string) error { return f.fs.Rename(f.user, from, to) }

// Replace moves a file to where another may be.
func (f files) Replace(from, to string) error { return f.Rename(from, to) }

// makeHome makes the work directory and the home of cfg if they are missing.
func (f files) makeHome(cfg *protocol.Config) error {
	dirs := []string{cfg.WorkDir}
	for _, kv := range cfg.Env {
		if home, ok := strings.CutPrefix(kv, "HOME="); ok && path.IsAbs(home) {
			dirs = append(dirs, home)
		}
	}
	for _, dir := range dirs {
		if err := f.mkdirAll(path.Clean(dir)); err != nil {
			return runner.FileError(dir, err)
		}
	}
	return nil
}

func (f files) mkdirAll(dir string) error {
	if info, err := f.fs.Stat(f.user, dir, true); err == nil {
		if !info.IsDir() {
			return kernel.ENOTDIR
		}
		return nil
	}
	if dir != "/" {
		if err := f.mkdirAll(path.Dir(dir)); err != nil {
			return err
		}
	}
	return f.fs.Mkdir(f.user, dir, 0o755)
}

func inKernelTree(p string) bool {
	for _, tree := range []string{"/proc", "/sys", "/dev"} {
		if rest, ok := strings.CutPrefix(p, tree); ok && (rest == "" || rest[0] == '/') {
			return true
		}
	}
	return false
}
