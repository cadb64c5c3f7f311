package fake_test

import (
	"embed"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/drivers/fake"
)

// Scripts with the output, both streams as one, that they have on Debian 12
// with dash and the GNU tools.
//
//go:embed testdata/*.txt
var golden embed.FS

// TestScriptsDoWhatTheyDoOnDebian runs each script in a fresh sandbox. The
// bubble makes their sleeps take no time.
func TestScriptsDoWhatTheyDoOnDebian(t *testing.T) {
	for _, file := range []string{"shell", "files", "tools", "scripts"} {
		text, err := golden.ReadFile("testdata/" + file + ".txt")
		require.NoError(t, err)
		for i, part := range strings.Split(string(text), "=== script\n")[1:] {
			script, want, ok := strings.Cut(part, "=== output\n")
			require.True(t, ok, "%s.txt: case %d has no output", file, i)
			t.Run(fmt.Sprintf("%s-%d", file, i), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					sb := start(t, fake.New(nil))
					begin := time.Now()
					res, err := sb.Execute(t.Context(), core.Shell("exec 2>&1\n"+script))
					require.NoError(t, err)
					require.Less(t, time.Since(begin), 20*time.Second)
					got := fmt.Sprintf("%sexit %d\n", res.Stdout.Bytes(), res.ExitCode)
					if diff := cmp.Diff(want, got); diff != "" {
						t.Errorf("script:\n%s(-want +got):\n%s", script, diff)
					}
				})
			})
		}
	}
}
