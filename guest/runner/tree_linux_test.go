package runner_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
)

func TestListAndStat(t *testing.T) {
	b := open(t)
	b.put(t, "d/b.txt", "12345")
	b.put(t, "d/a/below", "")
	b.put(t, "d/.hidden", "")
	b.put(t, "d/a-b", "")
	b.link(t, "b.txt", "d/link")
	b.link(t, "missing", "d/dangling")
	b.link(t, "d", "way")
	require.NoError(t, syscall.Mkfifo(b.at("d/fifo"), 0o600))
	when := time.Unix(1_700_000_000, 123_000_000)
	require.NoError(t, os.Chtimes(b.at("d/b.txt"), when, when))
	require.NoError(t, os.Chmod(b.at("d/b.txt"), 0o640))

	files, err := b.List(t.Context(), "d")
	require.NoError(t, err)
	var lines []string
	for i := range files {
		lines = append(lines, fmt.Sprint(files[i].Name(), " ", files[i].Mode.Type(), " ", files[i].Link))
	}
	require.Equal(t, []string{
		".hidden ---------- ", "a d--------- ", "a-b ---------- ", "b.txt ---------- ",
		"dangling L--------- missing", "fifo p--------- ", "link L--------- b.txt",
	}, lines)
	require.Equal(t, core.FileInfo{
		Path: b.at("d/b.txt"), Size: 5, Mode: 0o640, ModTime: files[3].ModTime, UID: os.Getuid(), GID: os.Getgid(),
	}, files[3])
	require.True(t, when.Equal(files[3].ModTime))
	through, err := b.List(t.Context(), "way")
	require.NoError(t, err)
	require.Len(t, through, len(files))
	require.Equal(t, b.at("way/.hidden"), through[0].Path)
	own, err := b.List(t.Context(), ".")
	require.NoError(t, err)
	require.Len(t, own, 2)
	require.NoError(t, os.Mkdir(b.at("empty"), 0o755))
	none, err := b.List(t.Context(), "empty")
	require.NoError(t, err)
	require.Empty(t, none)

	info, err := b.Stat(t.Context(), "d/link", false)
	require.NoError(t, err)
	require.Equal(t, fs.ModeSymlink, info.Mode.Type())
	require.Equal(t, "b.txt", info.Link)
	info, err = b.Stat(t.Context(), "d/link", true)
	require.NoError(t, err)
	require.Equal(t, b.at("d/link"), info.Path, "the path that was asked for")
	require.EqualValues(t, 5, info.Size)
	require.Empty(t, info.Link)

	for path, want := range map[string]core.Code{
		"missing": core.ErrNotFound, "d/b.txt": core.ErrNotRegular, "d/b.txt/x": core.ErrNotFound, "d/dangling": core.ErrNotFound, "d/fifo": core.ErrNotRegular,
	} {
		_, err := b.List(t.Context(), path)
		require.ErrorIs(t, err, want, path)
	}
	_, err = b.Stat(t.Context(), "d/dangling", true)
	require.ErrorIs(t, err, fs.ErrNotExist)
	b.faults.failing(on("readdir", syscall.EACCES))
	_, err = b.List(t.Context(), "d")
	require.ErrorIs(t, err, fs.ErrPermission, "not an empty list")
}

func TestListOfMoreThanAnAnswerHolds(t *testing.T) {
	b := open(t)
	require.NoError(t, os.Mkdir(b.at("d"), 0o755))
	for i := range 2100 {
		require.NoError(t, os.Symlink(strings.Repeat("t", 4000), b.at(fmt.Sprintf("d/%d", i))))
	}
	_, err := b.List(t.Context(), "d")
	require.ErrorIs(t, err, core.ErrTooLarge)
	for i := range 100 {
		require.NoError(t, os.Remove(b.at(fmt.Sprintf("d/%d", i))))
	}
	files, err := b.List(t.Context(), "d")
	require.NoError(t, err, "what fits is listed, over many frames")
	require.Len(t, files, 2000)
}

func TestRemove(t *testing.T) {
	b := open(t)
	ctx := t.Context()
	b.put(t, "file", "")
	b.put(t, "kept/file", "")
	b.put(t, "tree/a/b/c/file", "")
	b.put(t, "tree/a/-rf", "")
	b.link(t, b.at("kept"), "tree/a/link")
	b.link(t, "kept", "link")
	require.NoError(t, os.Mkdir(b.at("empty"), 0o755))
	require.ErrorIs(t, b.Remove(ctx, "missing", true), core.ErrNotFound)
	require.ErrorIs(t, b.Remove(ctx, "file/x", false), core.ErrNotFound)
	require.ErrorIs(t, b.Remove(ctx, "tree", false), core.ErrConflict)
	require.NoError(t, b.Remove(ctx, "empty", false))
	require.NoError(t, b.Remove(ctx, "file", true))
	require.NoError(t, b.Remove(ctx, "link", true))
	require.NoError(t, b.Remove(ctx, "tree", true))
	require.Equal(t, []string{"kept"}, b.names(t, "."))
	require.Equal(t, []string{"file"}, b.names(t, "kept"), "a link leads out of the tree")
	for _, path := range []string{".", b.dir, filepath.Dir(b.dir), "/"} {
		require.ErrorIs(t, b.Remove(ctx, path, true), core.ErrInvalid, path)
	}
	require.Equal(t, []string{"kept"}, b.names(t, "."))
}

