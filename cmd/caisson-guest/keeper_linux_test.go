package main_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	keeperUser   = 65532
	workloadUser = 1000
)

// keeper is a keeper as it is in a sandbox: PID 1, with a network of its own.
type keeper struct {
	*exec.Cmd
	begun time.Time
	ended chan error
}

func startKeeper(t *testing.T, args ...string) *keeper {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("a keeper runs in namespaces and as another user: run the tests as root")
	}
	k := &keeper{Cmd: exec.Command(binary, append([]string{"keeper"}, args...)...), begun: time.Now(), ended: make(chan error, 1)}
	k.Stderr = os.Stderr
	k.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNET,
		Credential: &syscall.Credential{Uid: keeperUser, Gid: keeperUser},
	}
	require.NoError(t, k.Start())
	gone := make(chan struct{})
	go func() { k.ended <- k.Wait(); close(gone) }()
	t.Cleanup(func() { _ = k.Process.Kill(); <-gone })
	require.Eventually(t, func() bool { _, code := k.run(keeperUser, binary, "status"); return code == 0 }, 5*time.Second, 5*time.Millisecond)
	return k
}

// run runs a program inside as a user and returns its output and exit code.
func (k *keeper) run(user int, program ...string) (string, int) {
	args := []string{"-t", strconv.Itoa(k.Process.Pid), "-n", "-p", "-S", strconv.Itoa(user), "-G", strconv.Itoa(user), "--"}
	cmd := exec.Command("nsenter", append(args, program...)...)
	var out bytes.Buffer
	cmd.Stdout = &out
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return out.String(), exit.ExitCode()
	}
	if err != nil {
		return err.Error(), -1
	}
	return out.String(), 0
}

// mustEnd fails the test unless the keeper ends by itself, with status 0.
func (k *keeper) mustEnd(t *testing.T) {
	t.Helper()
	select {
	case err := <-k.ended:
		require.NoError(t, err)
	case <-time.After(10 * time.Second):
		t.Fatal("the keeper outlives its lease")
	}
}

func TestKeeperEndsWhenItsLeaseHasPassed(t *testing.T) {
	k := startKeeper(t, "-lease", "500ms")
	k.mustEnd(t)
	require.GreaterOrEqual(t, time.Since(k.begun), 500*time.Millisecond)
}

func TestKeeperLivesAsLongAsItHearsItsOwner(t *testing.T) {
	const lease = time.Second
	beats := map[string]func(k *keeper) int{
		"renew":  func(k *keeper) int { _, code := k.run(keeperUser, binary, "renew"); return code },
		"claim":  func(k *keeper) int { _, code := k.run(keeperUser, binary, "renew", "-claim", "me"); return code },
		"signal": func(k *keeper) int { _, code := k.run(keeperUser, "kill", "-USR1", "1"); return code },
	}
	for name, beat := range beats {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := startKeeper(t, "-lease", lease.String())
			var last time.Time
			for time.Since(k.begun) < 2*lease {
				last = time.Now()
				require.Zero(t, beat(k))
				time.Sleep(lease / 5)
			}
			k.mustEnd(t)
			require.GreaterOrEqual(t, time.Since(last), lease)
		})
	}
}

func TestKeeperHearsWhatCameWhileItStoodStill(t *testing.T) {
	const lease = 300 * time.Millisecond
	for range 5 {
		k := startKeeper(t, "-lease", lease.String())
		require.NoError(t, k.Process.Signal(syscall.SIGSTOP))
		time.Sleep(lease)
		require.NoError(t, k.Process.Signal(syscall.SIGUSR1))
		last := time.Now()
		require.NoError(t, k.Process.Signal(syscall.SIGCONT))
		k.mustEnd(t)
		require.GreaterOrEqual(t, time.Since(last), lease)
	}
}

func TestKeeperDoesNotListenToTheWorkload(t *testing.T) {
	const lease = 4 * time.Second
	k := startKeeper(t, "-lease", lease.String())
	for time.Since(k.begun) < lease/3 {
		_, code := k.run(workloadUser, binary, "renew", "-claim", "workload")
		require.Equal(t, 1, code)
		_, code = k.run(workloadUser, binary, "status")
		require.Equal(t, 1, code)
		_, code = k.run(workloadUser, "kill", "-USR1", "1")
		require.Equal(t, 1, code)
		if status, code := k.run(keeperUser, binary, "status"); code == 0 {
			require.True(t, strings.HasPrefix(status, "claim \n"), status)
		}
		time.Sleep(100 * time.Millisecond)
	}
	k.mustEnd(t)
	require.Less(t, time.Since(k.begun), lease+lease/4, "something has renewed the lease")
}

