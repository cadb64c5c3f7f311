package runner_test

import (
	"context"
	"errors"
	"io"
	"math"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
)

func TestReadSelectsAPart(t *testing.T) {
	b := open(t)
	const size = 200_000
	text := strings.Repeat("0123456789", size/10)
	b.put(t, "file", text)
	b.put(t, "empty", "")
	b.link(t, "file", "link")
	for _, c := range []struct {
		name string
		path string
		opts core.ReadOptions
		want string
		err  error
	}{
		{"all", "file", core.ReadOptions{}, text, nil},
		{"absolute", b.at("file"), core.ReadOptions{}, text, nil},
		{"link", "link", core.ReadOptions{}, text, nil},
		{"empty", "empty", core.ReadOptions{}, "", nil},
		{"empty with everything", "empty", core.ReadOptions{Offset: 5, Limit: 5, MaxSize: 5}, "", nil},
		{"offset", "file", core.ReadOptions{Offset: 65_537}, text[65_537:], nil},
		{"limit", "file", core.ReadOptions{Limit: 65_537}, text[:65_537], nil},
		{"both", "file", core.ReadOptions{Offset: 3, Limit: 4}, "3456", nil},
		{"limit beyond the end", "file", core.ReadOptions{Offset: size - 2, Limit: 100}, "89", nil},
		{"offset at the end", "file", core.ReadOptions{Offset: size}, "", nil},
		{"offset beyond the end", "file", core.ReadOptions{Offset: 1 << 40}, "", nil},
		{"offset beyond every file", "file", core.ReadOptions{Offset: math.MaxInt64}, "", nil},
		{"largest size", "file", core.ReadOptions{MaxSize: size}, text, nil},
		{"too large", "file", core.ReadOptions{MaxSize: size - 1}, "", core.ErrTooLarge},
		{"limit within the size", "file", core.ReadOptions{Limit: 10, MaxSize: 10}, "0123456789", nil},
		{"limit above the size", "file", core.ReadOptions{Limit: 11, MaxSize: 10}, "", core.ErrTooLarge},
		{"rest within the size", "file", core.ReadOptions{Offset: size - 10, MaxSize: 10}, "0123456789", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := b.Read(t.Context(), c.path, &c.opts)
			if c.err != nil {
				require.ErrorIs(t, err, c.err)
				return
			}
			require.NoError(t, err)
			got, err := io.ReadAll(r)
			require.NoError(t, err)
			require.True(t, c.want == string(got), "%d bytes, want %d", len(got), len(c.want))
			require.NoError(t, r.Close())
		})
	}
}

func TestReadRefusesAtOnce(t *testing.T) {
	b := open(t)
	b.put(t, "dir/file", "")
	b.link(t, "missing", "dangling")
	b.link(t, "loop", "loop")
	b.link(t, "/proc/self/status", "proc")
	require.NoError(t, syscall.Mkfifo(b.at("fifo"), 0o644))
	socket, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", b.at("socket"))
	require.NoError(t, err)
	defer socket.Close()
	for path, want := range map[string]core.Code{
		"missing": core.ErrNotFound, "missing/x": core.ErrNotFound, "dir/file/x": core.ErrNotFound, "dangling": core.ErrNotFound,
		"dir": core.ErrIsDirectory, "fifo": core.ErrNotRegular, "socket": core.ErrNotRegular, "/dev/zero": core.ErrNotRegular,
		"loop": core.ErrInvalid, "proc": core.ErrInvalid,
	} {
		begin := time.Now()
		_, err := b.Read(t.Context(), path, nil)
		require.ErrorIs(t, err, want, path)
		require.Less(t, time.Since(begin), 5*time.Second, path)
		e, ok := errors.AsType[*core.Error](err)
		require.True(t, ok)
		require.NotEmpty(t, e.Path, path)
	}
	b.faults.failing(on("open", syscall.EACCES))
	_, err = b.Read(t.Context(), "dir/file", nil)
	require.ErrorIs(t, err, os.ErrPermission)
	b.faults.failing(on("open", syscall.EMFILE))
	_, err = b.Read(t.Context(), "dir/file", nil)
	require.ErrorIs(t, err, core.ErrResource)
}

func TestReadOfAFileThatGrows(t *testing.T) {
	b := open(t)
	b.put(t, "log", strings.Repeat("a", 1000))
	grow := func() {
		f, err := os.OpenFile(b.at("log"), os.O_APPEND|os.O_WRONLY, 0)
		require.NoError(t, err)
		defer f.Close()
		// More than the runner can have read ahead of the host.
		_, err = f.WriteString(strings.Repeat("b", 4<<20))
		require.NoError(t, err)
	}
	// The file is longer than what is sent ahead, so that it can grow while it is read.
	require.NoError(t, os.Truncate(b.at("log"), 2<<20))
	r, err := b.Read(t.Context(), "log", &core.ReadOptions{MaxSize: 3 << 20})
	require.NoError(t, err)
	grow()
	n, err := io.Copy(io.Discard, r)
	require.ErrorIs(t, err, core.ErrTooLarge)
	require.LessOrEqual(t, n, int64(3<<20))
	require.NoError(t, r.Close())
	r, err = b.Read(t.Context(), "log", nil)
	require.NoError(t, err)
	grow()
	n, err = io.Copy(io.Discard, r)
	require.NoError(t, err)
	require.EqualValues(t, 10<<20, n)
	require.NoError(t, r.Close())
}

func TestReadCanBeGivenUp(t *testing.T) {
	b := open(t)
	b.put(t, "sparse", "")
	require.NoError(t, os.Truncate(b.at("sparse"), 1<<40))
	buf := make([]byte, 10)
	for range 20 {
		r, err := b.Read(t.Context(), "sparse", nil)
		require.NoError(t, err)
		_, err = io.ReadFull(r, buf)
		require.NoError(t, err)
		require.NoError(t, r.Close())
		require.NoError(t, r.Close())
	}
	ctx, cancel := context.WithCancel(t.Context())
	r, err := b.Read(ctx, "sparse", nil)
	require.NoError(t, err)
	time.AfterFunc(20*time.Millisecond, cancel)
	_, err = io.Copy(io.Discard, r)
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, r.Close())
	require.Eventually(t, func() bool { return !isOpen(t, b.at("sparse")) }, 5*time.Second, time.Millisecond, "the runner reads on")
}

// isOpen reports whether this process, and so the runner, has a file open.
func isOpen(t *testing.T, path string) bool {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	for _, entry := range entries {
		if target, err := os.Readlink("/proc/self/fd/" + entry.Name()); err == nil && target == path {
			return true
		}
	}
	return false
}
