package buildtest

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
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
		s.victim(t, socket, "build", func(lines *bufio.Scanner) {
			for lines.Scan() && lines.Text() != "waiting" {
				t.Log(lines.Text())
			}
			require.True(t, runsHere(t, s.marker()))
			require.Equal(t, s.scheme == "docker", len(s.untagged(t)) > 0, "Docker makes images on the way")
		})
		s.requireGone(t)
	})
	t.Run("anywhere", func(t *testing.T) {
		for i := range kills {
			what := []string{"build", "layer"}[i%2]
			t.Run(fmt.Sprintf("%s-%d", what, i), func(t *testing.T) {
				s.victim(t, socket, what, func(lines *bufio.Scanner) {
					for lines.Scan() && lines.Text() != "begins" {
						t.Log(lines.Text())
					}
					time.Sleep(rand.N(time.Second))
				})
			})
		}
		s.requireGone(t)
	})
	// The engine may have been slow to stop, so that they were gone for a moment only.
	require.Eventually(t, func() bool { return !runsHere(t, "\x00"+socket+"\x00") }, time.Minute, 100*time.Millisecond, "a process is left")
	s.requireGone(t)
	s.requireNoBuildContainers(t)
	s.requireNothingLeft(t)
}

func (s *suite) marker() string { return "marker-" + s.name }

// beVictim builds until it is killed.
func (s *suite) beVictim(t *testing.T) {
	_, _ = os.Stdout.WriteString("\nbegins\n")
	for i := 0; ; i++ {
		rt := &core.Runtime{Image: "localhost/" + s.name + "-base", WorkDir: fmt.Sprintf("/work-%d-%d", os.Getpid(), i)}
		if os.Getenv("CAISSON_BUILDTEST_WHAT") == "build" {
			rt = s.runtime(func(rt *core.Runtime) {
				rt.Source.Network = core.NetworkNone
				rt.SetupCommands = []string{"true", "echo waiting; sleep 3000 # " + s.marker()}
			})
		}
		_, err := s.driver.Prepare(context.Background(), rt, &core.PrepareOptions{Progress: func(p core.Progress) { _, _ = os.Stdout.WriteString("\n" + p.Text + "\n") }})
		require.NoError(t, err)
	}
}

// victim starts a process that builds, and kills it when ready returns.
func (s *suite) victim(t *testing.T, socket, what string, ready func(lines *bufio.Scanner)) {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestBuilds$/^killed$", "-test.v")
	child.Env = append(os.Environ(), victimVariable+"="+s.name, "CAISSON_BUILDTEST_WHAT="+what, "CAISSON_TEST_"+strings.ToUpper(s.scheme)+"="+socket)
	out, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	defer func() {
		require.NoError(t, child.Process.Kill())
		_ = child.Wait() // it was killed
	}()
	ready(bufio.NewScanner(out))
}

// untagged are the suite's images without a name.
func (s *suite) untagged(t *testing.T) []string {
	t.Helper()
	return enginetest.Untagged(t, s.scheme, runtimes.LabelRuntime+"="+s.name)
}

func (s *suite) requireGone(t *testing.T) {
	t.Helper()
	killed := time.Now()
	require.Eventually(t, func() bool { return !runsHere(t, s.marker()) }, 15*time.Second, 50*time.Millisecond, "a step goes on")
	require.Eventually(t, func() bool { return len(s.untagged(t)) == 0 }, 15*time.Second, 50*time.Millisecond, "images are left")
	t.Logf("gone after %v", time.Since(killed))
}
