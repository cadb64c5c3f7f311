package drivertest

import (
	"context"
	"net"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/internal/enginetest"
)

// errors are those of an engine that does not do what it should.
func (s *suite) errors(t *testing.T) {
	silent := filepath.Join(t.TempDir(), "silent.sock")
	l, err := new(net.ListenConfig).Listen(t.Context(), "unix", silent)
	require.NoError(t, err)
	defer l.Close()
	closed := filepath.Join(t.TempDir(), "closed.sock")
	c, err := net.ListenUnix("unix", &net.UnixAddr{Name: closed})
	require.NoError(t, err)
	c.SetUnlinkOnClose(false)
	require.NoError(t, c.Close())
	for _, test := range []struct {
		name, url string
		code      core.Code
	}{
		{"absent", s.scheme + ":///no/such/engine.sock", core.ErrUnavailable},
		{"refused", s.scheme + "://" + closed, core.ErrUnavailable},
		{"silent", s.scheme + "://" + silent, core.ErrTimeout},
	} {
		t.Run(test.name, func(t *testing.T) {
			drv, err := core.Open(t.Context(), test.url)
			require.NoError(t, err)
			defer drv.Close()
			if test.code == core.ErrTimeout {
				defer s.startEnds(t, drv)() // which must not hold up what follows
			}
			start := time.Now()
			_, err = drv.Info(context.Background())
			require.ErrorIs(t, err, test.code)
			require.NotContains(t, err.Error(), "\n")
			require.Less(t, time.Since(start), 6*time.Second)
			if test.code == core.ErrUnavailable {
				s.refused(t, drv, &core.Runtime{Image: "x"}, test.code, s.scheme)
			}
		})
	}
	for _, url := range []string{s.scheme + ":?nonsense=1", s.scheme + ":opaque", s.scheme + "://user:secret@host"} {
		_, err := core.Open(t.Context(), url)
		require.ErrorIs(t, err, core.ErrInvalid, url)
		require.NotContains(t, err.Error(), "secret")
	}
}

// startEnds starts a sandbox, for as long as that takes, on an engine that does
// not answer. The function that it returns waits for the error.
func (s *suite) startEnds(t *testing.T, drv core.Driver) (wait func()) {
	t.Helper()
	began, failed := time.Now(), make(chan error, 1)
	go func() {
		_, err := core.Start(context.Background(), drv, s.spec())
		failed <- err
	}()
	time.Sleep(100 * time.Millisecond) // now it waits for its first answer
	return func() {
		t.Helper()
		require.ErrorIs(t, <-failed, core.ErrTimeout)
		require.Less(t, time.Since(began), 12*time.Second)
	}
}

// stalled is an engine that takes a request and does not answer it, while all else works.
func (s *suite) stalled(t *testing.T) {
	drv, _ := s.held(t, request("/exec/", "/start"))
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	start := time.Now()
	_, err := core.Start(ctx, drv, s.spec())
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Less(t, time.Since(start), 10*time.Second)
	require.Empty(t, s.census(t))
}

// behindOurBack is what an operator may do to a container while it is in use.
func (s *suite) behindOurBack(t *testing.T) {
	for _, test := range []struct {
		name, method, what string
		code               core.Code
	}{
		{"removed", http.MethodDelete, "?force=1", core.ErrLost},
		{"killed", http.MethodPost, "kill", core.ErrLost},
	} {
		t.Run(test.name, func(t *testing.T) {
			sb := s.start(t)
			id := name(t, sb)
			time.AfterFunc(500*time.Millisecond, func() { enginetest.Container(t, s.scheme, test.method, id, test.what) })
			start := time.Now()
			_, err := sb.Execute(t.Context(), core.Program("sleep", "30"))
			require.ErrorIs(t, err, test.code)
			require.Less(t, time.Since(start), 6*time.Second)
			_, err = sb.Execute(t.Context(), core.Program("true"))
			require.ErrorIs(t, err, test.code)
			require.NoError(t, sb.Stop(t.Context()))
		})
	}
	t.Run("paused", func(t *testing.T) {
		sb := s.start(t)
		id := name(t, sb)
		enginetest.Container(t, s.scheme, http.MethodPost, id, "pause")
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		_, err := sb.Execute(ctx, core.Program("true"))
		require.ErrorIs(t, err, core.ErrIndeterminate, "it runs when the container is unpaused")
		require.Contains(t, err.Error(), "paused")
		_, err = sb.Execute(ctx, core.Program("true"))
		require.ErrorIs(t, err, core.ErrConflict, "nothing was sent")
		require.Contains(t, err.Error(), "paused")
		require.NoError(t, sb.Stop(t.Context()), "a paused sandbox can be stopped")
	})
}

// cancelledStart leaves nothing, wherever it is cut off.
func (s *suite) cancelledStart(t *testing.T) {
	_, err := s.driver.Prepare(t.Context(), &core.Runtime{Image: enginetest.Image()}, nil)
	require.NoError(t, err)
	for after := 5 * time.Millisecond; ; after += after / 2 {
		ctx, cancel := context.WithTimeout(t.Context(), after)
		sb, err := core.Start(ctx, s.driver, s.spec())
		cancel()
		if err == nil {
			require.NoError(t, sb.Stop(t.Context()))
			break
		}
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Empty(t, s.census(t), "left by a start that was cut off after %v", after)
	}
}
