package main

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
)

func TestCensus(t *testing.T) {
	engine := &underTest{url: fakeURL}
	drv, err := engine.open(t.Context())
	require.NoError(t, err)
	defer drv.Close()
	start := func(owner, workspace string) *core.Sandbox {
		sb, err := core.Start(t.Context(), drv, &core.Spec{Runtime: &core.Runtime{Image: "debian"}, Owner: owner, Workspace: workspace})
		require.NoError(t, err)
		return sb
	}
	mine, other := start("mine", "kept"), start("other", "")
	defer func() { require.NoError(t, other.Stop(context.Background())) }()
	found, err := engine.census(t.Context(), "mine")
	require.NoError(t, err)
	require.Len(t, found, 2)
	require.Regexp(t, "^sandbox .+", found[0])
	require.Regexp(t, "^workspace .+", found[1])
	require.NoError(t, mine.Stop(t.Context()))
	found, err = engine.census(t.Context(), "mine")
	require.NoError(t, err)
	require.Len(t, found, 1, "the workspace stays")
	found, err = engine.census(t.Context(), "nobody")
	require.NoError(t, err)
	require.Empty(t, found)
}
