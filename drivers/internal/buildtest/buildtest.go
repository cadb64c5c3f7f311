// Package buildtest holds the tests of building runtimes on a real engine.
// Each engine's driver runs all of them.
package buildtest

import (
	"context"
	"crypto/rand"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/internal/enginetest"
	"github.com/caisson-dev/caisson/runtimes"
)

// suite is one engine under test.
type suite struct {
	scheme string
	driver core.Driver
	name   string // of every runtime that the suite builds
}

// test is one of the suite's.
type test struct {
	name string
	run  func(*testing.T)
}

// Run runs the tests of how runtimes are built, on the tests' engine of the scheme.
func Run(t *testing.T, scheme string) {
	s := newSuite(t, scheme)
	s.run(t, []test{
		{"injections", s.injections},
		{"contract", s.contract},
		{"exact arguments", s.exactArguments},
		{"no trace of the source", s.noTrace},
		{"failing step", s.failingStep},
		{"cancel", s.cancel},
		{"cancel anywhere", s.cancelAnywhere},
		{"killed", s.killed},
		{"one build for all", s.oneBuildForAll},
		{"cache", s.cache},
		{"flood", s.flood},
		{"prune", s.prune},
		{"prune beside others", s.pruneBeside},
	})
}

// Packages runs the tests of each package manager with packages as its users
// have them, on the tests' engine of the scheme. What a manager does with them
// depends on the base image alone, not on the engine's version.
func Packages(t *testing.T, scheme string) {
	s := newSuite(t, scheme)
	s.run(t, []test{
		{"apt", s.apt},
		{"pip", s.pip},
		{"seeds", s.seeds},
		{"npm", s.npm},
		{"cargo", s.cargo},
	})
}

// run runs tests one after the other. At their end nothing of the suite may be left on the engine.
func (s *suite) run(t *testing.T, tests []test) {
	for _, test := range tests {
		t.Run(test.name, test.run)
	}
	s.requireNothingLeft(t)
}

// newSuite returns the suite of the tests' engine of the scheme. Its images are
// removed when t ends. With -short it skips t.
func newSuite(t *testing.T, scheme string) *suite {
	t.Helper()
	if testing.Short() {
		t.Skip("builds images for minutes; run without -short")
	}
	s := &suite{scheme: scheme, driver: enginetest.Open(t, scheme), name: "buildtest-" + strings.ToLower(rand.Text()[:12])}
	t.Cleanup(func() { s.removeImages(t) })
	return s
}

// requireNothingLeft checks that there is no container of the suite and no image that has no name.
func (s *suite) requireNothingLeft(t *testing.T) {
	t.Helper()
	require.Empty(t, enginetest.Objects(t, s.scheme, runtimes.LabelRuntime+"="+s.name))
	require.Empty(t, enginetest.Untagged(t, s.scheme, runtimes.LabelRuntime+"="+s.name))
}

// runtime returns a runtime of the suite on top of the tests' image.
func (s *suite) runtime(change func(*core.Runtime)) *core.Runtime {
	rt := &core.Runtime{Name: s.name, BaseImage: enginetest.Image()}
	change(rt)
	return rt
}

func (s *suite) prepare(t *testing.T, rt *core.Runtime) *core.Prepared {
	t.Helper()
	p, err := s.driver.Prepare(t.Context(), rt, &core.PrepareOptions{Progress: func(p core.Progress) { t.Logf("%s %d/%d %s", p.Kind, p.Current, p.Total, p.Text) }})
	require.NoError(t, err)
	return p
}

// sh runs a script in a new sandbox of rt, without a network, and returns what it prints.
func (s *suite) sh(t *testing.T, rt *core.Runtime, script string) string {
	t.Helper()
	sb := enginetest.Start(t, s.driver, &core.Spec{Runtime: rt, Limits: core.Limits{Memory: 1 << 30}})
	res, err := sb.Execute(t.Context(), core.Shell(script))
	require.NoError(t, err)
	require.Equal(t, 0, res.ExitCode, res.Combined.String())
	require.NoError(t, sb.Stop(context.WithoutCancel(t.Context())))
	return res.Stdout.String()
}

// removeImages removes the runtimes' images and the layers on top of them.
func (s *suite) removeImages(t *testing.T) {
	t.Helper()
	images := enginetest.Images(t, s.scheme, runtimes.LabelRuntime+"="+s.name)
	for _, kind := range []string{"layer", "runtime"} { // a layer has the labels of what it is on
		for _, img := range images {
			if img.Labels[core.LabelPrefix] == kind {
				enginetest.RemoveImage(t, s.scheme, img.ID)
			}
		}
	}
}
