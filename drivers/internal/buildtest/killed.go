package buildtest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/internal/enginetest"
	"github.com/caisson-dev/caisson/runtimes"
)

const (
	// victimVariable makes the test named killed a process that builds and waits to be killed. It holds the suite's name.
	victimVariable = "CAISSON_BUILDTEST_VICTIM"
	whatVariable   = "CAISSON_BUILDTEST_WHAT" // what it builds: build or layer
	// killsVariable says how many are killed at points that nobody chose.
	killsVariable = "CAISSON_BUILDTEST_KILLS"
	usualKills    = 6
)

// killed ends processes that build, which leaves them no time to clean up. The
// step that the engine is in ends, and nothing is left that has no name.
func (s *suite) killed(t *testing.T) {
	if name := os.Getenv(victimVariable); name != "" {
		s.name = name
		s.beVictim(t)
	}
	kills := usualKills
	if n := os.Getenv(killsVariable); n != "" {
		var err error
		kills, err = strconv.Atoi(n)
		require.NoError(t, err)
	}
	// Its label is that of the suite, so images that are made on top of it are found by that.
	base := "localhost/" + s.name + "-base"
	enginetest.Build(t, s.scheme, base, "FROM "+enginetest.Image()+"\nLABEL "+runtimes.LabelRuntime+"="+s.name+"\nVOLUME /volume\n")
	t.Cleanup(func() { enginetest.RemoveImage(t, s.scheme, base) })
	engine, err := url.Parse(enginetest.URL(t, s.scheme))
	require.NoError(t, err)
	socket := filepath.Join(t.TempDir(), "engine.sock") // by which their guards are known
	require.NoError(t, os.Symlink(engine.Path, socket))
	t.Run("in a step", func(t *testing.T) {
		v := s.victim(t, socket, "build")
		v.Until("waiting")
		require.NotEmpty(t, enginetest.Processes(s.marker()))
		require.Equal(t, s.scheme == "docker", len(s.untagged(t)) > 0, "Docker makes images on the way")
		v.Kill()
		s.requireGone(t)
	})
	t.Run("anywhere", func(t *testing.T) {
		for i := range kills {
			what := []string{"build", "layer"}[i%2]
			t.Run(fmt.Sprintf("%s-%d", what, i), func(t *testing.T) {
				v := s.victim(t, socket, what)
				v.Until("begins")
				time.Sleep(rand.N(time.Second))
				v.Kill()
			})
		}
		s.requireGone(t)
	})
	// The engine may have been slow to stop, so that they were gone for a moment only.
	require.Eventually(t, func() bool { return len(enginetest.Processes("\x00"+socket+"\x00")) == 0 }, 30*time.Second, 100*time.Millisecond, "a process is left")
	s.requireGone(t)
	enginetest.NoBuildContainers(t, s.scheme)
	s.requireNothingLeft(t)
}

func (s *suite) marker() string { return "marker-" + s.name }

// beVictim builds until it is killed.
func (s *suite) beVictim(t *testing.T) {
	_, _ = os.Stdout.WriteString("\nbegins\n")
	for i := 0; ; i++ {
		rt := &core.Runtime{Image: "localhost/" + s.name + "-base", WorkDir: fmt.Sprintf("/work-%d-%d", os.Getpid(), i)}
		if os.Getenv(whatVariable) == "build" {
			rt = s.runtime(func(rt *core.Runtime) {
				rt.Source.Network = core.NetworkNone
				rt.SetupCommands = []string{"true", "echo waiting; sleep 3000 # " + s.marker()}
			})
		}
		_, err := s.driver.Prepare(context.Background(), rt, &core.PrepareOptions{Progress: func(p core.Progress) { _, _ = os.Stdout.WriteString("\n" + p.Text + "\n") }})
		require.NoError(t, err)
	}
}

// victim starts a process that builds.
func (s *suite) victim(t *testing.T, socket, what string) *enginetest.Child {
	t.Helper()
	return enginetest.StartChild(t, "^TestBuilds$/^killed$", victimVariable+"="+s.name, whatVariable+"="+what, "CAISSON_TEST_"+strings.ToUpper(s.scheme)+"="+socket)
}

// untagged are the suite's images without a name.
func (s *suite) untagged(t *testing.T) []string {
	t.Helper()
	return enginetest.Untagged(t, s.scheme, runtimes.LabelRuntime+"="+s.name)
}

func (s *suite) requireGone(t *testing.T) {
	t.Helper()
	killed := time.Now()
	require.Eventually(t, func() bool { return len(enginetest.Processes(s.marker())) == 0 }, 15*time.Second, 50*time.Millisecond, "a step goes on")
	require.Eventually(t, func() bool { return len(s.untagged(t)) == 0 }, 15*time.Second, 50*time.Millisecond, "images are left")
	t.Logf("gone after %v", time.Since(killed))
}
