package linux

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/guest/runner"
)

// hostile are scripts whose processes a kill of the child, of its group or of
// its session leaves behind. Each prints "ready" when they are there. NAP is a
// command that sleeps for long and can be told from all others.
var hostile = map[string]string{
	"plain":             `NAP & echo ready; NAP`,
	"new session":       `setsid NAP & setsid NAP & echo ready; NAP`,
	"double fork":       `(setsid sh -c 'NAP & exit' &); (sh -c 'NAP & exit' &); sleep 0.02; echo ready; NAP`,
	"nohup":             `nohup NAP >/dev/null 2>&1 & echo ready; NAP`,
	"deaf":              `trap '' TERM HUP INT QUIT; setsid sh -c "trap '' TERM HUP; NAP; NAP" & echo ready; while :; do NAP; done`,
	"stopped":           `NAP & kill -STOP $!; setsid NAP & kill -STOP $!; echo ready; NAP`,
	"stops itself":      `NAP & echo ready; kill -STOP $$; NAP`,
	"keeps forking":     `f() { while :; do setsid NAP & sleep 0.005; done; }; f & f & sleep 0.02; echo ready; NAP`,
	"forks in a chain":  `f() { NAP & (sleep 0.002; f) & }; f; sleep 0.02; echo ready; NAP`,
	"orphans of orphan": `setsid sh -c 'while :; do (setsid NAP &); sleep 0.005; done' & sleep 0.02; echo ready; NAP`,
	"has ended":         `setsid NAP & (NAP &); echo ready`,
	"writes for ever":   `setsid sh -c 'NAP & exec yes' & echo ready; exec yes`,
}

var napLength = func() func() string {
	var mu sync.Mutex
	n := 0
	return func() string {
		mu.Lock()
		defer mu.Unlock()
		n++
		return fmt.Sprintf("%d.%06d", 1000+os.Getpid(), n)
	}
}()

// nap puts a sleep of a length of its own into a script.
func nap(script string) (_, length string) {
	length = napLength()
	return strings.ReplaceAll(script, "NAP", "sleep "+length), length
}

func TestKillMeansGone(t *testing.T) {
	rounds := 200 / len(hostile)
	if testing.Short() {
		rounds = 2
	}
	neighbour, neighbours := nap(`setsid NAP & NAP & echo ready; NAP`)
	post := newSignpost("ready\n")
	cmd := shell(neighbour)
	cmd.Stdout = post
	start(t, cmd)
	post.wait(t)
	// Each tree in turn is killed while another is growing.
	for name, script := range hostile {
		t.Run(strings.ReplaceAll(name, " ", "-"), func(t *testing.T) {
			for range rounds {
				script, length := nap(script)
				cmd, post := shell(script), newSignpost("ready\n")
				cmd.Stdout = post
				p := start(t, cmd)
				post.wait(t)
				require.NoError(t, p.Kill())
				require.Empty(t, census(t, length), "survivors")
				exit := wait(t, p)
				require.True(t, exit.Signal == "SIGKILL" || name == "has ended" && exit.Code == 0, "%+v", exit)
			}
			require.Len(t, census(t, neighbours), 2+1, "a process of another command was killed")
		})
	}
}

func TestKillsAtOnce(t *testing.T) {
	var all sync.WaitGroup
	for _, script := range hostile {
		all.Go(func() {
			script, length := nap(script)
			cmd, post := shell(script), newSignpost("ready\n")
			cmd.Stdout = post
			p := start(t, cmd)
			post.wait(t)
			var kills sync.WaitGroup
			for range 3 {
				kills.Go(func() {
					if err := p.Kill(); err != nil {
						t.Errorf("Kill() = %v", err)
					}
				})
			}
			kills.Wait()
			if left := census(t, length); len(left) > 0 {
				t.Errorf("survivors: %v", left)
			}
		})
	}
	all.Wait()
}

func TestKillOfAProcessWithoutItsFirstThread(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	mark := napLength()
	post := newSignpost("ready\n")
	cmd := &runner.Command{Args: []string{self, mark}, Env: []string{"ROLE=headless"}, Dir: "/", Stdout: post}
	p := start(t, cmd)
	post.wait(t)
	leader := p.(*process).pid
	child := onlyChild(t, leader)
	require.Eventually(t, func() bool { stat, ok := process1(child); return ok && stat.state == 'Z' }, 5*time.Second, time.Millisecond)
	stat, _ := process1(child)
	require.False(t, stat.ended())
	require.NoError(t, p.Kill())
	require.Equal(t, "SIGKILL", wait(t, p).Signal)
	_, there := process1(child)
	require.False(t, there)
}

