package fake_test

import (
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/drivers/fake"
)

// works fails the test unless a command runs in sb.
func works(t *testing.T, sb core.Backend) {
	t.Helper()
	res, err := sb.Execute(t.Context(), core.Shell("echo works"))
	require.NoError(t, err)
	require.Equal(t, "works\n", res.Stdout.String())
}

// inBubble runs a test with a sandbox in a bubble of synctest, so that nothing takes time.
func inBubble(t *testing.T, f func(t *testing.T, d *fake.Driver, sb *core.Sandbox)) {
	synctest.Test(t, func(t *testing.T) {
		d := fake.New(nil)
		f(t, d, start(t, d))
	})
}

func TestEngineGone(t *testing.T) {
	inBubble(t, func(t *testing.T, d *fake.Driver, sb *core.Sandbox) {
		running := make(chan error, 1)
		go func() {
			_, err := sb.Execute(t.Context(), core.Shell("sleep 100"))
			running <- err
		}()
		synctest.Wait()
		d.Inject(fake.EngineGone)
		err := <-running
		require.ErrorIs(t, err, core.ErrIndeterminate)
		require.NotErrorIs(t, err, core.ErrUnavailable, "it says that nothing happened, but the command was sent")
		_, err = d.Info(t.Context())
		require.ErrorIs(t, err, core.ErrUnavailable)
		_, err = d.Prepare(t.Context(), &core.Runtime{Image: "debian"}, nil)
		require.ErrorIs(t, err, core.ErrUnavailable)
		_, err = core.Start(t.Context(), d, &core.Spec{Runtime: &core.Runtime{Image: "debian"}})
		require.ErrorIs(t, err, core.ErrUnavailable)
		for _, timeout := range []time.Duration{0, time.Second, time.Minute} {
			_, err = sb.Execute(t.Context(), &core.Command{Shell: "true", Timeout: timeout})
			require.ErrorIs(t, err, core.ErrUnavailable, "a timeout of %s is not what kept it from running", timeout)
		}
		d.Clear(fake.EngineGone)
		works(t, sb)
	})
}

// A stream that is cut does not end what goes over it: half of it is not taken for the whole.
func TestEngineGoneHalfway(t *testing.T) {
	inBubble(t, func(t *testing.T, d *fake.Driver, sb *core.Sandbox) {
		require.NoError(t, sb.Upload(t.Context(), "file", strings.NewReader("old"), nil))
		for _, send := range []func(io.Reader) error{
			func(src io.Reader) error { return sb.Upload(t.Context(), "file", src, nil) },
			func(src io.Reader) error {
				_, err := sb.Execute(t.Context(), &core.Command{Shell: "cat >half; : >done", Stdin: src})
				return err
			},
		} {
			src, w := io.Pipe()
			sent := make(chan error, 1)
			go func() { sent <- send(src) }()
			_, err := io.WriteString(w, "half")
			require.NoError(t, err)
			synctest.Wait()
			d.Inject(fake.EngineGone)
			require.ErrorIs(t, <-sent, core.ErrIndeterminate)
			d.Clear(fake.EngineGone)
			require.NoError(t, w.Close())
		}
		res, err := sb.Execute(t.Context(), core.Shell("cat file half; ls"))
		require.NoError(t, err)
		require.Equal(t, "oldhalffile\nhalf\n", res.Stdout.String())
	})
}

func TestSlowStream(t *testing.T) {
	inBubble(t, func(t *testing.T, d *fake.Driver, sb *core.Sandbox) {
		begin := time.Now()
		works(t, sb)
		require.Zero(t, time.Since(begin))
		d.Inject(fake.SlowStream)
		works(t, sb)
		require.Greater(t, time.Since(begin), 10*time.Millisecond)
	})
}

func TestOutOfMemory(t *testing.T) {
	inBubble(t, func(t *testing.T, d *fake.Driver, sb *core.Sandbox) {
		d.Inject(fake.OutOfMemory)
		res, err := sb.Execute(t.Context(), core.Shell("echo never"))
		require.NoError(t, err)
		require.Equal(t, core.OutOfMemory, res.Reason)
		require.Equal(t, "SIGKILL", res.Signal)
		works(t, sb)
	})
}

func TestRunnerCrash(t *testing.T) {
	inBubble(t, func(t *testing.T, d *fake.Driver, sb *core.Sandbox) {
		d.Inject(fake.RunnerCrash)
		_, err := sb.Execute(t.Context(), core.Shell("sleep 100"))
		require.ErrorIs(t, err, core.ErrIndeterminate)
		d.Clear(fake.RunnerCrash)
		works(t, sb)
		require.NotContains(t, left(t, sb), "sleep 100", "a new runner sweeps up after the dead one")
	})
}

