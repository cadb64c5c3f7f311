package sessions

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/caisson-dev/caisson/core"
)

// DefaultWorkspaceLimit is how many bytes of a session are copied to WorkspaceRoot at most.
const DefaultWorkspaceLimit = 1 << 30

// Sync copies the files of the work directory to the session's directory in
// Options.WorkspaceRoot, in place of what is there. It is called when a session
// ends; programs call it for what must be on this host earlier. The directory is
// the other way round copied into a sandbox whose work directory is empty when
// the session starts.
//
// Sandboxes share no directory with their host, so the directory is a copy, and
// what is changed in it while the session lives is lost. Links that lead out of
// the work directory are left out of it, and so are devices. ErrTooLarge means
// that there is more than Options.WorkspaceLimit; the copy of before stays.
func (s *Session) Sync(ctx context.Context) error {
	return s.use("sync", func() error { return s.manager.syncOut(ctx, s) })
}

// The copy that is being made, and the one that it replaces.
const (
	freshSuffix = ".new"
	staleSuffix = ".old"
)

// lockMirror waits until nobody else copies the files of a session from or to
// this host: the program with Sync, or the end of the session.
func (m *Manager) lockMirror(ctx context.Context, name string) (unlock func(), err error) {
	for {
		m.mu.Lock()
		busy := m.copying[name]
		if busy == nil {
			done := make(chan struct{})
			m.copying[name] = done
			m.mu.Unlock()
			return func() {
				m.mu.Lock()
				delete(m.copying, name)
				m.mu.Unlock()
				close(done)
			}, nil
		}
		m.mu.Unlock()
		select {
		case <-busy:
		case <-ctx.Done():
			return nil, core.Complete(core.Ended(ctx), core.Error{Op: "sync"})
		}
	}
}

// openMirror opens the directory with the copies, and repairs what a crash has left.
func (m *Manager) openMirror(name string) (*os.Root, error) {
	if err := os.MkdirAll(m.options.WorkspaceRoot, 0o700); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(m.options.WorkspaceRoot)
	if err != nil {
		return nil, err
	}
	if _, err := root.Lstat(name); errors.Is(err, fs.ErrNotExist) {
		_ = root.Rename(name+staleSuffix, name) // which is there only if the process died in swap
	}
	return root, nil
}

// syncOut copies the files of a session to this host.
func (m *Manager) syncOut(ctx context.Context, s *Session) error {
	if m.options.WorkspaceRoot == "" {
		return nil
	}
	name := DirName(s.id)
	unlock, err := m.lockMirror(ctx, name)
	if err != nil {
		return err
	}
	defer unlock()
	root, err := m.openMirror(name)
	if err != nil {
		return hostError("sync", err)
	}
	defer root.Close()
	if err := m.copyOut(ctx, s.sandbox, root, name+freshSuffix); err != nil {
		return joinError(err, hostError("sync", root.RemoveAll(name+freshSuffix)))
	}
	return hostError("sync", swap(root, name))
}

