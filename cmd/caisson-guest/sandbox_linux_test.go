package main_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/guest/protocol"
)

// startAlone starts a runner as it is in a sandbox: as the workload, alone with
// a keeper among the processes, in a /proc that shows no others.
func startAlone(t *testing.T, cfg protocol.Config) *host {
	t.Helper()
	k := startKeeper(t)
	user := strconv.Itoa(workloadUser)
	return startWith(t, cfg, "nsenter", "-t", strconv.Itoa(k.Process.Pid), "-n", "-p", "--", "unshare", "-m", "--", "sh", "-c",
		`mount -t proc proc /proc && exec setpriv --reuid `+user+` --regid `+user+` --clear-groups "$0" runner -alone`, binary)
}

// killRunner is a script that kills the runner: it is the parent of the leader, which is the script's own.
const killRunner = `kill -KILL $(sed -n 's/^PPid:\t//p' /proc/$PPID/status); sleep 60`

func TestNextRunnerSweepsWhatADeadOneLeft(t *testing.T) {
	for name, end := range map[string]string{"runner killed": killRunner, "everything killed": "kill -KILL -1; sleep 60"} {
		t.Run(name, func(t *testing.T) {
			h := startAlone(t, protocol.Config{})
			require.Equal(t, "1000\n", h.sh(t, "id -u").Stdout.String())
			mark := fmt.Sprintf("91%d", os.Getpid())
			res := h.sh(t, `setsid sleep `+mark+` >/dev/null 2>&1 & (setsid nohup sleep `+mark+` >/dev/null 2>&1 &); true`)
			require.True(t, res.Success())
			require.Eventually(t, func() bool { return len(census(t, mark)) == 2 }, 5*time.Second, 5*time.Millisecond)
			res, err := h.Execute(t.Context(), core.Shell("echo before; "+end))
			require.ErrorIs(t, err, core.ErrIndeterminate)
			require.Equal(t, core.Unknown, res.Reason)
			require.Empty(t, census(t, mark))
			require.Equal(t, "works\n", h.sh(t, "echo works").Stdout.String())
			processes := strings.Fields(h.sh(t, "cd /proc && echo [0-9]*").Stdout.String())
			require.Len(t, processes, 4, "the keeper, the runner, a leader and the shell: %v", processes)
		})
	}
}

func TestRunnerCannotBeSeenThrough(t *testing.T) {
	h := startAlone(t, protocol.Config{})
	res := h.sh(t, `for p in $PPID $(sed -n 's/^PPid:\t//p' /proc/$PPID/status) 1; do
		cat /proc/$p/environ /proc/$p/maps /proc/$p/fd/0 2>/dev/null && echo "$p is open"; ls /proc/$p/fd 2>/dev/null; done; true`)
	require.Empty(t, res.Stdout.String())
}

func TestLimitsOfCommandsAndUploads(t *testing.T) {
	const fileSize = 1 << 20
	h := startWith(t, protocol.Config{OpenFiles: 100, FileSize: fileSize}, binary, "runner")
	require.Equal(t, "100 2048 0\n", h.sh(t, "echo $(ulimit -n) $(ulimit -f) $(ulimit -c)").Stdout.String(), "files, blocks of 512 bytes, core")
	require.NoError(t, h.Upload(t.Context(), "fits", bytes.NewReader(make([]byte, fileSize)), nil))
	for range 3 {
		err := h.Upload(t.Context(), "fits", bytes.NewReader(make([]byte, fileSize+1)), nil)
		require.ErrorIs(t, err, core.ErrTooLarge)
	}
	info, err := os.Stat(filepath.Join(h.dir, "fits"))
	require.NoError(t, err)
	require.EqualValues(t, fileSize, info.Size(), "the old file is what stays")
	res := h.sh(t, "head -c 2097152 /dev/zero >large; wc -c <large; exec head -c 2097152 /dev/zero >large")
	require.Equal(t, "SIGXFSZ", res.Signal)
	require.Equal(t, strconv.Itoa(fileSize)+"\n", res.Stdout.String())
	require.Equal(t, []string{"fits", "large"}, strings.Fields(h.sh(t, "ls").Stdout.String()), "no temporary file")
	// More commands at once than a command may have files: the runner's own limit is another.
	done := make(chan error, 60)
	for range cap(done) {
		go func() {
			_, err := h.Execute(t.Context(), core.Shell("sleep 0.3"))
			done <- err
		}()
	}
	for range cap(done) {
		require.NoError(t, <-done)
	}
}
