package guest_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/guest"
	"github.com/caisson-dev/caisson/guest/linux"
	"github.com/caisson-dev/caisson/guest/protocol"
	"github.com/caisson-dev/caisson/guest/runner"
)

// system is the one Linux system of the test process.
var system = sync.OnceValues(func() (*linux.System, error) { return linux.New(linux.Options{}) })

// four is a Backend with the four methods and nothing else. What it does with
// /tmp it does in a directory of the test's, and a test can have a say first.
type four struct {
	inner core.Backend
	dir   string // the work directory
	tmp   string

	mu       sync.Mutex
	before   func(program string) *core.Result
	executed []string
	uploaded []string
}

func openFour(t *testing.T) *four {
	t.Helper()
	sys, err := system()
	require.NoError(t, err)
	f := &four{dir: t.TempDir(), tmp: t.TempDir()}
	var serving sync.WaitGroup
	f.inner, err = guest.NewBackend(t.Context(), &guest.Options{
		Driver: "four", ID: "0123", Config: protocol.Config{WorkDir: f.dir, Env: []string{"PATH=/usr/bin:/bin"}},
		Open: func(context.Context) (io.ReadWriteCloser, error) {
			host, inside := net.Pipe()
			serving.Go(func() { _ = runner.Serve(inside, sys) })
			return host, nil
		},
		Remove: func(context.Context) error { return nil },
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, f.inner.Stop(context.Background()))
		serving.Wait()
	})
	return f
}

func (f *four) moved(path string) string {
	if rest, ok := strings.CutPrefix(path, "/tmp/"); ok {
		return filepath.Join(f.tmp, rest)
	}
	return path
}

func (f *four) Execute(ctx context.Context, cmd *core.Command) (*core.Result, error) {
	f.mu.Lock()
	f.executed = append(f.executed, cmd.Args[0])
	before := f.before
	f.mu.Unlock()
	if before != nil {
		if res := before(cmd.Args[0]); res != nil {
			return res, nil
		}
	}
	moved := *cmd
	moved.Args = append([]string{f.moved(cmd.Args[0])}, cmd.Args[1:]...)
	return f.inner.Execute(ctx, &moved)
}

func (f *four) Upload(ctx context.Context, path string, src io.Reader, opts *core.UploadOptions) error {
	f.mu.Lock()
	f.uploaded = append(f.uploaded, path)
	f.mu.Unlock()
	return f.inner.Upload(ctx, f.moved(path), src, opts)
}

func (f *four) Read(ctx context.Context, path string, opts *core.ReadOptions) (io.ReadCloser, error) {
	return f.inner.Read(ctx, f.moved(path), opts)
}

func (f *four) Stop(ctx context.Context) error { return f.inner.Stop(ctx) }

func (f *four) uploads() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.uploaded
}

func (f *four) put(t *testing.T, name, content string) {
	t.Helper()
	require.NoError(t, f.inner.Upload(t.Context(), name, strings.NewReader(content), nil))
}

func closeFiles(t *testing.T, files *guest.Files) {
	t.Helper()
	t.Cleanup(func() { require.NoError(t, files.Close()) })
}

func TestFilesOfABackendWithFourMethods(t *testing.T) {
	b := openFour(t)
	ctx := t.Context()
	files := guest.NewFiles(b)
	closeFiles(t, files)
	require.Empty(t, b.executed, "nothing happens before the first verb")
	b.put(t, "src/a.go", "package a\r\n// needle\r\n")
	b.put(t, "src/sub/b.go", "package b\n")

	entries, err := files.List(ctx, "src")
	require.NoError(t, err)
	require.Len(t, entries, 2)
	require.Equal(t, filepath.Join(b.dir, "src/a.go"), entries[0].Path)
	info, err := files.Stat(ctx, "src/sub", false)
	require.NoError(t, err)
	require.True(t, info.IsDir())
	paths, err := files.Glob(ctx, "src/**/*.{go,md}", nil)
	require.NoError(t, err)
	require.Equal(t, []string{filepath.Join(b.dir, "src/a.go"), filepath.Join(b.dir, "src/sub/b.go")}, paths.Paths)
	found, err := files.Grep(ctx, `ne+dle`, &core.Search{Include: "*.go"})
	require.NoError(t, err)
	require.Equal(t, []core.Match{{Path: filepath.Join(b.dir, "src/a.go"), Line: 2, Text: "// needle"}}, found.Matches)
	n, err := files.Edit(ctx, "src/a.go", "a\n// needle", "b\n// thread", false)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	text, err := os.ReadFile(filepath.Join(b.dir, "src/a.go"))
	require.NoError(t, err)
	require.Equal(t, "package b\r\n// thread\r\n", string(text))
	require.NoError(t, files.Mkdir(ctx, "new/dir"))
	require.NoError(t, files.Rename(ctx, "src/a.go", "new/dir/a.go"))
	require.ErrorIs(t, files.Remove(ctx, "new", false), core.ErrConflict)
	require.NoError(t, files.Remove(ctx, "new", true))
	_, err = files.Stat(ctx, "new", false)
	require.ErrorIs(t, err, fs.ErrNotExist)
	e, ok := errors.AsType[*core.Error](err)
	require.True(t, ok)
	require.Equal(t, "stat", e.Op)
	require.Equal(t, filepath.Join(b.dir, "new"), e.Path)

	require.Len(t, b.uploads(), 1, "one helper serves them all")
	require.Equal(t, "/tmp", filepath.Dir(filepath.Dir(b.uploads()[0])), "it is out of the work directory")
	again := guest.NewFiles(b)
	closeFiles(t, again)
	_, err = again.List(ctx, ".")
	require.NoError(t, err)
	require.Len(t, b.uploads(), 1, "the next one finds it there")
}

