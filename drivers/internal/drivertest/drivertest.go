// Package drivertest holds the tests of container engines that the conformance
// suite cannot hold, because they need the engine itself or the host: images of
// every kind, an engine that is absent, what is left on the host, the profiles.
// Each engine's driver runs all of them.
package drivertest

import (
	"context"
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/internal/enginetest"
)

// suite is one engine under test.
type suite struct {
	scheme string
	driver core.Driver
	owner  string
}

// Run runs every test on the tests' engine of the scheme. At its end nothing of it may be left there.
func Run(t *testing.T, scheme string) {
	t.Helper()
	s := &suite{scheme: scheme, driver: enginetest.Open(t, scheme), owner: "drivertest-" + strings.ToLower(rand.Text()[:12])}
	for _, test := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"example", s.example},
		{"requests", s.requests},
		{"profiles", s.profiles},
		{"images", s.images},
		{"pulls", s.pulls},
		{"volumes", s.volumes},
		{"errors", s.errors},
		{"stalled", s.stalled},
		{"other filter", s.otherFilter},
		{"behind our back", s.behindOurBack},
		{"kill ladder", s.killLadder},
		{"kill means gone", s.killMeansGone},
		{"bombs", s.bombs},
		{"victims", s.victims},
		{"many at once", s.manyAtOnce},
		{"cancelled start", s.cancelledStart},
		{"workspaces", s.workspaces},
		{"named", s.named},
		{"one of many", s.oneOfMany},
		{"half made", s.halfMade},
		{"attach", s.attach},
		{"join", s.join},
		{"restarted", s.restarted},
		{"lease", s.lease},
		{"half started", s.halfStarted},
		{"collect", s.collect},
		{"ages", s.ages},
	} {
		t.Run(test.name, test.run)
	}
	require.Empty(t, s.census(t), "left on the engine")
}

func (s *suite) census(t *testing.T) []string {
	t.Helper()
	return enginetest.Objects(t, s.scheme, core.LabelPrefix+".owner="+s.owner)
}

// start starts a sandbox of the suite; change may adapt what is asked for.
func (s *suite) start(t *testing.T, change ...func(*core.Spec)) *core.Sandbox {
	t.Helper()
	return enginetest.Start(t, s.driver, s.spec(change...))
}

func (s *suite) spec(change ...func(*core.Spec)) *core.Spec {
	spec := &core.Spec{Runtime: &core.Runtime{Image: enginetest.Image()}, Owner: s.owner}
	for _, f := range change {
		f(spec)
	}
	return spec
}

// sh runs a script that must succeed and returns what it printed.
func sh(t *testing.T, sb core.Backend, script string) string {
	t.Helper()
	res, err := sb.Execute(t.Context(), &core.Command{Shell: script, Timeout: 20 * time.Second})
	require.NoError(t, err)
	require.True(t, res.Success(), "%s\n%s: %d %s\n%s", script, res.Reason, res.ExitCode, res.Signal, res.Combined.String())
	return res.Stdout.String()
}

// name returns the engine's name of a sandbox.
func name(t *testing.T, sb *core.Sandbox) string {
	t.Helper()
	return info(t, sb).ID
}

func info(t *testing.T, sb *core.Sandbox) *core.SandboxInfo {
	t.Helper()
	informer, ok := core.As[core.Informer](sb, core.CapInfo)
	require.True(t, ok)
	described, err := informer.Info(context.Background())
	require.NoError(t, err)
	return described
}