// swap puts the fresh copy in the place of the one of before.
func swap(root *os.Root, name string) error {
	if err := root.RemoveAll(name + staleSuffix); err != nil {
		return err
	}
	if err := root.Rename(name, name+staleSuffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := root.Rename(name+freshSuffix, name); err != nil {
		return err
	}
	return root.RemoveAll(name + staleSuffix)
}

func (m *Manager) copyOut(ctx context.Context, sb *core.Sandbox, root *os.Root, name string) error {
	if err := errors.Join(root.RemoveAll(name), root.Mkdir(name, 0o700)); err != nil {
		return hostError("sync", err)
	}
	dir, err := root.OpenRoot(name)
	if err != nil {
		return hostError("sync", err)
	}
	defer dir.Close()
	return through(
		func(w io.Writer) error { return exportTo(ctx, sb, w) },
		func(r io.Reader) error { return unpack(dir, r, m.options.WorkspaceLimit) },
	)
}

// importMark is a file of the work directory for as long as files are copied into
// it. Where it is found the copy was not finished, so what is there is not all.
const importMark = ".caisson-import"

// syncIn copies the files of a session from this host into a sandbox that has
// none, or into any sandbox in which that was begun and not finished.
func (m *Manager) syncIn(ctx context.Context, id string, sb *core.Sandbox, adopted bool) error {
	if m.options.WorkspaceRoot == "" {
		return nil
	}
	name := DirName(id)
	unlock, err := m.lockMirror(ctx, name)
	if err != nil {
		return err
	}
	defer unlock()
	root, err := m.openMirror(name)
	if err != nil {
		return hostError("sync", err)
	}
	defer root.Close()
	dir, err := root.OpenRoot(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return hostError("sync", err)
	}
	defer dir.Close()
	empty, unfinished, err := contents(ctx, sb)
	if err != nil || !unfinished && (adopted || !empty) {
		return err
	}
	remover, ok := core.As[core.Remover](sb, core.CapRemove)
	if !ok {
		return core.Errorf(core.ErrUnsupported, "sync", "the driver cannot remove files")
	}
	if err := sb.Upload(ctx, importMark, strings.NewReader(""), nil); err != nil {
		return err
	}
	err = through(
		func(w io.Writer) error { return pack(dir, w) },
		func(r io.Reader) error { return importFrom(ctx, sb, r) },
	)
	if err != nil {
		return err
	}
	return remover.Remove(ctx, importMark, false)
}

// contents reports whether a work directory holds no more than what every new
// one does, and whether files were being copied into it.
func contents(ctx context.Context, sb *core.Sandbox) (empty, unfinished bool, err error) {
	lister, ok := core.As[core.Lister](sb, core.CapList)
	if !ok {
		return false, false, core.Errorf(core.ErrUnsupported, "sync", "the driver cannot list files")
	}
	files, err := lister.List(ctx, ".")
	if err != nil {
		return false, false, err
	}
	empty = true
	for i := range files {
		switch files[i].Name() {
		case importMark:
			unfinished = true
		case ".home", ".uploads":
		default:
			empty = false
		}
	}
	return empty, unfinished, nil
}

// through joins what writes a stream and what reads it, and returns the error that came first.
func through(write func(io.Writer) error, read func(io.Reader) error) error {
	r, w := io.Pipe()
	written := make(chan error, 1)
	go func() { // ends when either end of the pipe does
		err := write(w)
		_ = w.CloseWithError(err)
		written <- err
	}()
	err := read(r)
	_ = r.CloseWithError(errReader)
	if writeErr := <-written; writeErr != nil && !errors.Is(writeErr, errReader) {
		return writeErr
	}
	return err
}

var errReader = errors.New("the reader has stopped")

// hostError gives an error of this host its form.
func hostError(op string, err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*core.Error](err); ok {
		return e
	}
	return &core.Error{Code: core.CodeOf(err), Op: op, Err: err}
}

// pack writes the files of a directory of this host to a tar stream. Links are
// not followed, so nothing from outside of the directory is in it.
func pack(dir *os.Root, w io.Writer) error {
	out := tar.NewWriter(w)
	err := fs.WalkDir(dir.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || name == "." {
			return err
		}
		return packOne(dir, out, name, d)
	})
	if err != nil {
		return hostError("sync", err)
	}
	return out.Close()
}

func packOne(dir *os.Root, out *tar.Writer, name string, d fs.DirEntry) error {
	info, err := d.Info()
	if err != nil {
		return err
	}
	target := ""
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		if target, err = dir.Readlink(name); err != nil {
			return err
		}
	case !info.IsDir() && !info.Mode().IsRegular():
		return nil
	}
	h, err := tar.FileInfoHeader(info, strings.ReplaceAll(target, `\`, "/"))
	if err != nil {
		return err
	}
	h.Name = name
	h.Uid, h.Gid, h.Uname, h.Gname = 0, 0, "", "" // of no concern to the sandbox
	if err := out.WriteHeader(h); err != nil || !info.Mode().IsRegular() {
		return err
	}
	f, err := dir.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.CopyN(out, f, info.Size())
	return err
}
