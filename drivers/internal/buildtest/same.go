package buildtest

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/internal/enginetest"
)

// view prints all that a workload can see of its environment: what is
// installed, the variables, the user, and every file with its kind, mode, owner
// and content.
const view = `id; pwd; env | sort; python3 -c 'import caisson_sample; print(caisson_sample.version)'; python3 -m pip list; dpkg-query -W
find / -xdev -printf '%y %m %U:%G %p -> %l\n' 2>/dev/null | sort
find / -xdev -type f -readable -exec sha256sum {} + 2>/dev/null | sort -k 2`

// perEngine are files of which one engine has its own, or puts something in at
// every start (Podman enters the user of process 1 in the user database), and
// those that hold the time at which they were written.
var perEngine = []string{
	" / -> ", // the root's own mode is not in an image
	"/etc/passwd", "/etc/group",
	"/.dockerenv", "/run/.containerenv", "/run/secrets", "/etc/hostname", "/etc/hosts", "/etc/resolv.conf", "/etc/mtab",
	"/var/log/", "/var/cache/apt/", "/var/cache/ldconfig/aux-cache", ".pyc",
}

// Same checks that a runtime is the same on the tests' engines of two schemes.
func Same(t *testing.T, a, b string) {
	seen := map[string][]string{}
	for _, scheme := range []string{a, b} {
		s := newSuite(t, scheme)
		debian(t)
		index := newIndex(t, "builder", "s3cret")
		index.add(t, "caisson-sample", "1.5.0")
		rt := s.runtime(func(rt *core.Runtime) {
			rt.WorkDir, rt.User, rt.Env = "/srv/work", "1234:2345", map[string]string{"GREETING": "good day"}
			rt.SetupCommands = []string{debianInstall + "python3-pip", "mkdir -p /srv/work && echo kept >/srv/work/kept && chmod 711 /srv"}
			rt.Packages = []string{"caisson-sample"}
			rt.Source = core.PackageSource{Index: index.url, CA: index.ca}
		})
		sb := enginetest.Start(t, s.driver, &core.Spec{Runtime: rt})
		res, err := sb.Execute(t.Context(), &core.Command{Shell: view, OutputLimit: 64 << 20})
		require.NoError(t, err)
		require.False(t, res.Stdout.Truncated)
		require.NoError(t, sb.Stop(t.Context()))
		for line := range strings.Lines(string(res.Stdout.Bytes())) {
			if !slices.ContainsFunc(perEngine, func(part string) bool { return strings.Contains(line, part) }) {
				seen[scheme] = append(seen[scheme], line)
			}
		}
	}
	require.Greater(t, len(seen[a]), 1000)
	assert.Empty(t, without(seen[a], seen[b]), "on %s alone", a)
	assert.Empty(t, without(seen[b], seen[a]), "on %s alone", b)
}

// without returns what is in list and not in other.
func without(list, other []string) []string {
	there := map[string]bool{}
	for _, line := range other {
		there[line] = true
	}
	return slices.DeleteFunc(slices.Clone(list), func(line string) bool { return there[line] })
}
