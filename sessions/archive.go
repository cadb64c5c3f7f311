package sessions

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"path"
	"strings"
	"time"

	"github.com/caisson-dev/caisson/core"
)

// Export writes the files of the work directory to w as a tar stream: regular
// files, directories and symbolic links, named from the work directory, and
// nothing else. It runs as the workload, and needs no program in the image. A
// file that vanishes meanwhile is left out; one of more than a megabyte that
// shrinks is ErrConflict. It returns ErrUnsupported if the driver cannot list files.
func (s *Session) Export(ctx context.Context, w io.Writer) error {
	return s.use("export", func() error { return exportTo(ctx, s.sandbox, w) })
}

// Import reads a tar stream and puts its files into the work directory, over
// those that are there; see Export. A name that leads out of the work directory
// is ErrInvalid, and ends the import before it. Links need the program ln,
// directories that not everybody may enter chmod. Owners and times are not kept.
func (s *Session) Import(ctx context.Context, r io.Reader) error {
	return s.use("import", func() error { return importFrom(ctx, s.sandbox, r) })
}

const (
	maxEntries   = 1 << 20 // of an archive that is written
	smallFile    = 1 << 20 // bytes that are held in memory, so that their number is known
	dirMode      = 0o755   // of directories that are made
	entryDefault = 0o644   // of files that are made
)

// exporter writes a tar stream.
type exporter struct {
	sandbox *core.Sandbox
	lister  core.Lister
	tar     *tar.Writer
	entries int
}

func exportTo(ctx context.Context, sb *core.Sandbox, w io.Writer) error {
	lister, ok := core.As[core.Lister](sb, core.CapList)
	if !ok {
		return core.Errorf(core.ErrUnsupported, "export", "the driver cannot list files")
	}
	e := &exporter{sandbox: sb, lister: lister, tar: tar.NewWriter(w)}
	if err := e.dir(ctx, "."); err != nil {
		return err
	}
	return e.tar.Close()
}

func (e *exporter) dir(ctx context.Context, dir string) error {
	files, err := e.lister.List(ctx, dir)
	if gone(err) && dir != "." {
		return nil
	}
	if err != nil {
		return err
	}
	for i := range files {
		if err := e.entry(ctx, dir, &files[i]); err != nil {
			return err
		}
	}
	return nil
}

func (e *exporter) entry(ctx context.Context, dir string, f *core.FileInfo) error {
	base := f.Name()
	name := path.Join(dir, base)
	if e.entries++; e.entries > maxEntries {
		return core.Errorf(core.ErrTooLarge, "export", "more than %d files", maxEntries)
	}
	if !fs.ValidPath(base) || base == "." || len(name) > core.MaxPathBytes {
		return core.Errorf(core.ErrProtocol, "export", "%q is no name of a file", base)
	}
	h := &tar.Header{Name: name, Mode: int64(f.Mode.Perm()), ModTime: f.ModTime.Truncate(time.Second), Uid: f.UID, Gid: f.GID}
	switch {
	case f.Mode.IsDir():
		h.Typeflag, h.Name = tar.TypeDir, name+"/"
		if err := e.tar.WriteHeader(h); err != nil {
			return err
		}
		return e.dir(ctx, name)
	case f.Mode&fs.ModeSymlink != 0:
		h.Typeflag, h.Linkname = tar.TypeSymlink, f.Link
		return e.tar.WriteHeader(h)
	case f.Mode.IsRegular():
		h.Typeflag = tar.TypeReg
		return e.file(ctx, h, f.Size)
	default:
		return nil
	}
}

