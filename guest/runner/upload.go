package runner

import (
	"io"
	"io/fs"
	"math/rand/v2"
	"path"
	"strconv"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/guest/protocol"
)

// tempPrefix begins the name of a file that is being written.
const tempPrefix = ".caisson-"

// upload writes all of src to a file. The content goes to a temporary file
// beside the target, which takes the target's place once it is whole; so the
// right that counts is the one to write the directory, as with mv. On an error,
// of src too, what was there is untouched and nothing of the content stays.
func upload(fsys FS, workDir string, m *protocol.Upload, src io.Reader) error {
	file, err := locateFile(workDir, m.Path)
	if err != nil {
		return err
	}
	if err := makeDirs(fsys, path.Dir(file)); err != nil {
		return err
	}
	target, old, err := destination(fsys, file)
	if err != nil {
		return FileError(file, err)
	}
	mode := fs.FileMode(m.Mode).Perm()
	switch {
	case mode != 0:
	case old != nil:
		mode = old.Mode.Perm()
	default:
		mode = fileMode
	}
	return FileError(file, replace(fsys, target, mode, src, nil))
}

// destination follows the links at file, of which the last may point at
// nothing, and describes the regular file that is there; nil if there is none.
func destination(fsys FS, file string) (target string, old *core.FileInfo, err error) {
	target, err = fsys.Resolve(file)
	if err != nil {
		return "", nil, err
	}
	old, err = fsys.Lstat(target)
	if codeOf(err) == core.ErrNotFound {
		return target, nil, nil
	}
	if err != nil {
		return "", nil, err
	}
	return target, old, regular(file, old)
}

// replace puts a file with the content of src in the place of target, which
// contains no links. If ready is not nil, it has the last word before that.
func replace(fsys FS, target string, mode fs.FileMode, src io.Reader, ready func() error) (err error) {
	temp := join(path.Dir(target), tempPrefix+strconv.FormatUint(rand.Uint64(), 36))
	f, err := fsys.Create(temp, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = fsys.Remove(temp) // err says already what went wrong
		}
	}()
	_, err = io.Copy(f, src)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = fsys.Chmod(temp, mode) // not by Create, where a umask would have its say
	}
	if err == nil && ready != nil {
		err = ready()
	}
	if err == nil {
		err = fsys.Replace(temp, target)
	}
	return err
}
