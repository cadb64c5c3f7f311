package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/conformance"
	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/internal/enginetest"
)

// TestDifferences holds docs/differences.md to what the tests' engines show.
// With CAISSON_UPDATE=1 it writes the engines' table anew.
func TestDifferences(t *testing.T) {
	if testing.Short() {
		t.Skip("starts sandboxes on two engines; run without -short")
	}
	urls := []string{enginetest.URL(t, "docker"), enginetest.URL(t, "podman")}
	found := diffOf(t, urls, sandboxOptions{})
	everythingIsExplained(t, found)
	var text bytes.Buffer
	require.NoError(t, found.WriteMarkdown(&text))
	table := text.String()
	doc := filepath.Join("..", "..", "docs", "differences.md")
	page, err := os.ReadFile(doc)
	require.NoError(t, err)
	head, _, _ := strings.Cut(table, "\n")
	standing := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(head) + `\n(\|.*\n)*`)
	if !standing.Match(page) {
		t.Skipf("docs/differences.md is not about these engines: %s", head)
	}
	if os.Getenv("CAISSON_UPDATE") != "" {
		page = standing.ReplaceAllLiteral(page, []byte(table))
		require.NoError(t, os.WriteFile(doc, page, 0o644))
	}
	require.Equal(t, table, string(standing.Find(page)), "docs/differences.md is stale; run this test with CAISSON_UPDATE=1")
}

// TestDifferencesWithANetwork does the same for the weakest profile, of which there is no table.
func TestDifferencesWithANetwork(t *testing.T) {
	if testing.Short() {
		t.Skip("starts sandboxes on two engines; run without -short")
	}
	urls := []string{enginetest.URL(t, "docker"), enginetest.URL(t, "podman")}
	everythingIsExplained(t, diffOf(t, urls, sandboxOptions{profile: string(core.Relaxed), network: string(core.NetworkDefault)}))
}

func diffOf(t *testing.T, urls []string, like sandboxOptions) *conformance.Comparison {
	t.Helper()
	like.image = enginetest.Image()
	found, err := (&diffOptions{sandboxOptions: like}).compare(t.Context(), urls, io.Discard)
	require.NoError(t, err)
	return found
}

func everythingIsExplained(t *testing.T, found *conformance.Comparison) {
	t.Helper()
	for _, d := range found.Differences {
		if d.Why == "" {
			t.Errorf("%s: %q on %s, %q on %s, and differences.yaml does not say why", d.What, d.A, found.A.Engine, d.B, found.B.Engine)
		}
	}
}