func TestRemoveOfATreeRemovesWhatItCan(t *testing.T) {
	b := open(t)
	for _, name := range []string{"t/a", "t/b/locked", "t/c"} {
		b.put(t, name, "")
	}
	b.faults.failing(func(call, path string) error {
		if call == "remove" && path == b.at("t/b/locked") {
			return syscall.EPERM
		}
		return nil
	})
	err := b.Remove(t.Context(), "t", true)
	require.ErrorIs(t, err, core.ErrPermission)
	e, _ := errors.AsType[*core.Error](err)
	require.Equal(t, b.at("t/b/locked"), e.Path, "the first that could not be removed")
	require.Equal(t, []string{"b"}, b.names(t, "t"))
}

func TestMkdir(t *testing.T) {
	b := open(t)
	ctx := t.Context()
	b.put(t, "file", "")
	b.link(t, "real/made", "dangling")
	require.NoError(t, os.Mkdir(b.at("real"), 0o700))
	defer syscall.Umask(syscall.Umask(0o077))
	for range 2 {
		require.NoError(t, b.Mkdir(ctx, "a/b/c"))
		require.NoError(t, b.Mkdir(ctx, "."))
		require.NoError(t, b.Mkdir(ctx, "dangling"))
	}
	require.Equal(t, os.ModeDir|0o755, b.mode(t, "a"), "whatever the umask")
	require.Equal(t, os.ModeDir|0o755, b.mode(t, "real/made"))
	require.Equal(t, os.ModeDir|0o700, b.mode(t, "real"), "what is there keeps its mode")
	require.ErrorIs(t, b.Mkdir(ctx, "file"), fs.ErrExist)
	require.ErrorIs(t, b.Mkdir(ctx, "file/below"), fs.ErrExist)
}

func TestRename(t *testing.T) {
	b := open(t)
	ctx := t.Context()
	for _, name := range []string{"a", "b", "dir/x", "full/y", "other"} {
		b.put(t, name, name)
	}
	b.link(t, "b", "link")
	require.NoError(t, b.Rename(ctx, "a", "new/parents/a"))
	require.Equal(t, "a", b.content(t, "new/parents/a"))
	require.NoError(t, b.Rename(ctx, "new/parents/a", "b"))
	require.Equal(t, "a", b.content(t, "b"), "a file is replaced")
	require.NoError(t, b.Rename(ctx, "dir", "moved"))
	require.Equal(t, "dir/x", b.content(t, "moved/x"))
	require.NoError(t, b.Rename(ctx, "other", "link"))
	require.Equal(t, "other", b.content(t, "link"))
	require.Equal(t, "a", b.content(t, "b"), "the link was replaced, not what it points at")
	require.NoError(t, b.Rename(ctx, "b", "./b"))
	for _, c := range []struct {
		from, to string
		want     core.Code
	}{
		{"missing", "x", core.ErrNotFound},
		{"b", "moved", core.ErrIsDirectory},
		{"moved", "full", core.ErrConflict},
		{"moved", "b", core.ErrConflict},
		{"moved", "moved/in/itself", core.ErrInvalid},
		{"b", "link/below", core.ErrExists},
		{".", "x", core.ErrInvalid},
		{"b", ".", core.ErrInvalid},
		{b.dir, "/elsewhere", core.ErrInvalid},
	} {
		require.ErrorIs(t, b.Rename(ctx, c.from, c.to), c.want, "%s -> %s", c.from, c.to)
	}
	require.Equal(t, "a", b.content(t, "b"))
}

func TestRenameToAnotherFileSystem(t *testing.T) {
	b := open(t)
	ctx := t.Context()
	b.put(t, "file", "text")
	require.NoError(t, os.Chmod(b.at("file"), 0o750))
	b.put(t, "dir/x", "")
	// The first rename of each is the one across; those of the temporary file stay within.
	b.faults.failing(func(call, path string) error {
		if call == "rename" && !strings.HasPrefix(filepath.Base(path), ".caisson-") {
			return syscall.EXDEV
		}
		return nil
	})
	require.NoError(t, b.Rename(ctx, "file", "there/file"))
	require.Equal(t, "text", b.content(t, "there/file"))
	require.Equal(t, os.FileMode(0o750), b.mode(t, "there/file"))
	require.ErrorIs(t, b.Rename(ctx, "dir", "there/dir"), core.ErrUnsupported)
	require.Equal(t, []string{"dir", "there"}, b.names(t, "."))
}
