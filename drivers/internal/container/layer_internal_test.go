package container

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/runtimes"
)

// What the build of a layer on top of a built image leaves on its way must be told from that image.
func TestStepsOfALayerAreCollected(t *testing.T) {
	lines := strings.Split(dockerfile("sha256:base", "/work", "1000:1000", "ID"), "\n")
	require.Equal(t, "FROM base", lines[0])
	labels := map[string]string{core.LabelPrefix: runtimes.Kind, runtimes.LabelBuild: "of the base"} // inherited
	assignments, found := strings.CutPrefix(lines[1], "LABEL ")
	require.True(t, found, "nothing is made before the label")
	for _, a := range strings.Fields(assignments) {
		key, value, _ := strings.Cut(a, "=")
		labels[key] = strings.Trim(value, `"`)
	}
	require.Equal(t, "ID", labels[runtimes.LabelBuild])
	img := &Listed{Labels: labels, Created: time.Now().Add(-2 * buildTimeout)}
	require.True(t, unfinished(img, time.Now()))
}
