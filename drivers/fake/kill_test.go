package fake_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/drivers/fake"
)

// hostile are commands that try to outlive a kill. Each is given a marker as $0.
var hostile = map[string]string{
	"sleeps":        `sleep 1000`,
	"ignores":       `trap '' TERM HUP INT; while :; do sleep 1000; done`,
	"new-session":   `setsid sh -c 'sleep 1000' & setsid -f sleep 1000; sleep 1000`,
	"double-fork":   `(sh -c 'sleep 1000 & sleep 1000' &); sleep 1000`,
	"hangup-proof":  `nohup sleep 1000 >/dev/null 2>&1 & sleep 1000`,
	"stopped":       `sleep 1000 & kill -STOP $!; kill -STOP $$; sleep 1000`,
	"keeps-forking": `f() { sleep 1000 & sleep 0.01; f2; }; f2() { sleep 1000 & sleep 0.01; }; while :; do f; done 2>/dev/null`,
	"spins":         `while :; do :; done & while :; do :; done`,
	"floods":        `yes & yes >&2`,
	"pipeline":      `yes | cat | while read l; do :; done`,
	"blocked-fifo":  `mkfifo /tmp/f$$; cat /tmp/f$$`,
	"reads":         `read line; cat; sleep 1000`,
}

// left lists the processes in sb that are neither its own nor those of the ps that looks.
func left(t *testing.T, sb core.Backend) string {
	t.Helper()
	res, err := sb.Execute(context.Background(), core.Shell("ps -e -o pid= -o args= | grep -v -e 'caisson-guest' -e 'ps -e' -e 'grep -v'"))
	require.NoError(t, err)
	return res.Stdout.String()
}

// grown is how long a tree of processes has to grow, in a test that kills it.
const grown = 50 * time.Millisecond

// starting calls begun when something is written to it.
type starting struct{ begun func() }

func (s starting) Write(b []byte) (int, error) {
	s.begun()
	return len(b), nil
}

func TestAKillReachesEveryProcess(t *testing.T) {
	for name, script := range hostile {
		cmd := core.Command{Shell: "echo early; " + script}
		t.Run(name+"/timeout", func(t *testing.T) {
			t.Parallel()
			sb := start(t, fake.New(nil))
			cmd := cmd
			cmd.Timeout = grown
			res, err := sb.Execute(t.Context(), &cmd)
			require.NoError(t, err)
			require.Equal(t, core.TimedOut, res.Reason)
			killed(t, sb, res)
		})
		t.Run(name+"/cancel", func(t *testing.T) {
			t.Parallel()
			sb := start(t, fake.New(nil))
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			cmd := cmd
			cmd.Stdout = starting{sync.OnceFunc(func() { time.AfterFunc(grown, cancel) })}
			res, err := sb.Execute(ctx, &cmd)
			require.ErrorIs(t, err, context.Canceled)
			require.Equal(t, core.Canceled, res.Reason)
			killed(t, sb, res)
		})
	}
}

// killed fails the test if something is left of a command that was killed.
func killed(t *testing.T, sb core.Backend, res *core.Result) {
	t.Helper()
	require.Equal(t, core.NoExitCode, res.ExitCode)
	require.False(t, res.Restarted, "the runner did it")
	require.NotContains(t, left(t, sb), "sleep 1000")
	works(t, sb)
}

func TestAKillSparesOtherCommands(t *testing.T) {
	sb := start(t, fake.New(nil))
	other := make(chan *core.Result, 1)
	go func() {
		res, _ := sb.Execute(context.Background(), core.Shell("echo begun > begun; sleep 0.3; echo survived")) // the result tells
		other <- res
	}()
	require.Eventually(t, func() bool {
		res, err := sb.Execute(t.Context(), core.Shell("test -e begun"))
		return err == nil && res.Success()
	}, 5*time.Second, time.Millisecond)
	res, err := sb.Execute(t.Context(), &core.Command{Shell: "setsid sleep 1000 & sleep 1000", Timeout: 20 * time.Millisecond})
	require.NoError(t, err)
	require.Equal(t, core.TimedOut, res.Reason)
	require.Equal(t, "survived\n", (<-other).Stdout.String())
}

func TestBackgroundChildrenLiveOnAndDelayNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sb := start(t, fake.New(nil))
		begin := time.Now()
		res, err := sb.Execute(t.Context(), core.Shell("(sleep 10; echo late; echo done > file) & echo now"))
		require.NoError(t, err)
		require.Zero(t, time.Since(begin))
		require.Equal(t, "now\n", res.Stdout.String())
		time.Sleep(11 * time.Second)
		res, err = sb.Execute(t.Context(), core.Shell("cat file"))
		require.NoError(t, err)
		require.Equal(t, "done\n", res.Stdout.String())
	})
}

