package runner_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
)

func TestUpload(t *testing.T) {
	b := open(t)
	ctx := t.Context()
	put := func(path, content string, mode uint32) {
		t.Helper()
		require.NoError(t, b.Upload(ctx, path, strings.NewReader(content), &core.UploadOptions{Mode: mode}))
	}
	put("new", "text", 0)
	require.Equal(t, "text", b.content(t, "new"))
	require.Equal(t, os.FileMode(0o644), b.mode(t, "new"))
	put(b.at("empty"), "", 0o751)
	require.Empty(t, b.content(t, "empty"))
	require.Equal(t, os.FileMode(0o751), b.mode(t, "empty"))
	put("empty", "now with text", 0)
	require.Equal(t, os.FileMode(0o751), b.mode(t, "empty"), "a file that is there keeps its mode")
	put("empty", "x", 0o640)
	require.Equal(t, "x", b.content(t, "empty"))
	require.Equal(t, os.FileMode(0o640), b.mode(t, "empty"), "unless it is set")
	put("some/new/directory/x", "deep", 0)
	require.Equal(t, os.ModeDir|0o755, b.mode(t, "some/new"))

	large := make([]byte, 5<<20+7)
	_, _ = rand.Read(large)
	for _, name := range []string{"large", "-rf", "a b\n$(x)`y`", "\xff\xfe", "…", strings.Repeat("n", 255)} {
		require.NoError(t, b.Upload(ctx, name, bytes.NewReader(large), nil))
		require.True(t, bytes.Equal(large, []byte(b.content(t, name))), "%q", name)
	}
	require.ErrorIs(t, b.Upload(ctx, strings.Repeat("n", 256), strings.NewReader(""), nil), core.ErrInvalid)
}

func TestUploadFollowsLinks(t *testing.T) {
	b := open(t)
	b.put(t, "target", "old")
	b.put(t, "dir/file", "old")
	for link, target := range map[string]string{
		"link": "target", "chain": "link", "absolute": b.at("target"), "dangling": "dir/made", "up": "dir", "loop": "loop", "nowhere": "missing/x",
	} {
		b.link(t, target, link)
	}
	for _, c := range []struct{ path, lands string }{
		{"link", "target"}, {"chain", "target"}, {"absolute", "target"}, {"dangling", "dir/made"}, {"up/file", "dir/file"}, {"up/new", "dir/new"},
	} {
		require.NoError(t, b.Upload(t.Context(), c.path, strings.NewReader(c.path), nil), c.path)
		require.Equal(t, c.path, b.content(t, c.lands))
		require.True(t, b.mode(t, c.lands).IsRegular())
	}
	require.Equal(t, os.ModeSymlink, b.mode(t, "link").Type(), "the link itself stays")
	require.ErrorIs(t, b.Upload(t.Context(), "loop", strings.NewReader(""), nil), core.ErrInvalid)
	require.ErrorIs(t, b.Upload(t.Context(), "nowhere", strings.NewReader(""), nil), core.ErrNotFound)
}

// What would run the new content with another's rights is no part of what a file keeps.
func TestUploadKeepsPermissionBitsOnly(t *testing.T) {
	const special = os.ModeSetuid | os.ModeSetgid | os.ModeSticky
	b := open(t)
	for name, write := range map[string]func() error{
		"upload": func() error { return b.Upload(t.Context(), "file", strings.NewReader("new"), nil) },
		"edit": func() error {
			_, err := b.Edit(t.Context(), "file", "old", "new", false)
			return err
		},
	} {
		b.put(t, "file", "old")
		require.NoError(t, os.Chmod(b.at("file"), special|0o751))
		require.Equal(t, special|0o751, b.mode(t, "file"), name)
		require.NoError(t, write(), name)
		require.Equal(t, os.FileMode(0o751), b.mode(t, "file"), name)
		require.Equal(t, "new", b.content(t, "file"))
	}
}

