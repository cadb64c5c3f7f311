package conformance_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/conformance"
)

const casesFile = "testdata/cases.golden"

// TestCaseIDs pins what reports and lists of known failures refer to. An ID
// that is no longer in the list broke a promise; new ones are added with
// CAISSON_UPDATE=1.
func TestCaseIDs(t *testing.T) {
	var text strings.Builder
	for _, c := range conformance.Cases() {
		text.WriteString(string(c.Level) + " " + c.ID + "\n")
	}
	if os.Getenv("CAISSON_UPDATE") != "" {
		require.NoError(t, os.WriteFile(casesFile, []byte(text.String()), 0o600))
	}
	golden, err := os.ReadFile(casesFile)
	require.NoError(t, err)
	require.Equal(t, string(golden), text.String())
}

func TestCasesAreWellFormed(t *testing.T) {
	id := regexp.MustCompile(`\A[a-z]+/[a-z0-9]+(-[a-z0-9]+)*\z`)
	seen := map[string]bool{}
	for _, c := range conformance.Cases() {
		require.Regexp(t, id, c.ID)
		require.False(t, seen[c.ID], "%s twice", c.ID)
		seen[c.ID] = true
		require.NotEmpty(t, c.Title, c.ID)
		require.NotContains(t, c.Title, ".", "%s: a title is one sentence without its full stop", c.ID)
		_, err := conformance.ParseLevel(string(c.Level))
		require.NoError(t, err, c.ID)
		require.NotNil(t, c.Run, c.ID)
		if c.Level == conformance.Core {
			require.Empty(t, c.Requires, "%s: what every driver must do has no capability", c.ID)
			require.Empty(t, c.Needs, "%s: a case of level core works with what every image has", c.ID)
		}
	}
	require.GreaterOrEqual(t, len(seen), 120)
}
