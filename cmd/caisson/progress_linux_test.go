package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/caisson-dev/caisson/core"
)

// terminal returns a terminal of 60 columns, and what it got once it is closed.
func terminal(t *testing.T) (*os.File, func() string) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	fd := int(master.Fd())
	require.NoError(t, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	require.NoError(t, err)
	tty, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	require.NoError(t, unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 60}))
	got := make(chan string)
	go func() {
		data, _ := io.ReadAll(master) // ends with an error when the terminal is closed
		got <- string(data)
	}()
	return tty, func() string {
		require.NoError(t, tty.Close())
		defer master.Close()
		return <-got
	}
}

func TestProgressOnATerminal(t *testing.T) {
	tty, screen := terminal(t)
	p := newProgress(tty)
	p.event(core.Progress{Kind: core.ProgressPull, Current: 1 << 20, Total: 8 << 20})
	time.Sleep(400 * time.Millisecond) // until the bar was drawn
	for i := range int64(3) {
		p.event(core.Progress{Kind: core.ProgressStep, Current: i + 1, Total: 3, Text: "install"})
	}
	p.event(core.Progress{Kind: core.ProgressLog, Text: "collecting " + strings.Repeat("x", 100)})
	time.Sleep(400 * time.Millisecond)
	p.event(core.Progress{Kind: core.ProgressDone, Text: "an image"})
	p.close()
	fmt.Fprintln(tty, "the image")
	out := screen()
	require.Contains(t, out, "pulling", "a bar of the pull")
	require.Contains(t, out, "collecting x", "what a step says")
	require.NotContains(t, out, strings.Repeat("x", 60), "a line of the display is one of the terminal")
	at := 0
	for _, line := range []string{"step 1 of 3", "step 2 of 3", "step 3 of 3", "the image"} {
		found := strings.Index(out[at:], line)
		require.GreaterOrEqual(t, found, 0, "%s after %q", line, out[:at])
		at += found
	}
	// A bar is drawn on a line of its own: it takes itself off before anything else is printed.
	for _, line := range strings.Split(strings.ReplaceAll(out, "\r", ""), "\n") {
		require.False(t, strings.Contains(line, "install") && strings.Contains(line, "collecting"), "%q", line)
	}
}
