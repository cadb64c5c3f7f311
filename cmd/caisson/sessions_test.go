package main

import (
	"context"
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/internal/enginetest"
	"github.com/caisson-dev/caisson/sessions"
)

// TestSessions runs the scripts beside a program that has sessions, and notices nothing.
func TestSessions(t *testing.T) {
	for _, scheme := range []string{"docker", "podman"} {
		t.Run(scheme, func(t *testing.T) {
			drv := enginetest.Open(t, scheme)
			owner, resting := "cli-test-"+strings.ToLower(rand.Text()), "resting ../é"
			m, err := sessions.New(drv, &sessions.Options{
				Owner: owner, DefaultRuntime: &core.Runtime{Image: enginetest.Image(), WorkDir: "/data"},
			})
			require.NoError(t, err)
			t.Cleanup(func() {
				for _, id := range []string{"live", resting, "new"} {
					_, err := m.Release(context.Background(), id)
					require.NoError(t, err)
				}
				_, err := m.Shutdown(context.Background())
				require.NoError(t, err)
				require.Empty(t, enginetest.Objects(t, scheme, core.LabelPrefix+".owner="+owner))
			})
			s, err := m.GetOrCreate(t.Context(), resting, nil)
			require.NoError(t, err)
			require.NoError(t, s.Upload(t.Context(), "file", strings.NewReader("of resting\n"), nil))
			require.NoError(t, m.Hibernate(t.Context(), resting))
			s, err = m.GetOrCreate(t.Context(), "live", nil)
			require.NoError(t, err)
			require.NoError(t, s.Upload(t.Context(), "file", strings.NewReader("of live\n"), nil))
			ended := make(chan *core.Result, 1)
			go func() {
				res, err := s.Execute(t.Context(), core.Shell("touch began; while test ! -e enough; do sleep .1; done; echo still here"))
				if err != nil {
					t.Error(err)
				}
				ended <- res
			}()
			for {
				if _, err := s.Stat(t.Context(), "began", true); err == nil {
					break
				}
				time.Sleep(20 * time.Millisecond)
			}
			t.Run("scripts", func(t *testing.T) {
				scripts(t, "sessions", map[string]string{
					driverEnv: enginetest.URL(t, scheme), imageEnv: enginetest.Image(), "OWNER": owner, "RESTING": resting,
				})
			})
			require.NoError(t, s.Upload(t.Context(), "enough", strings.NewReader(""), nil))
			res := <-ended
			require.NotNil(t, res)
			require.Equal(t, "still here\n", res.Stdout.String(), "the command of the program has run on")
			again, err := m.GetOrCreate(t.Context(), "live", nil)
			require.NoError(t, err)
			require.Same(t, s, again)
		})
	}
}
