package kernel_test

import (
	"io"
	"io/fs"
	"path"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/drivers/fake/internal/kernel"
)

var alice, bob = kernel.User{UID: 1000, GID: 1000}, kernel.User{UID: 1001, GID: 1001}

// newFS returns a file system with a directory of alice's, /home, of so many bytes, and /tmp for everyone.
func newFS(room int64) *kernel.FS {
	f := kernel.NewFS(kernel.NewVolume(1<<30, nil))
	f.Install("/home", kernel.Node{Mode: fs.ModeDir | 0o755, Owner: alice, Volume: kernel.NewVolume(room, nil)})
	f.Install("/tmp", kernel.Node{Mode: fs.ModeDir | fs.ModeSticky | 0o777, Volume: kernel.NewVolume(1<<20, nil)})
	f.Install("/etc/passwd", kernel.Node{Mode: 0o644, Data: []byte("root\n")})
	f.Install("/root/secret", kernel.Node{Mode: 0o600, Data: []byte("secret")})
	f.Install("/root", kernel.Node{Mode: fs.ModeDir | 0o700})
	return f
}

func write(t *testing.T, f *kernel.FS, u kernel.User, name, text string) error {
	t.Helper()
	file, err := f.Open(u, name, kernel.OpenFlags{Write: true, Create: true, Truncate: true, Mode: 0o644})
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = file.Write([]byte(text))
	return err
}

func read(t *testing.T, f *kernel.FS, u kernel.User, name string) (string, error) {
	t.Helper()
	file, err := f.Open(u, name, kernel.OpenFlags{Read: true})
	if err != nil {
		return "", err
	}
	defer file.Close()
	data, err := io.ReadAll(file)
	return string(data), err
}

func TestErrnoAnswersForItsTwins(t *testing.T) {
	for err, twin := range map[error]error{
		kernel.ENOENT: fs.ErrNotExist, kernel.EEXIST: fs.ErrExist, kernel.EACCES: fs.ErrPermission, kernel.EPERM: fs.ErrPermission,
	} {
		require.ErrorIs(t, err, twin)
	}
	var no syscall.Errno
	require.ErrorAs(t, kernel.ENOSPC, &no)
	require.Equal(t, syscall.ENOSPC, no)
}

func TestPermissions(t *testing.T) {
	f := newFS(1 << 20)
	require.NoError(t, write(t, f, alice, "/home/f", "x"))
	for name, c := range map[string]struct {
		do   func() error
		want error
	}{
		"read a secret":            {func() error { _, err := read(t, f, alice, "/root/secret"); return err }, kernel.EACCES},
		"stat behind a wall":       {func() error { _, err := f.Stat(alice, "/root/secret", true); return err }, kernel.EACCES},
		"list a closed directory":  {func() error { _, err := f.ReadDir(alice, "/root"); return err }, kernel.EACCES},
		"create where one may not": {func() error { return write(t, f, alice, "/etc/x", "") }, kernel.EACCES},
		"write another's file":     {func() error { return write(t, f, bob, "/home/f", "") }, kernel.EACCES},
		"read another's file":      {func() error { _, err := read(t, f, bob, "/home/f"); return err }, nil},
		"remove another's file":    {func() error { return f.Remove(bob, "/home/f") }, kernel.EACCES},
		"chmod another's file":     {func() error { return f.Chmod(bob, "/home/f", 0o777) }, kernel.EPERM},
		"root does as it likes":    {func() error { return write(t, f, kernel.Root, "/root/x", "") }, nil},
		"missing":                  {func() error { _, err := f.Stat(alice, "/nope", true); return err }, kernel.ENOENT},
		"below a file":             {func() error { _, err := f.Stat(alice, "/etc/passwd/x", true); return err }, kernel.ENOTDIR},
		"a file with a slash":      {func() error { _, err := f.Stat(alice, "/etc/passwd/", true); return err }, kernel.ENOTDIR},
		"write a directory":        {func() error { return write(t, f, alice, "/home", "") }, kernel.EISDIR},
		"a long name":              {func() error { return write(t, f, alice, "/home/"+strings.Repeat("n", 256), "") }, kernel.ENAMETOOLONG},
		"a long path":              {func() error { return write(t, f, alice, "/home"+strings.Repeat("/.", 2100), "") }, kernel.ENAMETOOLONG},
		"no path":                  {func() error { return write(t, f, alice, "", "") }, kernel.ENOENT},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.want, c.do())
		})
	}
}

func TestTheStickyBit(t *testing.T) {
	f := newFS(1 << 20)
	require.NoError(t, write(t, f, alice, "/tmp/f", "x"))
	require.Equal(t, error(kernel.EPERM), f.Remove(bob, "/tmp/f"))
	require.Equal(t, error(kernel.EPERM), f.Rename(bob, "/tmp/f", "/tmp/g"))
	require.NoError(t, f.Remove(alice, "/tmp/f"))
}

