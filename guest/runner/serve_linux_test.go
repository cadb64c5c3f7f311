package runner_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/guest"
	"github.com/caisson-dev/caisson/guest/linux"
	"github.com/caisson-dev/caisson/guest/protocol"
	"github.com/caisson-dev/caisson/guest/runner"
)

var shared *linux.System

func TestMain(m *testing.M) {
	var err error
	if shared, err = linux.New(linux.Options{}); err != nil {
		panic(err)
	}
	code := m.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// box is a runner in this process, with the host's side of it and a work directory.
type box struct {
	core.Backend
	core.Lister
	core.Stater
	core.Remover
	core.DirMaker
	core.Renamer
	core.Globber
	core.Grepper
	core.Editor
	dir    string
	faults *faulty
	stream atomic.Pointer[net.Conn] // the host's end of the present one
}

// cut ends the stream, as the death of the host's process does.
func (b *box) cut() { _ = (*b.stream.Load()).Close() }

func open(t *testing.T) *box {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	box := &box{dir: dir, faults: &faulty{System: shared}}
	var serving sync.WaitGroup
	b, err := guest.NewBackend(t.Context(), &guest.Options{
		Driver: "test", ID: "test", Config: protocol.Config{WorkDir: dir, Env: []string{"PATH=/usr/bin:/bin"}},
		Open: func(context.Context) (io.ReadWriteCloser, error) {
			host, inside := net.Pipe()
			serving.Go(func() { _ = runner.Serve(inside, box.faults) })
			box.stream.Store(&host)
			return host, nil
		},
		Remove: func(context.Context) error { return nil },
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, b.Stop(context.Background()))
		serving.Wait()
	})
	box.Backend = b
	box.Lister, box.Stater, box.Remover, box.DirMaker = b.(core.Lister), b.(core.Stater), b.(core.Remover), b.(core.DirMaker)
	box.Renamer, box.Globber, box.Grepper, box.Editor = b.(core.Renamer), b.(core.Globber), b.(core.Grepper), b.(core.Editor)
	return box
}

// at returns the absolute path of a name in the work directory.
func (b *box) at(name string) string { return filepath.Join(b.dir, name) }

// put writes a file behind the runner's back, with its parents.
func (b *box) put(t *testing.T, name, content string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(b.at(name)), 0o755))
	require.NoError(t, os.WriteFile(b.at(name), []byte(content), 0o644))
}

func (b *box) link(t *testing.T, target, name string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(b.at(name)), 0o755))
	require.NoError(t, os.Symlink(target, b.at(name)))
}

// content reads a file behind the runner's back.
func (b *box) content(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(b.at(name))
	require.NoError(t, err)
	return string(text)
}

func (b *box) mode(t *testing.T, name string) os.FileMode {
	t.Helper()
	info, err := os.Lstat(b.at(name))
	require.NoError(t, err)
	return info.Mode()
}

// names lists a directory, as a check that nothing temporary is left in it.
func (b *box) names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(b.at(dir))
	require.NoError(t, err)
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

// paths puts the work directory before names.
func (b *box) paths(names ...string) []string {
	var paths []string
	for _, name := range names {
		paths = append(paths, b.at(name))
	}
	return paths
}

// faulty is a System whose file system can be told to fail.
type faulty struct {
	runner.System
	mu   sync.Mutex
	fail func(call, path string) error
}

// failing sets what calls return; nil from it lets a call through.
func (f *faulty) failing(fail func(call, path string) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fail = fail
}

func (f *faulty) check(call, path string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail == nil {
		return nil
	}
	return f.fail(call, path)
}

func (f *faulty) Create(path string, mode os.FileMode) (runner.File, error) {
	if err := f.check("create", path); err != nil {
		return nil, err
	}
	file, err := f.System.Create(path, mode)
	if err != nil {
		return nil, err
	}
	return &faultyFile{File: file, faulty: f, path: path}, nil
}