func TestUploadRefusesWhatIsNoFile(t *testing.T) {
	b := open(t)
	b.put(t, "dir/file", "")
	b.link(t, "dir", "link")
	require.NoError(t, syscall.Mkfifo(b.at("fifo"), 0o644))
	socket, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", b.at("socket"))
	require.NoError(t, err)
	defer socket.Close()
	for path, want := range map[string]core.Code{
		"dir": core.ErrIsDirectory, "link": core.ErrIsDirectory, "fifo": core.ErrNotRegular, "socket": core.ErrNotRegular,
		"/dev/null": core.ErrNotRegular, "dir/file/below": core.ErrExists, "dir/": core.ErrIsDirectory,
	} {
		begin := time.Now()
		err := b.Upload(t.Context(), path, endless{}, nil)
		require.ErrorIs(t, err, want, path)
		require.Less(t, time.Since(begin), 5*time.Second, "it is refused at once, not when all has come")
	}
	require.Equal(t, []string{"dir", "fifo", "link", "socket"}, b.names(t, "."))
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func TestUploadThatFailsChangesNothing(t *testing.T) {
	b := open(t)
	for call, want := range map[string]core.Code{
		"create": core.ErrPermission, "write": core.ErrResource, "chmod": core.ErrPermission, "replace": core.ErrConflict,
	} {
		t.Run(call, func(t *testing.T) {
			b.put(t, "file", "old")
			cause := map[core.Code]error{
				core.ErrPermission: syscall.EACCES, core.ErrResource: syscall.ENOSPC, core.ErrConflict: syscall.EBUSY,
			}[want]
			b.faults.failing(on(call, cause))
			defer b.faults.failing(nil)
			err := b.Upload(t.Context(), "file", strings.NewReader("new"), nil)
			require.ErrorIs(t, err, want)
			require.Contains(t, err.Error(), cause.Error())
			require.Equal(t, "old", b.content(t, "file"))
			require.Equal(t, []string{"file"}, b.names(t, "."))
		})
	}
	t.Run("source", func(t *testing.T) {
		src := io.MultiReader(strings.NewReader(strings.Repeat("x", 1<<20)), broken{})
		require.ErrorIs(t, b.Upload(t.Context(), "file", src, nil), io.ErrUnexpectedEOF)
		require.Eventually(t, func() bool { return len(b.names(t, ".")) == 1 }, 5*time.Second, time.Millisecond)
		require.Equal(t, "old", b.content(t, "file"))
	})
	t.Run("cancel", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		src := &cancelReader{after: 3 << 20, cancel: cancel}
		require.ErrorIs(t, b.Upload(ctx, "file", src, nil), context.Canceled)
		require.Eventually(t, func() bool { return len(b.names(t, ".")) == 1 }, 5*time.Second, time.Millisecond)
		require.Equal(t, "old", b.content(t, "file"))
	})
	t.Run("stream cut", func(t *testing.T) {
		src := io.MultiReader(strings.NewReader(strings.Repeat("x", 100<<10)), &hook{b.cut})
		require.ErrorIs(t, b.Upload(t.Context(), "file", src, nil), core.ErrIndeterminate)
		require.Eventually(t, func() bool { return len(b.names(t, ".")) == 1 }, 5*time.Second, time.Millisecond)
		require.Equal(t, "old", b.content(t, "file"))
		require.NoError(t, b.Upload(t.Context(), "file", strings.NewReader("new"), nil))
	})
}

// hook calls a function before each of the pieces that it has without end.
type hook struct{ before func() }

func (h *hook) Read(p []byte) (int, error) {
	h.before()
	return len(p), nil
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// cancelReader cancels after so many bytes and goes on for ever.
type cancelReader struct {
	after  int
	cancel context.CancelFunc
}

func (r *cancelReader) Read(p []byte) (int, error) {
	if r.after -= len(p); r.after < 0 {
		r.cancel()
	}
	return len(p), nil
}

func TestUploadAppearsWhole(t *testing.T) {
	b := open(t)
	const size = 1 << 20
	b.put(t, "file", strings.Repeat("0", size))
	var writers, watcher sync.WaitGroup
	stop := make(chan struct{})
	watcher.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			text, err := os.ReadFile(b.at("file"))
			if err != nil || len(text) != size || strings.Count(string(text), string(text[:1])) != size {
				t.Errorf("a reader saw %d bytes of a mixture, %v", len(text), err)
				return
			}
		}
	})
	for i := range 8 {
		writers.Go(func() {
			for range 5 {
				if err := b.Upload(t.Context(), "file", strings.NewReader(strings.Repeat(fmt.Sprint(i), size)), nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	close(stop)
	watcher.Wait()
	require.Equal(t, []string{"file"}, b.names(t, "."))
}

func TestUploadsToOneNewDirectoryAtOnce(t *testing.T) {
	b := open(t)
	var all sync.WaitGroup
	for i := range 32 {
		all.Go(func() {
			if err := b.Upload(t.Context(), fmt.Sprintf("a/b/c/d/%d", i), strings.NewReader("x"), nil); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	require.Len(t, b.names(t, "a/b/c/d"), 32)
}
