package runner

import (
	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/guest/protocol"
)

// remove removes a file or an empty directory; with the flag a whole tree, of
// which it removes what it can before it returns the first error.
func remove(fsys FS, workDir string, m *protocol.Path) error {
	file, err := locate(workDir, m.Path)
	if err != nil {
		return err
	}
	if err := movable(workDir, file); err != nil {
		return err
	}
	info, err := fsys.Lstat(file)
	if err != nil {
		return FileError(file, err)
	}
	if m.Flag && info.IsDir() {
		return removeTree(fsys, file)
	}
	return removeOne(fsys, file)
}

// removeTree removes the directory dir. What others remove meanwhile is no error.
func removeTree(fsys FS, dir string) error {
	entries, err := fsys.ReadDir(dir)
	first := FileError(dir, err)
	for i := range entries {
		child := join(dir, entries[i].Name())
		if entries[i].IsDir() {
			err = removeTree(fsys, child)
		} else {
			err = removeOne(fsys, child)
		}
		if first == nil && codeOf(err) != core.ErrNotFound {
			first = err
		}
	}
	if err := removeOne(fsys, dir); first == nil {
		first = err
	}
	return first
}

func removeOne(fsys FS, file string) error {
	err := fsys.Remove(file)
	if codeOf(err) == core.ErrExists { // how io/fs can call a directory that is not empty
		return &core.Error{Code: core.ErrConflict, Path: file, Err: err}
	}
	return FileError(file, err)
}
