package linux

import (
	"bytes"
	"os/exec"
	"testing"

	"github.com/caisson-dev/caisson/guest/runner"
	"github.com/stretchr/testify/require"
)

// BenchmarkTrue compares a command through the System with a bare fork and exec.
func BenchmarkTrue(b *testing.B) {
	b.Run("bare", func(b *testing.B) {
		for b.Loop() {
			require.NoError(b, exec.Command("/bin/true").Run())
		}
	})
	b.Run("piped", func(b *testing.B) {
		for b.Loop() {
			cmd := exec.Command("/bin/true")
			cmd.Stdout, cmd.Stderr = new(bytes.Buffer), new(bytes.Buffer)
			require.NoError(b, cmd.Run())
		}
	})
	b.Run("system", func(b *testing.B) {
		sys, err := New(Options{})
		require.NoError(b, err)
		for b.Loop() {
			var out, errOut bytes.Buffer
			p, err := sys.Start(&runner.Command{Args: []string{"/bin/true"}, Dir: "/", Stdout: &out, Stderr: &errOut})
			require.NoError(b, err)
			require.Zero(b, wait(b, p).Code)
		}
	})
}
