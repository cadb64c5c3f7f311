package linux

import (
	"bytes"
	"strings"
	"testing"

	"github.com/caisson-dev/caisson/guest/runner"
	"github.com/stretchr/testify/require"
)

func TestSmoke(t *testing.T) {
	sys, err := New(Options{})
	require.NoError(t, err)
	var out, errOut bytes.Buffer
	p, err := sys.Start(&runner.Command{Args: []string{"sh", "-c", "echo hi; pwd; cat; echo $$ >&2; ls -l /proc/self/fd; grep Sig /proc/self/status; cat /proc/self/oom_score_adj; exit 3"}, Env: []string{"PATH=/bin:/usr/bin"}, Dir: "/tmp", Stdin: strings.NewReader("input\n"), Stdout: &out, Stderr: &errOut})
	require.NoError(t, err)
	exit := p.Wait()
	t.Logf("%+v %+v\n%s\n%s", exit, exit.Usage, out.String(), errOut.String())
	require.Equal(t, 3, exit.Code)
}