func TestLinks(t *testing.T) {
	f := newFS(1 << 20)
	require.NoError(t, f.Symlink(alice, "target", "/home/link"))
	_, err := read(t, f, alice, "/home/link")
	require.Equal(t, error(kernel.ENOENT), err)
	require.NoError(t, write(t, f, alice, "/home/link", "by link"), "a link that leads nowhere leads to a new file")
	text, err := read(t, f, alice, "/home/target")
	require.NoError(t, err)
	require.Equal(t, "by link", text)

	require.NoError(t, f.Symlink(alice, "loop", "/home/loop"))
	_, err = f.Stat(alice, "/home/loop", true)
	require.Equal(t, error(kernel.ELOOP), err)
	info, err := f.Stat(alice, "/home/loop", false)
	require.NoError(t, err)
	require.Equal(t, "loop", info.Link)

	require.NoError(t, f.Symlink(alice, "/etc/../home/.", "/home/dir"))
	real, err := f.Resolve(alice, "/home/dir/dir/target")
	require.NoError(t, err)
	require.Equal(t, "/home/target", real)
	info, err = f.Stat(alice, "/home/dir/", false)
	require.NoError(t, err)
	require.True(t, info.IsDir(), "a slash at the end follows the link")

	require.NoError(t, f.Link(alice, "/home/target", "/home/hard"))
	require.NoError(t, f.Remove(alice, "/home/target"))
	text, err = read(t, f, alice, "/home/hard")
	require.NoError(t, err)
	require.Equal(t, "by link", text)
	require.Equal(t, error(kernel.EXDEV), f.Link(alice, "/home/hard", "/tmp/hard"))
	require.Equal(t, error(kernel.EXDEV), f.Rename(alice, "/home/hard", "/tmp/hard"))
	require.Equal(t, error(kernel.EPERM), f.Link(alice, "/home", "/home/x"))
}

func TestRename(t *testing.T) {
	f := newFS(1 << 20)
	for _, dir := range []string{"/home/a", "/home/a/b", "/home/empty", "/home/full"} {
		require.NoError(t, f.Mkdir(alice, dir, 0o755))
	}
	require.NoError(t, write(t, f, alice, "/home/full/f", "f"))
	require.NoError(t, write(t, f, alice, "/home/file", "file"))
	for _, c := range []struct {
		from, to string
		want     error
	}{
		{"/home/a", "/home/a/b/c", kernel.EINVAL},
		{"/home/a", "/home/full", kernel.ENOTEMPTY},
		{"/home/a", "/home/file", kernel.ENOTDIR},
		{"/home/file", "/home/empty", kernel.EISDIR},
		{"/home/nope", "/home/x", kernel.ENOENT},
		{"/home/file", "/home/nope/x", kernel.ENOENT},
		{"/home", "/elsewhere", kernel.EXDEV},
		{"/home/file", "/home/file", nil},
		{"/home/file", "/home/full/f", nil},
		{"/home/a", "/home/empty", nil},
	} {
		require.Equal(t, c.want, f.Rename(alice, c.from, c.to), "%s to %s", c.from, c.to)
	}
	text, err := read(t, f, alice, "/home/full/f")
	require.NoError(t, err)
	require.Equal(t, "file", text)
	real, err := f.Resolve(alice, "/home/empty/b/..")
	require.NoError(t, err)
	require.Equal(t, "/home/empty", real, "a directory that moved knows its new parent")
}

func TestVolumes(t *testing.T) {
	ram := kernel.NewVolume(1<<20, nil)
	vol := kernel.NewVolume(100_000, ram)
	f := kernel.NewFS(kernel.NewVolume(1<<30, nil))
	f.Install("/v", kernel.Node{Mode: fs.ModeDir | 0o755, Owner: alice, Volume: vol})
	require.NoError(t, write(t, f, alice, "/v/a", strings.Repeat("x", 60_000)))
	require.Equal(t, error(kernel.ENOSPC), write(t, f, alice, "/v/b", strings.Repeat("x", 60_000)))
	text, err := read(t, f, alice, "/v/b")
	require.NoError(t, err)
	require.NotEmpty(t, text, "as much as fitted was written")
	used, _ := f.Used(ram)
	require.Greater(t, used, int64(90_000))
	require.NoError(t, f.Remove(alice, "/v/a"))
	require.NoError(t, f.Remove(alice, "/v/b"))
	used, _ = f.Used(ram)
	require.Zero(t, used, "all was given back")
	require.NoError(t, write(t, f, alice, "/v/b", strings.Repeat("x", 60_000)))
	require.NoError(t, write(t, f, alice, "/v/b", ""), "truncated")
	used, _ = f.Used(vol)
	require.Less(t, used, int64(1000))

	f.SetReadOnly(vol)
	require.Equal(t, error(kernel.EROFS), write(t, f, alice, "/v/c", ""))
	require.Equal(t, error(kernel.EROFS), f.Remove(kernel.Root, "/v/b"))
	require.Equal(t, error(kernel.EROFS), f.Chmod(alice, "/v/b", 0o777))
}

