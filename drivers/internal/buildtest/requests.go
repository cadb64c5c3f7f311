package buildtest

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/internal/enginetest"
)

// injections checks that what a runtime must not say reaches no engine.
func (s *suite) injections(t *testing.T) {
	driver, watch := enginetest.OpenWatched(t, s.scheme)
	_, err := driver.Info(t.Context())
	require.NoError(t, err)
	require.NotEmpty(t, watch.Requests(""), "nothing is noted")

	var list []*core.Runtime
	add := func(change func(*core.Runtime)) { list = append(list, s.runtime(change)) }
	for _, p := range []string{
		"--index-url=http://x", "-r requirements.txt", "-e .", "x;id", "x\nRUN id", "x\n", "$(id)", "`id`", "a b", "", "http://x/y.whl", "./a", "/a", "git+https://x/y",
		"a @ file:///x", "a>=1 --pre", `a"`, `a\`, "a&&id", "é", "a\x00",
	} {
		for _, manager := range []core.PackageManager{core.Pip, core.Npm, core.Apt, core.Cargo} {
			add(func(rt *core.Runtime) { rt.PackageManager, rt.Packages = manager, []string{p} })
		}
	}
	for _, command := range []string{"", "true\nUSER root", "true\r", "a\x00b", strings.Repeat("x", 9000)} {
		add(func(rt *core.Runtime) { rt.SetupCommands = []string{command} })
	}
	for _, key := range []string{"", "1A", "A B", "A=B", "A\nB"} {
		add(func(rt *core.Runtime) { rt.Env = map[string]string{key: "v"} })
	}
	for _, image := range []string{"debian\nUSER root", "debian AS x", "--platform=x debian", "$IMAGE", "../x"} {
		add(func(rt *core.Runtime) { rt.BaseImage = image })
		add(func(rt *core.Runtime) { rt.BaseImage, rt.Image = "", image })
	}
	for _, dir := range []string{"/a\nUSER root", "/a b", "/$HOME", "/../etc", "a", "/proc/self"} {
		add(func(rt *core.Runtime) { rt.WorkDir = dir })
	}
	for _, name := range []string{"a\nb", "A", "a/b", "a:b", "../a", "-a"} {
		add(func(rt *core.Runtime) { rt.Name = name })
	}
	for _, user := range []string{"root", "0:0", "1000", "1000:1000\nUSER root"} {
		add(func(rt *core.Runtime) { rt.User = user })
	}
	for _, index := range []string{"http://x/\nextra-index-url = http://y", "file:///x", "http://x/ y"} {
		add(func(rt *core.Runtime) { rt.Source.Index = index })
	}
	require.Greater(t, len(list), 30)
	for _, rt := range list {
		_, err := driver.Prepare(t.Context(), rt, nil)
		require.ErrorIs(t, err, core.ErrInvalid, "prepare %#v", rt)
		_, err = core.Start(t.Context(), driver, &core.Spec{Runtime: rt})
		require.ErrorIs(t, err, core.ErrInvalid, "start %#v", rt)
	}
	require.Empty(t, watch.Requests(""))
}

// oneBuildForAll checks that callers at the same time share one build.
func (s *suite) oneBuildForAll(t *testing.T) {
	driver, watch := enginetest.OpenWatched(t, s.scheme)
	rt := s.runtime(func(rt *core.Runtime) {
		rt.Source.Network = core.NetworkNone
		rt.SetupCommands = []string{"cat /proc/sys/kernel/random/uuid >/made # " + s.name, "sleep 1"}
	})
	const callers = 200
	images := make([]string, callers)
	errs := make([]error, callers)
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			p, err := driver.Prepare(t.Context(), rt, nil)
			if errs[i] = err; err == nil {
				images[i] = p.ID
			}
		})
	}
	wg.Wait()
	require.NoError(t, errors.Join(errs...))
	for _, id := range images {
		require.Equal(t, images[0], id)
	}
	require.Len(t, watch.Requests("/build"), 2, "the runtime, and the helper on top of it")
	s.requireNothingLeft(t)
}

// cache checks when a runtime is built again.
func (s *suite) cache(t *testing.T) {
	driver, watch := enginetest.OpenWatched(t, s.scheme)
	prepare := func(rt *core.Runtime, opts *core.PrepareOptions) *core.Prepared {
		t.Helper()
		p, err := driver.Prepare(t.Context(), rt, opts)
		require.NoError(t, err)
		require.Equal(t, p.Built, len(watch.Requests("/build")) > 0, "it says whether it was built")
		return p
	}
	rt := s.runtime(func(rt *core.Runtime) {
		rt.Source.Network = core.NetworkNone
		rt.SetupCommands = []string{"cat /proc/sys/kernel/random/uuid >/made # cache " + s.name}
	})
	first := prepare(rt, nil)
	require.True(t, first.Built)
	again := prepare(rt, nil)
	require.False(t, again.Built)
	require.Equal(t, first.ID, again.ID)
	made := s.sh(t, rt, "cat /made")

	afresh := prepare(rt, &core.PrepareOptions{NoCache: true})
	require.True(t, afresh.Built)
	require.NotEqual(t, first.ID, afresh.ID)
	second := s.sh(t, rt, "cat /made")
	require.NotEqual(t, made, second)
	s.requireNothingLeft(t)

	never := *rt
	never.NoCache = true
	require.True(t, prepare(&never, nil).Built)
	require.NotEqual(t, second, s.sh(t, rt, "cat /made"))
	s.requireNothingLeft(t)

	rt.Description = "described differently"
	require.False(t, prepare(rt, nil).Built)
	rt.SetupCommands[0] += " changed"
	require.True(t, prepare(rt, nil).Built)
}
