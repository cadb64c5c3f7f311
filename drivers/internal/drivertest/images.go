package drivertest

import (
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/internal/enginetest"
)

// program is all that is in the image without a shell. It must not need a C library.
const program = `package main

import (
	"fmt"
	"os"
)

func main() {
	_ = os.WriteFile("made", []byte("here"), 0o600)
	dir, _ := os.Getwd()
	fmt.Println(os.Args[1], dir, os.Getenv("FROM_IMAGE"), os.Getenv("HOME"), os.Getuid())
	os.Exit(7)
}
`

func (s *suite) images(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "main.go"), []byte(program), 0o600))
	build := exec.CommandContext(t.Context(), "go", "build", "-o", "hello", "main.go")
	build.Dir, build.Env = dir, append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOFLAGS=")
	out, err := build.CombinedOutput()
	require.NoError(t, err, string(out))
	hello, err := os.ReadFile(filepath.Join(dir, "hello"))
	require.NoError(t, err)

	t.Run("without shell, libc or tools", func(t *testing.T) {
		ref := "localhost/" + s.owner + "/bare:latest"
		enginetest.Load(t, s.scheme, ref, runtime.GOARCH, enginetest.File{Name: "bin/hello", Mode: 0o755, Data: hello})
		sb := s.start(t, func(spec *core.Spec) { spec.Runtime = &core.Runtime{Image: ref, WorkDir: "/srv/deep/work"} })
		res, err := sb.Execute(t.Context(), core.Program("hello", "world"))
		require.NoError(t, err)
		require.Equal(t, "world /srv/deep/work yes /srv/deep/work/.home 1000\n", res.Combined.String())
		require.Equal(t, 7, res.ExitCode)
		require.Equal(t, "here", read(t, sb, "made"))
		res, err = sb.Execute(t.Context(), core.Shell("true"))
		require.NoError(t, err)
		require.Equal(t, 127, res.ExitCode, "there is no shell")
	})
	t.Run("of another architecture", func(t *testing.T) {
		other := map[string]string{"amd64": "arm64", "arm64": "amd64"}[runtime.GOARCH]
		ref := "localhost/" + s.owner + "/other:latest"
		enginetest.Load(t, s.scheme, ref, other, enginetest.File{Name: "bin/hello", Mode: 0o755, Data: hello})
		s.refused(t, s.driver, &core.Runtime{Image: ref}, core.ErrUnsupported, "is for linux/"+other)
	})
	t.Run("without its network", func(t *testing.T) {
		_, err := core.Start(t.Context(), s.driver, s.spec(func(spec *core.Spec) { spec.Network = "no-such-network" }))
		require.ErrorIs(t, err, core.ErrNotFound)
		require.ErrorContains(t, err, "make it there")
	})
	t.Run("missing", func(t *testing.T) {
		registry := httptest.NewServer(nil) // speaks HTTP, and has no image
		defer registry.Close()
		s.refused(t, s.driver, &core.Runtime{Image: registry.Listener.Addr().String() + "/none:latest"}, "", "none:latest is not on the engine")
	})
}

// refused expects Start and Prepare to fail quickly, in one line, that holds text.
func (s *suite) refused(t *testing.T, drv core.Driver, rt *core.Runtime, code core.Code, text string) {
	t.Helper()
	start := time.Now()
	_, err := core.Start(t.Context(), drv, &core.Spec{Runtime: rt, Owner: s.owner})
	require.Error(t, err)
	require.Less(t, time.Since(start), 5*time.Second)
	if code != "" {
		require.ErrorIs(t, err, code)
	}
	require.NotErrorIs(t, err, core.ErrInternal)
	require.Contains(t, err.Error(), text)
	require.NotContains(t, err.Error(), "\n")
	_, err = drv.Prepare(t.Context(), rt, nil)
	require.Error(t, err)
	require.Contains(t, err.Error(), text)
}
