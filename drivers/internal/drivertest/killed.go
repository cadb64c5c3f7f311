package drivertest

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/internal/enginetest"
)

// ownerVariable makes this test a process that starts a sandbox with a lease and waits to be killed.
const ownerVariable = "CAISSON_DRIVERTEST_OWNER"

const shortLease = core.MinLease

// victim starts another process, which starts a sandbox with a lease, and returns it with the label of what it makes.
func (s *suite) victim(t *testing.T, test string, env ...string) (v *enginetest.Child, label string) {
	t.Helper()
	owner := s.owner + "-killed"
	return enginetest.StartChild(t, "^TestEngine$/^"+test+"$", append(env, ownerVariable+"="+owner)...), core.LabelPrefix + ".owner=" + owner
}

// beVictim is what that process does.
func (s *suite) beVictim(t *testing.T) {
	s.owner = os.Getenv(ownerVariable)
	_, err := core.Start(t.Context(), s.driver, s.spec(func(spec *core.Spec) { spec.Lease = shortLease }))
	require.NoError(t, err)
	_, _ = os.Stdout.WriteString("\nstarted\n")
	select {}
}

// lease ends a sandbox whose process was killed.
func (s *suite) lease(t *testing.T) {
	if os.Getenv(ownerVariable) != "" {
		s.beVictim(t)
	}
	alive := s.start(t, func(spec *core.Spec) { spec.Lease = shortLease })
	v, label := s.victim(t, "lease")
	v.Until("started")
	require.NotEmpty(t, enginetest.Objects(t, s.scheme, label))
	v.Kill()
	killed := time.Now()
	require.Eventually(t, func() bool { return len(enginetest.Objects(t, s.scheme, label)) == 0 }, shortLease+30*time.Second, 200*time.Millisecond)
	t.Logf("gone %v after its process, with a lease of %v", time.Since(killed).Round(time.Millisecond), shortLease)
	require.Equal(t, "alive\n", sh(t, alive, "echo alive"), "a sandbox whose process lives has ended")
}

// halfStarted is a sandbox of which the container was made and not started when its
// process was killed. There is no keeper in it yet, so another process sees to its end.
func (s *suite) halfStarted(t *testing.T) {
	if os.Getenv(ownerVariable) != "" {
		s.beVictim(t)
	}
	for _, test := range []struct {
		name string
		between
	}{
		{"before its id is known", between{answer: request("/containers", "/create")}},
		{"before it is started", between{request: request("/containers/", "/start")}},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.listen(t, s.scheme)
			v, label := s.victim(t, "half started", "CAISSON_TEST_"+strings.ToUpper(s.scheme)+"="+test.socket)
			select {
			case <-test.reached:
			case <-time.After(time.Minute):
				t.Fatal("the other process does not get that far")
			}
			require.Equal(t, []string{"created"}, slices.Collect(maps.Values(enginetest.States(t, s.scheme, label))))
			require.NotEmpty(t, guards(test.socket))
			v.Kill()
			require.Eventually(t, func() bool { return len(enginetest.Objects(t, s.scheme, label)) == 0 }, 10*time.Second, 50*time.Millisecond, "left on the engine")
			require.Eventually(t, func() bool { return len(guards(test.socket)) == 0 }, 10*time.Second, 50*time.Millisecond, "a process is left")
		})
	}
	t.Run("and none is left by a start that works", func(t *testing.T) {
		var b between
		b.listen(t, s.scheme)
		drv, err := core.Open(t.Context(), s.scheme+"://"+b.socket)
		require.NoError(t, err)
		defer drv.Close()
		sb, err := core.Start(t.Context(), drv, s.spec(func(spec *core.Spec) { spec.Lease = shortLease }))
		require.NoError(t, err)
		require.Empty(t, guards(b.socket))
		require.NoError(t, sb.Stop(t.Context()))
	})
}

// guards are the processes that watch over a start on an engine.
func guards(socket string) map[int]string {
	return enginetest.Processes("\x00guard\x00" + socket + "\x00")
}
