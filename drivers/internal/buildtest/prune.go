package buildtest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/internal/enginetest"
	"github.com/caisson-dev/caisson/runtimes"
)

func (s *suite) prune(t *testing.T) {
	pruner, ok := core.AsDriver[core.Pruner](s.driver)
	require.True(t, ok)
	name, neighbour := s.name+"-p", s.name+"-p2"
	version := func(name, text string) *core.Runtime {
		return s.runtime(func(rt *core.Runtime) {
			rt.Name, rt.Source.Network = name, core.NetworkNone
			rt.SetupCommands = []string{"echo " + text + " >/version"}
		})
	}
	prune := func(name string, all, dry bool) int {
		pruned, err := pruner.Prune(context.WithoutCancel(t.Context()), &core.PruneOptions{Runtime: name, All: all, DryRun: dry})
		require.NoError(t, err)
		for _, img := range pruned {
			require.Equal(t, name, img.Runtime)
		}
		return len(pruned)
	}
	t.Cleanup(func() {
		for _, n := range []string{name, neighbour} {
			prune(n, true, false)
			require.Empty(t, enginetest.Images(t, s.scheme, runtimes.LabelRuntime+"="+n))
		}
	})
	s.prepare(t, version(neighbour, "one"))
	s.prepare(t, version(neighbour, "two"))
	s.prepare(t, version(name, "one"))
	used := enginetest.Start(t, s.driver, &core.Spec{Runtime: version(name, "used")})
	s.prepare(t, version(name, "new"))

	others := s.derive(t, name, s.prepare(t, version(name, "new")).Image)

	require.Equal(t, 4, prune(name, false, true), "a dry run lists images and the layers on top of them")
	require.Equal(t, 2, prune(name, false, false), "what a sandbox uses stays")
	res, err := used.Execute(t.Context(), core.Shell("cat /version"))
	require.NoError(t, err)
	require.Equal(t, "used\n", res.Stdout.String())
	require.NoError(t, used.Stop(t.Context()))
	require.Equal(t, 2, prune(name, false, false))
	require.False(t, s.prepare(t, version(name, "new")).Built)
	require.False(t, s.prepare(t, version(neighbour, "one")).Built)
	require.True(t, s.prepare(t, version(name, "one")).Built)

	_, err = s.driver.Prepare(t.Context(), version(name, "one"), &core.PrepareOptions{NoCache: true})
	require.NoError(t, err)
	prune(name, false, false)
	require.Len(t, enginetest.Images(t, s.scheme, runtimes.LabelRuntime+"="+name), 2+len(others), "the newest, the layer on top of it, and what others made of them")
	prune(name, true, false)
	for _, ref := range others {
		require.True(t, enginetest.HasImage(t, s.scheme, ref), ref)
	}
}

// derive builds what anybody may on top of a runtime's layer and of its image; the labels come along.
func (s *suite) derive(t *testing.T, name, layer string) (refs []string) {
	t.Helper()
	image, id := "", strings.TrimPrefix(enginetest.ImageID(t, s.scheme, layer), "sha256:")
	for _, img := range enginetest.Images(t, s.scheme, runtimes.LabelRuntime+"="+name) {
		if strings.TrimPrefix(img.ID, "sha256:") == id {
			image = strings.TrimPrefix(img.Labels[runtimes.LabelBase], "sha256:")
		}
	}
	for i, base := range []string{layer, image} {
		ref := fmt.Sprintf("caisson-test/derived-%s:%d", name, i)
		enginetest.Build(t, s.scheme, ref, "FROM "+base+"\nENV MORE=1\n")
		refs = append(refs, ref)
	}
	return refs
}

// pruneBeside checks that images may be listed and removed while others remove theirs.
func (s *suite) pruneBeside(t *testing.T) {
	pruner, ok := core.AsDriver[core.Pruner](s.driver)
	require.True(t, ok)
	errs := make([]error, 3)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			for round := range 3 {
				rt := s.runtime(func(rt *core.Runtime) {
					rt.Name, rt.Source.Network = fmt.Sprintf("%s-b%d", s.name, i), core.NetworkNone
					rt.SetupCommands = []string{fmt.Sprintf("echo %d >/round", round)}
				})
				_, err := s.driver.Prepare(t.Context(), rt, nil)
				_, pruneErr := pruner.Prune(context.WithoutCancel(t.Context()), &core.PruneOptions{Runtime: rt.Name, All: true})
				errs[i] = errors.Join(errs[i], err, pruneErr)
			}
		})
	}
	wg.Wait()
	require.NoError(t, errors.Join(errs...))
	for i := range errs {
		require.Empty(t, enginetest.Images(t, s.scheme, fmt.Sprintf("%s=%s-b%d", runtimes.LabelRuntime, s.name, i)))
	}
}
