package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/internal/enginetest"
)

func TestQuickstart(t *testing.T) {
	for _, scheme := range []string{"docker", "podman"} {
		t.Run(scheme, func(t *testing.T) {
			var out bytes.Buffer
			require.NoError(t, run(t.Context(), &out, enginetest.URL(t, scheme), enginetest.Image()))
			require.Equal(t, "hello from the first command\n{\"north\": 170, \"south\": 80}\n", out.String())
		})
	}
}
