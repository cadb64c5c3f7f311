package fake_test

import (
	"bytes"
	"context"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/drivers/fake"
	"github.com/caisson-dev/caisson/guest"
	"github.com/caisson-dev/caisson/guest/binary"
	"github.com/caisson-dev/caisson/guest/protocol"
)

// duplex is the standard input and output of a command.
type duplex struct {
	io.Reader
	io.WriteCloser
}

// TestTheHelperRunsInACommand shows that a sandbox of which only the four
// methods are known can be made to serve the others.
func TestTheHelperRunsInACommand(t *testing.T) {
	d := fake.New(nil)
	sb := start(t, d)
	info, err := d.Info(t.Context())
	require.NoError(t, err)
	helper, err := binary.Load(info.Arch)
	require.NoError(t, err)
	require.NoError(t, sb.Upload(t.Context(), ".caisson/helper", bytes.NewReader(helper), &core.UploadOptions{Mode: 0o755}))

	in, toHelper := io.Pipe()
	fromHelper, out := io.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan *core.Result, 1)
	go func() {
		res, _ := sb.Execute(ctx, &core.Command{Args: []string{".caisson/helper", "runner"}, Stdin: in, Stdout: out}) // its end is looked at
		_ = out.Close()
		ended <- res
	}()
	b, err := guest.NewBackend(t.Context(), &guest.Options{
		Driver: "nested", ID: "nested", Config: protocol.Config{WorkDir: "/workspace", Env: []string{"PATH=/bin"}},
		Open:   func(context.Context) (io.ReadWriteCloser, error) { return duplex{fromHelper, toHelper}, nil },
		Remove: func(context.Context) error { return toHelper.Close() },
	})
	require.NoError(t, err)
	res, err := b.Execute(t.Context(), core.Shell("echo inner; sleep 1000 & echo $!"))
	require.NoError(t, err)
	require.Regexp(t, `^inner\n\d+\n$`, res.Stdout.String())
	lister, ok := core.As[core.Lister](b, core.CapList)
	require.True(t, ok)
	list, err := lister.List(t.Context(), ".caisson")
	require.NoError(t, err)
	require.Len(t, list, 1)

	require.NoError(t, b.Stop(t.Context()))
	require.Equal(t, 0, (<-ended).ExitCode)
	cancel()
	res, err = sb.Execute(t.Context(), core.Shell("ps -o args= | grep -c '[s]leep 1000'"))
	require.NoError(t, err)
	require.Equal(t, "0\n", res.Stdout.String(), "what the helper's commands left is gone with it")
}