func TestASleepOfAnHourTakesNoTime(t *testing.T) {
	before := time.Now()
	synctest.Test(t, func(t *testing.T) {
		sb := start(t, fake.New(nil))
		begin := time.Now()
		res, err := sb.Execute(t.Context(), core.Shell("date +%s; sleep 3600; date +%s"))
		require.NoError(t, err)
		var from, to int64
		_, err = fmt.Sscan(res.Stdout.String(), &from, &to)
		require.NoError(t, err)
		require.Equal(t, int64(3600), to-from)
		require.Equal(t, time.Hour, time.Since(begin))

		res, err = sb.Execute(t.Context(), &core.Command{Shell: "sleep 3600", Timeout: time.Minute})
		require.NoError(t, err)
		require.Equal(t, core.TimedOut, res.Reason)
		require.Equal(t, time.Minute, res.Duration)
	})
	require.Less(t, time.Since(before), 10*time.Second)
}

func TestTheLimitOfProcesses(t *testing.T) {
	sb := start(t, fake.New(nil), func(s *core.Spec) { s.Limits.PIDs = 48 })
	res, err := sb.Execute(t.Context(), core.Shell("i=0; while [ $i -lt 100 ]; do sleep 1000 & i=$((i+1)); done; echo end"))
	require.NoError(t, err)
	require.Equal(t, 2, res.ExitCode, "a shell that cannot fork gives up")
	require.Contains(t, res.Stderr.String(), "Cannot fork")

	// What it left fills the sandbox; a kill of the lot makes room again.
	_, err = sb.Execute(t.Context(), core.Program("true"))
	require.NoError(t, err, "one process fits")
	res, err = sb.Execute(t.Context(), core.Shell("kill -9 -1"))
	require.ErrorIs(t, err, core.ErrIndeterminate, "the runner is one of them")
	require.Equal(t, core.Unknown, res.Reason)
	res, err = sb.Execute(t.Context(), core.Shell("sleep 0 & wait; echo works"))
	require.NoError(t, err)
	require.Equal(t, "works\n", res.Stdout.String())
}

func TestAForkBombIsContained(t *testing.T) {
	d := fake.New(nil)
	sb, neighbour := start(t, d), start(t, d)
	res, err := sb.Execute(t.Context(), &core.Command{Shell: "b() { b | b & }; b; sleep 1000", Timeout: 200 * time.Millisecond})
	require.NoError(t, err)
	require.Equal(t, core.TimedOut, res.Reason)
	for _, s := range []core.Backend{neighbour, sb} {
		res, err = s.Execute(t.Context(), core.Shell("echo works | cat"))
		require.NoError(t, err)
		require.Equal(t, "works\n", res.Stdout.String())
	}
}

func TestTheLimitOfMemory(t *testing.T) {
	for name, script := range map[string]string{
		"tail":         "tail /dev/zero",
		"block":        "dd if=/dev/zero of=/dev/null bs=1G count=1",
		"substitution": "x=$(cat /dev/zero | tr '\\0' x)",
		"variable":     "x=0123456789; while :; do x=$x$x; done",
		"sort":         "yes | sort",
	} {
		t.Run(name, func(t *testing.T) {
			sb := start(t, fake.New(nil), func(s *core.Spec) { s.Limits.Memory = core.MinMemory })
			res, err := sb.Execute(t.Context(), core.Shell(script))
			require.NoError(t, err)
			require.Equal(t, core.OutOfMemory, res.Reason)
			res, err = sb.Execute(t.Context(), core.Shell("echo works"))
			require.NoError(t, err)
			require.Equal(t, "works\n", res.Stdout.String())
		})
	}
}

func TestManyCommandsAtOnceAreNotMixed(t *testing.T) {
	sb := start(t, fake.New(nil), func(s *core.Spec) { s.Limits.PIDs = 1024 })
	const commands = 100
	type answer struct {
		res *core.Result
		err error
	}
	answers := make([]chan answer, commands)
	for i := range answers {
		answers[i] = make(chan answer, 1)
		go func() {
			res, err := sb.Execute(context.Background(), core.Shell(fmt.Sprintf("for i in 1 2 3; do echo %[1]d | cat; done; exit $((%[1]d %% 7))", i)))
			answers[i] <- answer{res, err}
		}()
	}
	for i := range answers {
		a := <-answers[i]
		require.NoError(t, a.err)
		require.Equal(t, strings.Repeat(fmt.Sprintln(i), 3), a.res.Stdout.String())
		require.Equal(t, i%7, a.res.ExitCode)
	}
}
