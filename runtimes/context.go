package runtimes

import (
	"archive/tar"
	"bytes"
	"io"
	"path"
	"strings"
)

// Context returns the build context as a tar stream: the build file, named
// Dockerfile, and all that it refers to. It may hold secrets. Equal builds
// give equal bytes.
func (b *Build) Context() io.Reader {
	buf := new(bytes.Buffer)
	w := tar.NewWriter(buf)
	seen := map[string]bool{".": true}
	var dirs func(name string)
	dirs = func(name string) {
		if seen[name] {
			return
		}
		seen[name] = true
		dirs(path.Dir(name))
		_ = w.WriteHeader(&tar.Header{Name: name + "/", Mode: 0o755, Typeflag: tar.TypeDir, Format: tar.FormatUSTAR})
	}
	for _, f := range b.files {
		dirs(path.Dir(f.name))
		_ = w.WriteHeader(&tar.Header{Name: f.name, Mode: 0o644, Size: int64(len(f.text)), Typeflag: tar.TypeReg, Format: tar.FormatUSTAR})
		_, _ = io.Copy(w, strings.NewReader(f.text)) // a buffer takes everything
	}
	_ = w.Close()
	return buf
}
