package drivertest

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/conformance"
)

const skipsFile = "testdata/skips.golden"

// Skips compares the cases that were skipped with those that the driver's list
// says are, each with its reason, so that a driver does not lose a capability,
// and the cases that go with it, in silence. A part of the suite compares
// nothing. CAISSON_UPDATE=1 writes the list anew.
func Skips(t *testing.T, results []conformance.Result) {
	t.Helper()
	if len(results) < len(conformance.Cases()) {
		return
	}
	var text strings.Builder
	for _, res := range results {
		if res.Status == conformance.Skip {
			text.WriteString(res.ID + ": " + res.Reason + "\n")
		}
	}
	if os.Getenv("CAISSON_UPDATE") != "" {
		require.NoError(t, os.WriteFile(skipsFile, []byte(text.String()), 0o600))
	}
	golden, err := os.ReadFile(skipsFile)
	require.NoError(t, err)
	require.Equal(t, string(golden), text.String(), "run with CAISSON_UPDATE=1 if that is meant")
}