func (f *faulty) Open(path string) (runner.File, error) {
	if err := f.check("open", path); err != nil {
		return nil, err
	}
	return f.System.Open(path)
}

func (f *faulty) ReadDir(path string) ([]core.FileInfo, error) {
	if err := f.check("readdir", path); err != nil {
		return nil, err
	}
	return f.System.ReadDir(path)
}

func (f *faulty) Chmod(path string, mode os.FileMode) error {
	if err := f.check("chmod", path); err != nil {
		return err
	}
	return f.System.Chmod(path, mode)
}

func (f *faulty) Rename(from, to string) error {
	if err := f.check("rename", from); err != nil {
		return err
	}
	return f.System.Rename(from, to)
}

func (f *faulty) Replace(from, to string) error {
	if err := f.check("replace", from); err != nil {
		return err
	}
	return f.System.Replace(from, to)
}

func (f *faulty) Remove(path string) error {
	if err := f.check("remove", path); err != nil {
		return err
	}
	return f.System.Remove(path)
}

type faultyFile struct {
	runner.File
	faulty *faulty
	path   string
}

func (f *faultyFile) Write(p []byte) (int, error) {
	if err := f.faulty.check("write", f.path); err != nil {
		return 0, err
	}
	return f.File.Write(p)
}

// on returns an error for one call, for failing.
func on(call string, err error) func(string, string) error {
	return func(got, _ string) error {
		if got == call {
			return err
		}
		return nil
	}
}

func TestPathsThatNoVerbTakes(t *testing.T) {
	b := open(t)
	ctx := t.Context()
	for _, path := range []string{"", "..", "../x", "a/../../x", "/proc/self/environ", "/sys/kernel", "a\x00b", strings.Repeat("/a", 3000)} {
		_, err := b.Read(ctx, path, nil)
		require.ErrorIs(t, err, core.ErrInvalid, "read %q", path)
		_, err = b.List(ctx, path)
		require.ErrorIs(t, err, core.ErrInvalid, "list %q", path)
		_, err = b.Stat(ctx, path, true)
		require.ErrorIs(t, err, core.ErrInvalid, "stat %q", path)
		_, err = b.Edit(ctx, path, "a", "b", true)
		require.ErrorIs(t, err, core.ErrInvalid, "edit %q", path)
		require.ErrorIs(t, b.Upload(ctx, path, strings.NewReader(""), nil), core.ErrInvalid, "upload %q", path)
		require.ErrorIs(t, b.Remove(ctx, path, true), core.ErrInvalid, "remove %q", path)
		require.ErrorIs(t, b.Mkdir(ctx, path), core.ErrInvalid, "mkdir %q", path)
		require.ErrorIs(t, b.Rename(ctx, path, "x"), core.ErrInvalid, "rename %q", path)
		require.ErrorIs(t, b.Rename(ctx, "x", path), core.ErrInvalid, "rename to %q", path)
		if path == "" {
			continue // the work directory
		}
		_, err = b.Glob(ctx, "*", &core.Search{Root: path})
		require.ErrorIs(t, err, core.ErrInvalid, "glob %q", path)
		_, err = b.Grep(ctx, "x", &core.Search{Root: path})
		require.ErrorIs(t, err, core.ErrInvalid, "grep %q", path)
	}
}

// A verb that is cancelled in the moment in which its answer comes is answered or cancelled, not half of either.
func TestCancelBesideTheAnswer(t *testing.T) {
	b := open(t)
	b.put(t, "file", "")
	var latency time.Duration
	for range 100 {
		begin := time.Now()
		_, err := b.List(t.Context(), ".")
		require.NoError(t, err)
		latency = time.Since(begin)
	}
	for range 5000 {
		ctx, cancel := context.WithTimeout(t.Context(), rand.N(2*latency))
		list, err := b.List(ctx, ".")
		cancel()
		if err != nil {
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.ErrorIs(t, err, core.ErrCanceled)
		} else {
			require.Len(t, list, 1)
		}
	}
}