func TestFilesGoElsewhereIfTmpHoldsNoPrograms(t *testing.T) {
	for name, refusal := range map[string]*core.Result{
		"not mounted for programs": {Reason: core.Exited, ExitCode: 126},
		"gone at once":             {Reason: core.Exited, ExitCode: 127},
	} {
		t.Run(name, func(t *testing.T) {
			b := openFour(t)
			b.before = func(program string) *core.Result {
				if strings.HasPrefix(program, "/tmp/") {
					return refusal
				}
				return nil
			}
			files := guest.NewFiles(b)
			closeFiles(t, files)
			entries, err := files.List(t.Context(), ".")
			require.NoError(t, err)
			require.Len(t, entries, 1)
			require.Equal(t, filepath.Join(b.dir, ".caisson"), entries[0].Path)
		})
	}
}

func TestFilesOfASandboxThatRunsNoHelper(t *testing.T) {
	b := openFour(t)
	b.before = func(string) *core.Result {
		return &core.Result{Reason: core.Exited, ExitCode: 126, Stderr: core.Output{Head: []byte("helper: exec format error\n"), Total: 26}}
	}
	files := guest.NewFiles(b)
	closeFiles(t, files)
	_, err := files.List(t.Context(), ".")
	require.ErrorIs(t, err, core.ErrUnsupported)
	require.ErrorIs(t, err, errors.ErrUnsupported)
	require.Contains(t, err.Error(), "exec format error")
}

func TestFilesStartTheirHelperAgain(t *testing.T) {
	b := openFour(t)
	ctx := t.Context()
	files := guest.NewFiles(b)
	closeFiles(t, files)
	require.NoError(t, files.Mkdir(ctx, "d"))
	// The helper is a process of the sandbox like any other: something in it ends it, and removes its file.
	res, err := b.inner.Execute(ctx, core.Shell(`rm -r `+b.tmp+`/.caisson; for p in /proc/[0-9]*; do
		tr '\0' ' ' <$p/cmdline 2>/dev/null | grep -q "^`+b.tmp+`/.caisson/" && kill -KILL ${p#/proc/}; done; true`))
	require.NoError(t, err)
	require.True(t, res.Success(), res.Stderr.String())
	require.Eventually(t, func() bool { return files.Mkdir(ctx, "e") == nil }, 10*time.Second, 10*time.Millisecond)
	require.Len(t, b.uploads(), 2)
}

func TestFilesEnd(t *testing.T) {
	t.Run("with Close", func(t *testing.T) {
		b := openFour(t)
		files := guest.NewFiles(b)
		require.NoError(t, files.Mkdir(t.Context(), "d"))
		require.NoError(t, files.Close())
		require.NoError(t, files.Close())
		require.ErrorIs(t, files.Mkdir(t.Context(), "e"), core.ErrStopped)
		res, err := b.inner.Execute(t.Context(), core.Program("true"))
		require.NoError(t, err)
		require.True(t, res.Success(), "the Backend is left as it is")
	})
	t.Run("unused", func(t *testing.T) {
		require.NoError(t, guest.NewFiles(openFour(t)).Close())
	})
	t.Run("with the Backend", func(t *testing.T) {
		b := openFour(t)
		files := guest.NewFiles(b)
		require.NoError(t, files.Mkdir(t.Context(), "d"))
		require.NoError(t, b.Stop(t.Context()))
		require.ErrorIs(t, files.Mkdir(t.Context(), "e"), core.ErrStopped)
	})
	t.Run("with the context of a verb only", func(t *testing.T) {
		b := openFour(t)
		files := guest.NewFiles(b)
		closeFiles(t, files)
		ctx, cancel := context.WithCancel(t.Context())
		require.NoError(t, files.Mkdir(ctx, "d"))
		cancel()
		require.ErrorIs(t, files.Mkdir(ctx, "e"), context.Canceled)
		require.NoError(t, files.Mkdir(t.Context(), "f"))
		require.Len(t, b.uploads(), 1)
	})
}

func TestFilesOfABackendThatHasThem(t *testing.T) {
	b := openFour(t)
	files := guest.NewFiles(b.inner)
	closeFiles(t, files)
	require.NoError(t, files.Mkdir(t.Context(), "d"))
	entries, err := files.List(t.Context(), ".")
	require.NoError(t, err)
	require.Len(t, entries, 1, "no helper was needed")
}

func TestFilesAtOnce(t *testing.T) {
	b := openFour(t)
	files := guest.NewFiles(b)
	closeFiles(t, files)
	var all sync.WaitGroup
	for i := range 32 {
		all.Go(func() {
			if err := files.Mkdir(t.Context(), filepath.Join("d", strings.Repeat("x", i+1))); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	entries, err := files.List(t.Context(), "d")
	require.NoError(t, err)
	require.Len(t, entries, 32)
	require.Len(t, b.uploads(), 1)
}
