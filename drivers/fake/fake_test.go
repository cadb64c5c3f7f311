package fake_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/drivers/fake"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start starts a sandbox and stops it at the end of the test.
func start(t *testing.T, d core.Driver, change ...func(*core.Spec)) *core.Sandbox {
	t.Helper()
	spec := &core.Spec{Runtime: &core.Runtime{Image: "debian:bookworm"}}
	for _, f := range change {
		f(spec)
	}
	sb, err := core.Start(t.Context(), d, spec)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, sb.Stop(context.Background())) })
	return sb
}

func TestExecuteRunsAShell(t *testing.T) {
	sb := start(t, fake.New(nil))
	res, err := sb.Execute(t.Context(), core.Shell("echo hello; echo oops >&2; exit 3"))
	require.NoError(t, err)
	require.Equal(t, "hello\n", res.Stdout.String())
	require.Equal(t, "oops\n", res.Stderr.String())
	require.Equal(t, 3, res.ExitCode)
	require.Equal(t, core.Exited, res.Reason)
}
