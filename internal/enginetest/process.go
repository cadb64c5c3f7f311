package enginetest

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Processes returns the command lines of this host's processes that contain a
// text, by process id. A zero byte ends each argument. Of an engine elsewhere it knows nothing.
func Processes(text string) map[int]string {
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	found := make(map[int]string)
	for _, file := range files {
		line, err := os.ReadFile(file)
		if err != nil || !strings.Contains(string(line), text) { // it may have ended
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil {
			found[pid] = string(line)
		}
	}
	return found
}

// NoBuildContainers checks that each container that an engine builds in now is gone soon. Others may build at the same time.
func NoBuildContainers(t testing.TB, scheme string) {
	t.Helper()
	left := BuildContainers(t, scheme)
	for began := time.Now(); len(left) > 0; time.Sleep(100 * time.Millisecond) {
		if time.Since(began) > 15*time.Second {
			t.Fatalf("containers of builds are left: %q", left)
		}
		now := BuildContainers(t, scheme)
		left = slices.DeleteFunc(left, func(id string) bool { return !slices.Contains(now, id) })
	}
}

// Child is the test's own program, run once more as a process that is to be killed.
type Child struct {
	t     testing.TB
	cmd   *exec.Cmd
	lines chan string // what it prints, and more than it will
}

// StartChild runs the tests that match a pattern in a Child, with variables, KEY=VALUE, beside those of this process.
func StartChild(t testing.TB, pattern string, env ...string) *Child {
	t.Helper()
	c := &Child{t: t, cmd: exec.CommandContext(t.Context(), os.Args[0], "-test.run="+pattern, "-test.v"), lines: make(chan string, 1<<16)}
	c.cmd.Env = append(os.Environ(), env...)
	out, err := c.cmd.StdoutPipe()
	if err == nil {
		err = c.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(c.lines)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			c.lines <- lines.Text()
		}
	}()
	return c
}

// Until waits for a line that it prints, and logs those before.
func (c *Child) Until(line string) {
	c.t.Helper()
	for said := range c.lines {
		if said == line {
			return
		}
		c.t.Log(said)
	}
	c.t.Fatalf("the other process has ended before it said %q", line)
}

// Kill kills it. Nothing that it has printed since may tell of a failure.
func (c *Child) Kill() {
	c.t.Helper()
	if err := c.cmd.Process.Kill(); err != nil {
		c.t.Fatal(err)
	}
	for said := range c.lines {
		if strings.Contains(said, "--- FAIL") {
			c.t.Errorf("the other process says %q", said)
		}
	}
	_ = c.cmd.Wait() // it was killed
}