func TestDeafRunner(t *testing.T) {
	inBubble(t, func(t *testing.T, d *fake.Driver, sb *core.Sandbox) {
		require.NoError(t, sb.Upload(t.Context(), "kept", strings.NewReader("kept"), nil))
		d.Inject(fake.DeafRunner)
		res, err := sb.Execute(t.Context(), &core.Command{Shell: "echo scratch > /tmp/f; sleep 100", Timeout: time.Second})
		require.NoError(t, err)
		require.Equal(t, core.TimedOut, res.Reason)
		require.True(t, res.Restarted)
		d.Clear(fake.DeafRunner)
		res, err = sb.Execute(t.Context(), core.Shell("cat kept; ls /tmp"))
		require.NoError(t, err)
		require.Equal(t, "kept", res.Stdout.String(), "a restart keeps the files and loses /tmp")
	})
}

func TestRestartFails(t *testing.T) {
	inBubble(t, func(t *testing.T, d *fake.Driver, sb *core.Sandbox) {
		d.Inject(fake.DeafRunner)
		d.Inject(fake.RestartFails)
		_, err := sb.Execute(t.Context(), &core.Command{Shell: "sleep 100", Timeout: time.Second})
		require.ErrorIs(t, err, core.ErrLost)
		require.Empty(t, d.Owned(""), "it was removed")
		_, err = sb.Execute(t.Context(), core.Shell("true"))
		require.ErrorIs(t, err, core.ErrLost)
	})
}

func TestStartFails(t *testing.T) {
	d := fake.New(&fake.Options{Faults: []fake.Fault{fake.StartFails}})
	_, err := core.Start(t.Context(), d, &core.Spec{Runtime: &core.Runtime{Image: "debian"}})
	require.ErrorIs(t, err, core.ErrResource)
	require.Empty(t, d.Owned(""))
}

func TestRemoveFails(t *testing.T) {
	inBubble(t, func(t *testing.T, d *fake.Driver, sb *core.Sandbox) {
		d.Inject(fake.RemoveFails)
		require.ErrorIs(t, sb.Stop(t.Context()), core.ErrUnavailable)
		require.Len(t, d.Owned(""), 1)
		d.Clear(fake.RemoveFails)
		require.NoError(t, sb.Stop(t.Context()), "Stop may be called again")
		require.Empty(t, d.Owned(""))
	})
}

func TestDiskFull(t *testing.T) {
	inBubble(t, func(t *testing.T, d *fake.Driver, sb *core.Sandbox) {
		require.NoError(t, sb.Upload(t.Context(), "file", strings.NewReader("old"), nil))
		d.Inject(fake.DiskFull)
		require.ErrorIs(t, sb.Upload(t.Context(), "file", strings.NewReader("new content"), nil), core.ErrResource)
		res, err := sb.Execute(t.Context(), core.Shell("cat file; echo; ls -A | grep -v uploads | grep -v home; echo x > g; echo $?; echo y > /tmp/h"))
		require.NoError(t, err)
		require.Equal(t, "old\nfile\n2\n", res.Stdout.String(), "the old content is whole and nothing else is left")
		require.Contains(t, res.Stderr.String(), "No space left on device")
		d.Clear(fake.DiskFull)
		require.NoError(t, sb.Upload(t.Context(), "file", strings.NewReader("new content"), nil))
	})
}

func TestSandboxLost(t *testing.T) {
	inBubble(t, func(t *testing.T, d *fake.Driver, sb *core.Sandbox) {
		d.Inject(fake.SandboxLost)
		_, err := sb.Execute(t.Context(), core.Shell("true"))
		require.ErrorIs(t, err, core.ErrLost)
		require.NoError(t, sb.Stop(t.Context()))
	})
}

func TestFaultsByURL(t *testing.T) {
	for url, code := range map[string]core.Code{
		"fake:?fault=engine-gone": core.ErrUnavailable,
		"fake:?fault=nope":        core.ErrInvalid,
		"fake:?nope=1":            core.ErrInvalid,
		"fake:somewhere":          core.ErrInvalid,
		"fake://host":             core.ErrInvalid,
		"fake:///path":            core.ErrInvalid,
		"fake:":                   "",
	} {
		t.Run(url, func(t *testing.T) {
			d, err := core.Open(t.Context(), url)
			if err == nil {
				_, err = d.Info(t.Context())
			}
			require.Equal(t, code, core.CodeOf(err))
		})
	}
}