func TestFileSize(t *testing.T) {
	f := newFS(1 << 30)
	f.SetFileSize(1000)
	file, err := f.Open(alice, "/home/f", kernel.OpenFlags{Write: true, Create: true, Mode: 0o644})
	require.NoError(t, err)
	n, err := file.Write(make([]byte, 1500))
	require.Equal(t, 1000, n)
	require.Equal(t, error(kernel.EFBIG), err)
	require.Equal(t, error(kernel.EFBIG), file.Truncate(1001))
}

func TestHolesCostNothing(t *testing.T) {
	vol := kernel.NewVolume(1<<20, nil)
	f := kernel.NewFS(kernel.NewVolume(1<<30, nil))
	f.Install("/v", kernel.Node{Mode: fs.ModeDir | 0o777, Volume: vol})
	file, err := f.Open(alice, "/v/f", kernel.OpenFlags{Read: true, Write: true, Create: true, Mode: 0o644})
	require.NoError(t, err)
	require.NoError(t, file.Truncate(1<<40))
	_, err = file.Seek(-3, io.SeekEnd)
	require.NoError(t, err)
	_, err = file.Write([]byte("end"))
	require.NoError(t, err)
	used, _ := f.Used(vol)
	require.Less(t, used, int64(200_000))
	_, err = file.Seek(-5, io.SeekEnd)
	require.NoError(t, err)
	data, err := io.ReadAll(file)
	require.NoError(t, err)
	require.Equal(t, "\x00\x00end", string(data))
}

// FuzzContent compares a file with a slice of bytes that the same is done to.
func FuzzContent(f *testing.F) {
	f.Add([]byte{0, 0, 10, 1, 0, 5, 0, 255, 255})
	f.Add([]byte{0, 128, 0, 0, 255, 200, 1, 64, 0, 1, 255, 0, 0, 10, 10})
	f.Fuzz(func(t *testing.T, script []byte) {
		fsys := newFS(1 << 30)
		file, err := fsys.Open(alice, "/home/f", kernel.OpenFlags{Read: true, Write: true, Create: true, Mode: 0o644})
		require.NoError(t, err)
		var model []byte
		for i := byte(1); len(script) >= 3; i++ {
			op, at := script[0], int64(script[1])<<10|int64(script[2])
			script = script[3:]
			if op%2 == 1 {
				require.NoError(t, file.Truncate(at))
				model = append(model, make([]byte, max(at-int64(len(model)), 0))...)[:at]
				continue
			}
			data := make([]byte, int(op)<<6)
			for k := range data {
				data[k] = i
			}
			_, err := file.Seek(at, io.SeekStart)
			require.NoError(t, err)
			n, err := file.Write(data)
			require.NoError(t, err)
			require.Len(t, data, n)
			if len(data) > 0 {
				model = append(model, make([]byte, max(at+int64(n)-int64(len(model)), 0))...)
				copy(model[at:], data)
			}
		}
		_, err = file.Seek(0, io.SeekStart)
		require.NoError(t, err)
		got, err := io.ReadAll(file)
		require.NoError(t, err)
		require.Equal(t, string(model), string(got))
	})
}

// FuzzPaths makes changes by arbitrary paths and looks that the tree stays one.
func FuzzPaths(f *testing.F) {
	for _, seed := range []string{"a/b", "../..", "//x//", "a/./b/../c", ".", "", "l/x", "\x00", strings.Repeat("d/", 50)} {
		f.Add(seed, "l")
	}
	f.Fuzz(func(t *testing.T, one, other string) {
		fsys := newFS(1 << 20)
		require.NoError(t, fsys.Symlink(alice, "..", "/home/l"))
		a, b := "/home/"+one, "/home/"+other
		_ = fsys.Mkdir(alice, a, 0o755) // what of all this works does not matter
		_ = write(t, fsys, alice, b, "x")
		_ = fsys.Symlink(alice, one, b)
		_ = fsys.Rename(alice, a, b)
		_ = fsys.Link(alice, b, a+"2")
		_ = fsys.Rmdir(alice, a)
		_ = fsys.Remove(alice, b)
		seen := make(map[uint64]bool)
		var walk func(dir string)
		walk = func(dir string) {
			list, err := fsys.ReadDir(kernel.Root, dir)
			require.NoError(t, err)
			for _, child := range list {
				require.Equal(t, dir, path.Dir(child.Path))
				if child.IsDir() {
					require.False(t, seen[child.Inode], "%s is there twice", child.Path)
					seen[child.Inode] = true
					up, err := fsys.Resolve(kernel.Root, child.Path+"/..")
					require.NoError(t, err)
					require.Equal(t, dir, up)
					walk(child.Path)
				}
			}
		}
		walk("/")
		text, err := read(t, fsys, kernel.Root, "/root/secret")
		require.NoError(t, err)
		require.Equal(t, "secret", text, "alice cannot change it")
		text, err = read(t, fsys, kernel.Root, "/etc/passwd")
		require.NoError(t, err)
		require.Equal(t, "root\n", text)
	})
}
