package fake_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/drivers/fake"
)

// FuzzShell runs arbitrary scripts. Whatever they do, they end when they are
// told to, no program of ours panics, and the sandbox answers afterwards.
func FuzzShell(f *testing.F) {
	for _, file := range []string{"shell", "files", "tools", "scripts"} {
		text, err := golden.ReadFile("testdata/" + file + ".txt")
		require.NoError(f, err)
		for _, part := range strings.Split(string(text), "=== script\n")[1:] {
			script, _, _ := strings.Cut(part, "=== output\n")
			f.Add(script)
		}
	}
	f.Fuzz(func(t *testing.T, script string) {
		cmd := &core.Command{Shell: script, Timeout: 100 * time.Millisecond, OutputLimit: 64 << 10}
		if cmd.Validate() != nil {
			return
		}
		sb := start(t, fake.New(nil), func(s *core.Spec) { s.Limits.Memory = core.MinMemory; s.Limits.PIDs = core.MinPIDs })
		res, err := sb.Execute(t.Context(), cmd)
		if core.CodeOf(err) == core.ErrIndeterminate {
			return // it has killed the runner
		}
		require.NoError(t, err)
		require.NotContains(t, res.Stdout.String()+res.Stderr.String(), "internal error")
		_, err = sb.Execute(t.Context(), core.Program("true"))
		// Its background children may fill the sandbox, and it may have closed its work directory.
		require.Contains(t, []core.Code{"", core.ErrResource, core.ErrInvalid}, core.CodeOf(err))
	})
}
