package conformance_test

import (
	"bytes"
	"context"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/conformance"
	"github.com/caisson-dev/caisson/conformance/saboteur"
	"github.com/caisson-dev/caisson/core"
)

// sabotaged is the harness of a driver with one fault.
func sabotaged(t *testing.T, name string) *conformance.Harness {
	t.Helper()
	for _, s := range saboteur.All() {
		if s.Name == name {
			return s.Harness(honest())
		}
	}
	t.Fatalf("no saboteur %q", name)
	return nil
}

func TestDiffOfEqualDrivers(t *testing.T) {
	c, err := conformance.Diff(t.Context(), honest(), honest(), "")
	require.NoError(t, err)
	require.Empty(t, c.Differences)
	require.Greater(t, c.Seen, 150)
}

func TestDiffFindsADifference(t *testing.T) {
	c, err := conformance.Diff(t.Context(), honest(), sabotaged(t, "execute/shell-codes"), "")
	require.NoError(t, err)
	var what []string
	for _, d := range c.Differences {
		what = append(what, d.What)
	}
	require.Equal(t, []string{"death by TERM: ending", "death by SEGV: ending", "timeout: ending", "out of memory: ending"}, what)
	require.Equal(t, "signaled, exit code -1 SIGTERM", c.Differences[0].A)
	require.Equal(t, "exited, exit code 143", c.Differences[0].B)
	var text, table bytes.Buffer
	require.NoError(t, c.WriteText(&text))
	require.Contains(t, text.String(), "\n4 of ")
	require.Contains(t, text.String(), "\ndeath by TERM: ending\n  A  signaled")
	require.NoError(t, c.WriteMarkdown(&table))
	require.Contains(t, table.String(), "| death by TERM: ending | signaled, exit code -1 SIGTERM | exited, exit code 143 |  |\n")
}

func TestDiffExplained(t *testing.T) {
	c := &conformance.Comparison{Schema: conformance.DiffSchema, Seen: 9, Differences: []conformance.Difference{
		{What: "known", A: "a|b", B: conformance.Absent}, {What: "new", A: "", B: "line\nline"},
	}}
	c.Explain(func(d conformance.Difference) string {
		if d.What == "known" {
			return "it must be so."
		}
		return ""
	})
	var text, table, data bytes.Buffer
	require.NoError(t, c.WriteText(&text))
	require.Contains(t, text.String(), "2 of 9 observations differ, 1 of them for a known reason\n")
	require.Contains(t, text.String(), "\nknown\n  A  a|b\n  B  (absent)\n  it must be so.\n")
	require.Contains(t, text.String(), "\nnew\n  A  (empty)\n")
	require.NoError(t, c.WriteMarkdown(&table))
	require.Contains(t, table.String(), "| known | a\\|b | (absent) | it must be so. |\n| new | (empty) | line line |  |\n")
	require.NoError(t, c.WriteJSON(&data))
	var back conformance.Comparison
	require.NoError(t, json.Unmarshal(data.Bytes(), &back))
	require.Equal(t, c, &back)
}

func TestDiffOfAScript(t *testing.T) {
	c, err := conformance.Diff(t.Context(), honest(), sabotaged(t, "streams/merged"), "echo 'a|b'; sleep 0.1; echo c >&2; exit 4")
	require.NoError(t, err)
	require.Equal(t, []conformance.Difference{
		{What: "script: stdout", A: `"a|b\n"`, B: `"a|b\nc\n"`}, {What: "script: stderr", A: `"c\n"`, B: `""`},
	}, c.Differences)
	require.Equal(t, 5, c.Seen)
}

func TestDiffNeedsBoth(t *testing.T) {
	broken := honest()
	broken.Open = func(context.Context) (core.Driver, error) { return nil, core.ErrUnavailable }
	_, err := conformance.Diff(t.Context(), honest(), broken, "")
	require.ErrorIs(t, err, core.ErrUnavailable)
}
