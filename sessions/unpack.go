package sessions

import (
	"archive/tar"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/caisson-dev/caisson/core"
)

// unpacker puts what comes out of a sandbox, and so may be hostile, into a
// directory of this host. os.Root keeps it in there; what is left to do is to
// bound it and to leave no link behind that leads others out.
type unpacker struct {
	dir   *os.Root
	room  int64           // bytes
	links map[string]bool // those made
}

// entryCost is what a file counts beside its content, in bytes, so that empty ones are bounded as well.
const entryCost = 4 << 10

// unpack reads a tar stream into dir, which is empty.
func unpack(dir *os.Root, r io.Reader, limit int64) error {
	u := &unpacker{dir: dir, room: limit, links: make(map[string]bool)}
	for in := tar.NewReader(r); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := u.entry(h, in); err != nil {
			return hostError("sync", err)
		}
	}
}

func (u *unpacker) entry(h *tar.Header, content io.Reader) error {
	name, err := entryName(h.Name)
	if err != nil {
		return err
	}
	if !filepath.IsLocal(filepath.FromSlash(name)) {
		return core.Errorf(core.ErrInvalid, "sync", "%q is no name of a file on this host", name)
	}
	if u.room -= entryCost + h.Size; u.room < 0 || h.Size < 0 {
		return core.Errorf(core.ErrTooLarge, "sync", "the work directory holds more than is copied to this host")
	}
	for parent := path.Dir(name); parent != "."; parent = path.Dir(parent) {
		if u.links[parent] {
			return core.Errorf(core.ErrProtocol, "sync", "%q lies in a link", name)
		}
	}
	perm := h.FileInfo().Mode().Perm()
	switch h.Typeflag {
	case tar.TypeDir:
		return u.dir.Mkdir(name, perm|0o700)
	case tar.TypeSymlink:
		if !staysInside(name, h.Linkname) {
			return nil
		}
		u.links[name] = true
		return u.dir.Symlink(filepath.FromSlash(h.Linkname), name)
	case tar.TypeReg:
		return u.file(name, perm|0o600, content)
	default:
		return nil
	}
}

func (u *unpacker) file(name string, perm fs.FileMode, content io.Reader) (err error) {
	f, err := u.dir.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	_, err = io.Copy(f, content) // as much as room was taken for
	return err
}

// staysInside reports whether a link, and any chain of links of which each stays
// inside, leads nowhere else than below the top: it is relative, goes up first
// and never after that, since after another link up would be somewhere else.
func staysInside(name, target string) bool {
	if target == "" || path.IsAbs(target) || strings.ContainsAny(target, "\\:") {
		return false
	}
	depth := strings.Count(name, "/")
	down := false
	for part := range strings.SplitSeq(target, "/") {
		switch part {
		case "", ".":
		case "..":
			if depth--; down || depth < 0 {
				return false
			}
		default:
			down = true
		}
	}
	return true
}