func TestClaimPassesFromOneOwnerToTheNext(t *testing.T) {
	k := startKeeper(t)
	const conflict = 3
	for i, step := range []struct {
		args   string
		code   int
		holder string
	}{
		{"status", 0, ""},
		{"renew", 0, ""},
		{"renew -claim a -from x", 0, "a"},
		{"renew -claim a", 0, "a"},
		{"renew", 0, "a"},
		{"renew -claim b", conflict, "a"},
		{"renew -claim b -from x", conflict, "a"},
		{"renew -claim b -from a", 0, "b"},
		{"renew -claim b -from a", 0, "b"},
		{"renew -claim a", conflict, "b"},
		{"status", 0, "b"},
	} {
		out, code := k.run(keeperUser, append([]string{binary}, strings.Fields(step.args)...)...)
		require.Equal(t, step.code, code, "step %d: %s", i, step.args)
		require.Regexp(t, "^claim "+step.holder+"\nlease 0s\nrenewed [0-9.]+m?s\n$", out, "step %d: %s", i, step.args)
	}
}

func TestKeeperIsSomebodysFromTheStart(t *testing.T) {
	k := startKeeper(t, "-lease", "1m0s", "-claim", "first")
	out, code := k.run(keeperUser, binary, "renew", "-claim", "other")
	require.Equal(t, 3, code)
	require.True(t, strings.HasPrefix(out, "claim first\nlease 1m0s\n"), out)
	_, code = k.run(keeperUser, binary, "renew", "-claim", "other", "-from", "first")
	require.Zero(t, code)
	for _, args := range [][]string{{"-lease"}, {"-lease", "-1s"}, {"-lease", "soon"}, {"-claim", ""}, {"-claim", "a b"}, {"-claim", "a", "-lease", "1s"}} {
		out, err := exec.Command(binary, append([]string{"keeper"}, args...)...).CombinedOutput()
		require.Error(t, err, "%q", args)
		require.Contains(t, string(out), "usage", "%q", args)
	}
}

func TestKeeperReapsOrphansAndEndsWhenTold(t *testing.T) {
	k := startKeeper(t)
	_, code := k.run(workloadUser, "sh", "-c", "for i in 1 2 3 4 5 6 7 8; do (sleep 1000 >/dev/null 2>&1 &); done")
	require.Zero(t, code)
	children := func() int {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", k.Process.Pid, k.Process.Pid))
		require.NoError(t, err)
		return len(strings.Fields(string(text)))
	}
	require.Positive(t, children(), "the orphans are not the keeper's")
	_, code = k.run(workloadUser, "sh", "-c", "kill -KILL -1") // all but itself
	require.Zero(t, code)
	require.Eventually(t, func() bool { return children() == 0 }, 15*time.Second, 10*time.Millisecond)
	require.NoError(t, k.Process.Signal(syscall.SIGTERM))
	k.mustEnd(t)
}

func TestKeeperIsSparedByPeopleWhoConnectAndSayNothing(t *testing.T) {
	k := startKeeper(t)
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("needs python3, which holds the connections open")
	}
	const script = `import socket, time
for i in range(200):
    globals()[f"s{i}"] = s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.connect("\0caisson-keeper")
print("connected", flush=True)
time.sleep(60)`
	cmd := exec.Command("nsenter", "-t", strconv.Itoa(k.Process.Pid), "-n", "-p", "-S", "1000", "-G", "1000", "--", "python3", "-c", script)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = k.Process.Kill(); _ = cmd.Wait() }) // with PID 1 all of them end
	line := make([]byte, len("connected"))
	_, err = out.Read(line)
	require.NoError(t, err)
	begin := time.Now()
	_, code := k.run(keeperUser, binary, "renew")
	require.Zero(t, code)
	require.Less(t, time.Since(begin), time.Second)
}

func TestRolesAreSpelledOut(t *testing.T) {
	for _, args := range []string{
		"", "keep", "keeper x", "keeper -lease", "keeper -lease x", "keeper -lease -1s", "runner x", "status x",
		"renew x", "renew -from a", "renew -claim", "renew -claim a -from", "renew -from a -claim b", "renew -claim a -claim b",
		"renew -claim " + strings.Repeat("x", 129), "renew -claim ü",
	} {
		out, err := exec.Command(binary, strings.Fields(args)...).CombinedOutput()
		require.Error(t, err, "%q", args)
		require.Contains(t, string(out), "usage:", "%q", args)
	}
}
