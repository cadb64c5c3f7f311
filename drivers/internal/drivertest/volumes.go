package drivertest

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/internal/enginetest"
)

// How long an engine may take to remove what it removes by itself.
const (
	removal = 10 * time.Second
	poll    = 100 * time.Millisecond
)

// volumes are those without labels, which no census finds.
func (s *suite) volumes(t *testing.T) {
	for _, lease := range []bool{false, true} {
		t.Run(map[bool]string{false: "workspace", true: "workspace with lease"}[lease], func(t *testing.T) {
			sb := s.start(t, func(spec *core.Spec) {
				if lease {
					spec.Lease = shortLease
				}
			})
			s.stopLeavesNoVolume(t, sb, core.DefaultWorkDir)
		})
	}
	t.Run("lost with lease", func(t *testing.T) { // as when its lease ends
		sb := s.start(t, func(spec *core.Spec) { spec.Lease = shortLease })
		id, used := name(t, sb), enginetest.Volumes(t, s.scheme, name(t, sb))
		enginetest.Container(t, s.scheme, http.MethodPost, id, "kill")
		s.gone(t, used)
	})
	t.Run("of the image", s.imageVolumes)
}

// imageVolumes are as the image's other directories are: an image cannot have
// a place that the profile does not give, nor leave anything.
func (s *suite) imageVolumes(t *testing.T) {
	ref := "localhost/" + s.owner + "/volumes:latest"
	enginetest.Build(t, s.scheme, ref, "FROM "+enginetest.Image()+"\nCOPY seed /data/seed\nCOPY --chown=1000:1000 seed /data/below/seed\nVOLUME /data /data/below /cache/ /tmp /workspace /srv\n",
		enginetest.File{Name: "seed", Mode: 0o644, Data: []byte("seed")})
	for _, profile := range []core.Profile{core.Strict, core.Standard} {
		t.Run(string(profile), func(t *testing.T) {
			sb := s.start(t, func(spec *core.Spec) {
				spec.Runtime = &core.Runtime{Image: ref, WorkDir: "/srv/work"}
				spec.Profile = profile
			})
			require.Equal(t, "seed", sh(t, sb, "cat /data/seed"))
			if profile == core.Strict {
				for _, dir := range []string{"/data", "/data/below", "/cache", "/workspace", "/srv"} {
					require.Equal(t, "no\n", sh(t, sb, "touch "+dir+"/x 2>/dev/null && echo yes || echo no"), "%s can be written", dir)
				}
				written := sh(t, sb, `while read -r _ at kind options _; do
					case $options in rw*) case $at in /proc*|/sys*|/dev*) ;; *) echo $at $kind;; esac;; esac; done < /proc/mounts | sort`)
				require.Equal(t, []string{"/srv/work", "/tmp tmpfs"}, []string{strings.Fields(written)[0], strings.TrimSpace(written[strings.Index(written, "\n")+1:])}, written)
			}
			require.Equal(t, "x\n", sh(t, sb, "echo x > f && cat f"))
			require.Equal(t, "x\n", sh(t, sb, "echo x > /tmp/f && cat /tmp/f"))
			s.stopLeavesNoVolume(t, sb, "/srv/work")
		})
	}
	t.Run("as the work directory, and in it", func(t *testing.T) {
		sb := s.start(t, func(spec *core.Spec) { spec.Runtime = &core.Runtime{Image: ref, WorkDir: "/data"} })
		require.Equal(t, "seedx\n", sh(t, sb, "echo x > below/f && cat seed below/f"))
		s.stopLeavesNoVolume(t, sb, "/data")
	})
}

// stopLeavesNoVolume stops a sandbox of which a volume is mounted at a directory.
func (s *suite) stopLeavesNoVolume(t *testing.T, sb *core.Sandbox, at string) {
	t.Helper()
	used := enginetest.Volumes(t, s.scheme, name(t, sb))
	require.Contains(t, used, at)
	require.NoError(t, sb.Stop(t.Context()))
	s.gone(t, used)
}

// gone expects volumes to be removed.
func (s *suite) gone(t *testing.T, volumes map[string]string) {
	t.Helper()
	require.NotEmpty(t, volumes)
	for at, volume := range volumes {
		require.Eventually(t, func() bool { return !enginetest.HasVolume(t, s.scheme, volume) }, removal, poll, "the volume at %s is left", at)
	}
}
