package runtimes_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/conformance"
	"github.com/caisson-dev/caisson/runtimes"
)

// TestContractNamesItsChecks checks that every clause names a check, that every
// check that is named exists, and that every case of runtimes has a clause.
func TestContractNamesItsChecks(t *testing.T) {
	t.Parallel()
	cases := map[string]bool{}
	for _, c := range conformance.Cases() {
		cases[c.ID] = true
	}
	builds, err := os.ReadFile(filepath.Join("..", "drivers", "internal", "buildtest", "buildtest.go"))
	require.NoError(t, err)
	doc, err := os.ReadFile(filepath.Join("..", "docs", "runtime-contract.md"))
	require.NoError(t, err)
	for id := range cases {
		require.True(t, !strings.HasPrefix(id, "runtime/") || strings.Contains(string(doc), "`"+id+"`"), "no clause names %s", id)
	}
	check, rows := regexp.MustCompile("`([^`]+)`"), 0
	for _, line := range strings.Split(string(doc), "\n") {
		cells := strings.Split(strings.Trim(line, "| "), " | ")
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| Clause") || strings.HasPrefix(line, "| Variable") {
			continue
		}
		names := check.FindAllStringSubmatch(cells[len(cells)-1], -1)
		require.NotEmpty(t, names, "no check of: %s", line)
		for _, name := range names {
			if build, ok := strings.CutPrefix(name[1], "build:"); ok {
				require.Contains(t, string(builds), `{"`+build+`", `, line)
			} else {
				require.True(t, cases[name[1]], "no case %s: %s", name[1], line)
			}
		}
		rows++
	}
	require.Greater(t, rows, 20)
}

// TestExampleOfTheDocs loads the runtime file that docs/runtimes.md shows.
func TestExampleOfTheDocs(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile(filepath.Join("..", "docs", "runtimes.md"))
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(doc), "```yaml\n")
	require.True(t, found)
	example, _, _ := strings.Cut(rest, "```")
	rt, err := runtimes.Load(dir(t, map[string]string{"runtime.yaml": example, "company-ca.pem": certificate}))
	require.NoError(t, err)
	require.Equal(t, "ml", rt.Name)
	require.Len(t, rt.Packages, 2)
	require.Equal(t, "http://proxy.example.com:3128", rt.Source.Proxy)
}
