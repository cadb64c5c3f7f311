package conformance_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// elsewhere is the whole test file of a driver in another module.
const elsewhere = `package mine

import (
	"context"
	"testing"

	"github.com/caisson-dev/caisson/conformance"
	"github.com/caisson-dev/caisson/core"
)

func TestConformance(t *testing.T) {
	conformance.Run(t, &conformance.Harness{
		Open: func(context.Context) (core.Driver, error) { return Open(), nil },
		Spec: core.Spec{Runtime: &core.Runtime{Image: "host"}},
	})
}
`

// TestDriverInAnotherModule copies the skeleton out of this module, as an
// author of a driver would, and runs the suite there.
func TestDriverInAnotherModule(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a module of its own")
	}
	require.LessOrEqual(t, strings.Count(elsewhere, "\n"), 20, "lines of its test file")
	root, err := filepath.Abs("..")
	require.NoError(t, err)
	dir := t.TempDir()
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	read := func(name string) string {
		data, err := os.ReadFile(filepath.Join(root, name))
		require.NoError(t, err)
		return string(data)
	}
	const module = "github.com/caisson-dev/caisson"
	write("mine.go", strings.Replace(read("examples/driver-skeleton/driver_linux.go"), "package skeleton", "package mine", 1))
	write("mine_test.go", elsewhere)
	write("go.sum", read("go.sum"))
	write("go.mod", strings.Replace(read("go.mod"), "module "+module, "module example.com/mine", 1)+
		"\nrequire "+module+" v0.0.0\n\nreplace "+module+" => "+root+"\n")
	cmd := exec.CommandContext(t.Context(), "go", "test", "-mod=mod", "-v", "-run", "^TestConformance$/^execute$", ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off", "GOPROXY=off")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "--- PASS: TestConformance/execute/success")
	require.Contains(t, string(out), "skeleton on process 1")
}
