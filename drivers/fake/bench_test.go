package fake_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/drivers/fake"
)

func BenchmarkExecute(b *testing.B) {
	sb, err := core.Start(b.Context(), fake.New(nil), &core.Spec{Runtime: &core.Runtime{Image: "debian"}})
	require.NoError(b, err)
	defer func() { require.NoError(b, sb.Stop(context.Background())) }()
	for b.Loop() {
		_, err := sb.Execute(b.Context(), core.Program("true"))
		require.NoError(b, err)
	}
}

func BenchmarkStartAndStop(b *testing.B) {
	d := fake.New(nil)
	for b.Loop() {
		sb, err := core.Start(b.Context(), d, &core.Spec{Runtime: &core.Runtime{Image: "debian"}})
		require.NoError(b, err)
		require.NoError(b, sb.Stop(context.Background()))
	}
}