// onlyChild returns the pid of the one child of a process.
func onlyChild(t *testing.T, parent int) int {
	t.Helper()
	table, err := processes()
	require.NoError(t, err)
	var children []int
	for _, stat := range table {
		if stat.parent == parent {
			children = append(children, stat.pid)
		}
	}
	require.Len(t, children, 1)
	return children[0]
}

func TestLeaderThatIsKilledTakesItsCommandAlong(t *testing.T) {
	for range 20 {
		script, length := nap(`setsid NAP & (setsid NAP &) ; echo ready; kill -KILL $PPID; NAP`)
		exit, _, _ := run(t, shell(script))
		require.Equal(t, core.Signaled, exit.Reason)
		require.Equal(t, "SIGKILL", exit.Signal)
		require.Nil(t, exit.Usage, "it is not known")
		require.Eventually(t, func() bool { return len(census(t, length)) == 0 }, 5*time.Second, time.Millisecond)
	}
	require.Equal(t, "next\n", sh(t, "echo next"))
}

func TestLeaderThatIsKilledDuringAKill(t *testing.T) {
	for range 50 {
		script, length := nap(`setsid NAP & (setsid NAP &) ; echo ready; NAP`)
		cmd, post := shell(script), newSignpost("ready\n")
		cmd.Stdout = post
		p := start(t, cmd)
		post.wait(t)
		var both sync.WaitGroup
		both.Go(func() { _ = unix.Kill(p.(*process).pid, unix.SIGKILL) })
		err := p.Kill()
		both.Wait()
		require.NoError(t, err)
		require.Empty(t, census(t, length))
		require.Equal(t, "SIGKILL", wait(t, p).Signal)
	}
}

func TestLeaderThatIsStoppedIsWoken(t *testing.T) {
	for name, script := range map[string]string{
		"at once":       `kill -STOP $PPID; setsid NAP & echo ready; NAP`,
		"when it leads": `sleep 0.05; kill -STOP $PPID; setsid NAP & echo ready; NAP`,
	} {
		t.Run(name, func(t *testing.T) {
			script, length := nap(script)
			cmd, post := shell(script), newSignpost("ready\n")
			cmd.Stdout = post
			p := start(t, cmd)
			post.wait(t)
			require.NoError(t, p.Kill())
			require.Empty(t, census(t, length))
		})
	}
}

func TestCommandWhoseOutputNobodyTakesIsKilled(t *testing.T) {
	for name, cmd := range map[string]*runner.Command{
		"stdout": {Args: []string{"yes"}, Stdout: failingWriter{}},
		"stderr": {Args: []string{"sh", "-c", "exec yes >&2"}, Stderr: failingWriter{}},
	} {
		t.Run(name, func(t *testing.T) {
			cmd.Env, cmd.Dir = []string{testPath}, "/"
			require.Equal(t, "SIGKILL", wait(t, start(t, cmd)).Signal)
		})
	}
}

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, errors.New("no") }

func TestCloseKillsEverything(t *testing.T) {
	var lengths []string
	var all []runner.Process
	for _, script := range hostile {
		script, length := nap(script)
		cmd, post := shell(script), newSignpost("ready\n")
		cmd.Stdout = post
		all = append(all, start(t, cmd))
		post.wait(t)
		lengths = append(lengths, length)
	}
	require.NoError(t, shared.Close())
	for _, p := range all {
		wait(t, p)
	}
	for _, length := range lengths {
		require.Empty(t, census(t, length))
	}
	require.Equal(t, "works on\n", sh(t, "echo works on"))
}

func TestSignalReachesOnlyTheProcessThatWasSeen(t *testing.T) {
	cmd, post := shell("echo ready; exec sleep 1000"), newSignpost("ready\n")
	cmd.Stdout = post
	p := start(t, cmd)
	post.wait(t)
	child := onlyChild(t, p.(*process).pid)
	seen, ok := process1(child)
	require.True(t, ok)
	other := seen
	other.start++ // as if the pid had come again
	other.signal(unix.SIGKILL)
	time.Sleep(20 * time.Millisecond) // that it does not happen takes a while to see
	now, ok := process1(child)
	require.True(t, ok && !now.ended(), "process %s was killed", strconv.Itoa(child))
	seen.signal(unix.SIGKILL)
	require.Equal(t, "SIGKILL", wait(t, p).Signal)
}
