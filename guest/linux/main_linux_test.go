package linux

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/guest/protocol"
	"github.com/caisson-dev/caisson/guest/runner"
)

// shared is the one System of the test process. Every child of the process that
// is not its leader counts as a stray, so no test may start one by other means.
var shared *System

func TestMain(m *testing.M) {
	if os.Getenv("ROLE") == "headless" {
		headless()
	}
	var err error
	if shared, err = New(Options{}); err != nil {
		panic(err)
	}
	shared.patience = 20 * time.Second // the machine may be busy with other tests
	code := m.Run()
	if err := shared.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func init() {
	if os.Getenv("ROLE") == "headless" {
		runtime.LockOSThread() // so that main runs on the first thread
	}
}

// headless ends the first thread of the process, which then looks like a zombie although it runs on.
func headless() {
	go func() {
		fmt.Println("ready")
		select {}
	}()
	go func() {
		for {
			time.Sleep(time.Hour)
		}
	}()
	_, _, _ = unix.RawSyscall(unix.SYS_EXIT, 0, 0, 0)
}

const testPath = "PATH=/usr/local/bin:/usr/bin:/bin"

func shell(script string) *runner.Command {
	return &runner.Command{Args: []string{"/bin/sh", "-c", script}, Env: []string{testPath}, Dir: "/"}
}

// start starts a command of which t takes care. Outputs that are not set go nowhere.
func start(t testing.TB, cmd *runner.Command) runner.Process {
	t.Helper()
	if cmd.Stdout == nil {
		cmd.Stdout = io.Discard
	}
	if cmd.Stderr == nil {
		cmd.Stderr = io.Discard
	}
	p, err := shared.Start(cmd)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Kill()) })
	return p
}

// run runs a command to its end and returns its outputs.
func run(t testing.TB, cmd *runner.Command) (exit protocol.Exit, stdout, stderr string) {
	t.Helper()
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	exit = wait(t, start(t, cmd))
	return exit, out.String(), errOut.String()
}

// wait waits for a command that was started.
func wait(t testing.TB, p runner.Process) protocol.Exit {
	t.Helper()
	exit, err := p.Wait()
	require.NoError(t, err)
	return exit
}

// sh runs a script that must succeed and returns its output.
func sh(t testing.TB, script string) string {
	t.Helper()
	exit, out, errOut := run(t, shell(script))
	require.Equal(t, core.Exited, exit.Reason, "%s: %s", script, errOut)
	require.Zero(t, exit.Code, "%s: %s", script, errOut)
	return out
}

// A signpost is an output that tells when a line was written.
type signpost struct {
	mu   sync.Mutex
	text bytes.Buffer
	line string
	seen chan struct{}
}

func newSignpost(line string) *signpost { return &signpost{line: line, seen: make(chan struct{})} }

func (s *signpost) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := strings.Contains(s.text.String(), s.line)
	s.text.Write(p)
	if !before && strings.Contains(s.text.String(), s.line) {
		close(s.seen)
	}
	return len(p), nil
}

func (s *signpost) wait(t testing.TB) {
	t.Helper()
	select {
	case <-s.seen:
	case <-time.After(20 * time.Second):
		t.Fatalf("no line %q", s.line)
	}
}

// census lists the processes that have arg as one of their arguments.
func census(t testing.TB, arg string) []string {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	require.NoError(t, err)
	var found []string
	for _, file := range files {
		if line, err := os.ReadFile(file); err == nil && bytes.Contains(line, []byte("\x00"+arg+"\x00")) {
			found = append(found, filepath.Base(filepath.Dir(file))+": "+strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return found
}

// openFiles counts the descriptors of this process.
func openFiles(t testing.TB) int {
	t.Helper()
	names, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	return len(names)
}
