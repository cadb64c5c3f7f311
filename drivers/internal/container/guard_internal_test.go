package container

import (
	"io"
	"os"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/guest/binary"
)

func TestHelperFileHasNoName(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	f, err := helperFile()
	require.NoError(t, err)
	defer f.Close()
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
	got, err := io.ReadAll(f)
	require.NoError(t, err)
	want, err := binary.Load(runtime.GOARCH)
	require.NoError(t, err)
	require.Equal(t, want, got)
	info, err := f.Stat()
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o500), info.Mode().Perm())
}

func TestWithoutAFileThereIsNoGuard(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir()+"/none")
	var g guards
	defer g.close()
	g.stand("/run/engine.sock", guardStart, "key=value").over()
	require.Nil(t, g.program)
}

func TestOnlyLocalSocketsAreGuarded(t *testing.T) {
	for host, want := range map[string]string{
		"unix:///run/docker.sock": "/run/docker.sock", "tcp://127.0.0.1:2375": "", "ssh://user@host/run/podman.sock": "", "npipe:////./pipe/docker_engine": "",
	} {
		require.Equal(t, want, SocketOf(host), host)
	}
}