// file writes a file of which size bytes were there when it was listed.
func (e *exporter) file(ctx context.Context, h *tar.Header, size int64) error {
	if size == 0 {
		return e.tar.WriteHeader(h)
	}
	r, err := e.sandbox.Read(ctx, h.Name, &core.ReadOptions{Limit: size})
	if gone(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer r.Close()
	var content io.Reader = r
	if h.Size = size; size <= smallFile {
		all, err := io.ReadAll(io.LimitReader(r, size))
		if err != nil {
			return err
		}
		h.Size, content = int64(len(all)), bytes.NewReader(all)
	}
	if err := e.tar.WriteHeader(h); err != nil {
		return err
	}
	_, err = io.CopyN(e.tar, content, h.Size)
	if errors.Is(err, io.EOF) {
		return &core.Error{Code: core.ErrConflict, Op: "export", Path: h.Name, Err: errors.New("the file shrank while it was read")}
	}
	return err
}

func gone(err error) bool { return core.CodeOf(err) == core.ErrNotFound }

// importer puts what it reads into a sandbox.
type importer struct {
	sandbox *core.Sandbox
	modes   []mode // to be set once all is there, since they can forbid to write
}

type mode struct {
	name string
	perm string // octal
}

func importFrom(ctx context.Context, sb *core.Sandbox, r io.Reader) error {
	im := &importer{sandbox: sb}
	for in := tar.NewReader(r); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return im.setModes(ctx)
		}
		if err != nil {
			return core.Errorf(core.ErrInvalid, "import", "not a tar stream: %w", err)
		}
		name, err := entryName(h.Name)
		if err != nil {
			return err
		}
		if name == "." {
			continue
		}
		if err := im.entry(ctx, name, h, in); err != nil {
			return err
		}
	}
}

// entryName returns a name of an archive as a path below the work directory.
func entryName(name string) (string, error) {
	clean := path.Clean(name)
	if !fs.ValidPath(clean) || strings.IndexByte(clean, 0) >= 0 || len(clean) > core.MaxPathBytes {
		return "", core.Errorf(core.ErrInvalid, "import", "%q leads out of the work directory or is no path", name)
	}
	return clean, nil
}

func (im *importer) entry(ctx context.Context, name string, h *tar.Header, content io.Reader) error {
	perm := h.FileInfo().Mode().Perm()
	switch h.Typeflag {
	case tar.TypeDir:
		if err := im.mkdir(ctx, name); err != nil {
			return err
		}
		if perm != dirMode {
			im.chmod(name, perm)
		}
		return nil
	case tar.TypeReg, tar.TypeCont, tar.TypeGNUSparse: // of which the reader fills the holes
		if perm == 0 { // which Upload takes for none
			im.chmod(name, perm)
			perm = entryDefault
		}
		return im.sandbox.Upload(ctx, name, content, &core.UploadOptions{Mode: uint32(perm)})
	case tar.TypeSymlink:
		return im.link(ctx, name, "-sfn", h.Linkname)
	case tar.TypeLink:
		target, err := entryName(h.Linkname)
		if err != nil {
			return err
		}
		return im.link(ctx, name, "-fn", "./"+target)
	default: // devices and the like
		return nil
	}
}

func (im *importer) mkdir(ctx context.Context, name string) error {
	if name == "." {
		return nil
	}
	maker, ok := core.As[core.DirMaker](im.sandbox, core.CapMkdir)
	if !ok {
		return im.run(ctx, name, "mkdir", "-p", "./"+name)
	}
	return maker.Mkdir(ctx, name)
}

func (im *importer) link(ctx context.Context, name, flags, target string) error {
	if err := im.mkdir(ctx, path.Dir(name)); err != nil {
		return err
	}
	return im.run(ctx, name, "ln", flags, "--", target, "./"+name)
}

func (im *importer) chmod(name string, perm fs.FileMode) {
	const octal = "01234567"
	im.modes = append(im.modes, mode{name, string([]byte{octal[perm>>6&7], octal[perm>>3&7], octal[perm&7]})})
}

// setModes starts with what is deepest, as it may not be reached any more once what is above it has its mode.
func (im *importer) setModes(ctx context.Context) error {
	for i := len(im.modes) - 1; i >= 0; i-- {
		if err := im.run(ctx, im.modes[i].name, "chmod", im.modes[i].perm, "./"+im.modes[i].name); err != nil {
			return err
		}
	}
	return nil
}

// run runs a program of the image, for which there is no verb.
func (im *importer) run(ctx context.Context, name, program string, args ...string) error {
	res, err := im.sandbox.Execute(ctx, core.Program(program, args...))
	if err != nil {
		return err
	}
	if !res.Success() {
		code := core.ErrPermission
		if res.ExitCode == 127 {
			code = core.ErrUnsupported
		}
		return &core.Error{Code: code, Op: "import", Path: name, Err: errors.New(program + " of the image fails")}
	}
	return nil
}
