package main_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/guest"
	"github.com/caisson-dev/caisson/guest/protocol"
)

var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "caisson-guest")
	if err != nil {
		panic(err)
	}
	binary = filepath.Join(dir, "caisson-guest")
	build := exec.Command("go", "build", "-o", binary, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		panic(string(out))
	}
	if err := os.Chmod(dir, 0o755); err != nil { // so that other users can run it
		panic(err)
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// host is a sandbox without walls: a runner as a child process of the test.
type host struct {
	core.Backend
	dir string
	mu  sync.Mutex
	pid int
}

type pipes struct {
	io.Reader
	io.WriteCloser
	once sync.Once
	end  func()
}

func (p *pipes) Close() error { p.once.Do(p.end); return nil }

func start(t *testing.T) *host {
	t.Helper()
	return startWith(t, protocol.Config{}, binary, "runner")
}

// startWith starts a runner by a command, with the limits in cfg.
func startWith(t *testing.T, cfg protocol.Config, args ...string) *host {
	t.Helper()
	h := &host{dir: t.TempDir()}
	cfg.WorkDir = h.dir
	cfg.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=" + filepath.Join(h.dir, ".home"), "GREETING=base"}
	if os.Getuid() == 0 {
		require.NoError(t, os.Chmod(filepath.Dir(h.dir), 0o755))
		require.NoError(t, os.Chown(h.dir, workloadUser, workloadUser))
	}
	var running sync.WaitGroup
	open := func(context.Context) (io.ReadWriteCloser, error) {
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Env = []string{}
		cmd.Stderr = os.Stderr
		in, err := cmd.StdinPipe()
		if err != nil {
			return nil, err
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			return nil, err
		}
		if err := cmd.Start(); err != nil {
			return nil, err
		}
		h.mu.Lock()
		h.pid = cmd.Process.Pid
		h.mu.Unlock()
		running.Add(1)
		return &pipes{Reader: out, WriteCloser: in, end: func() {
			defer running.Done()
			_ = in.Close()
			_ = cmd.Wait()
		}}, nil
	}
	b, err := guest.NewBackend(t.Context(), &guest.Options{
		Driver: "process", ID: "test", Open: open, Remove: func(context.Context) error { return nil },
		Config: cfg,
	})
	require.NoError(t, err)
	h.Backend = b
	t.Cleanup(func() {
		require.NoError(t, b.Stop(context.Background()))
		running.Wait()
	})
	return h
}

func (h *host) sh(t *testing.T, script string) *core.Result {
	t.Helper()
	res, err := h.Execute(t.Context(), core.Shell(script))
	require.NoError(t, err)
	return res
}

func TestHowCommandsEnd(t *testing.T) {
	h := start(t)
	require.NoError(t, os.WriteFile(filepath.Join(h.dir, "plain"), []byte("text"), 0o644))
	for _, c := range []struct {
		name   string
		cmd    *core.Command
		reason core.Reason
		code   int
		signal string
	}{
		{"success", core.Shell("true"), core.Exited, 0, ""},
		{"124 of its own", core.Shell("exit 124"), core.Exited, 124, ""},
		{"255", core.Shell("exit 255"), core.Exited, 255, ""},
		{"missing program", core.Program("no-such-program"), core.Exited, 127, ""},
		{"missing path", core.Program("/no/such/program"), core.Exited, 127, ""},
		{"not executable", core.Program("./plain"), core.Exited, 126, ""},
		{"directory", core.Program("/"), core.Exited, 126, ""},
		{"TERM", core.Shell("kill -TERM $$"), core.Signaled, core.NoExitCode, "SIGTERM"},
		{"KILL", core.Shell("kill -KILL $$"), core.Signaled, core.NoExitCode, "SIGKILL"},
		{"SEGV", core.Shell("kill -SEGV $$"), core.Signaled, core.NoExitCode, "SIGSEGV"},
	} {
		t.Run(c.name, func(t *testing.T) {
			res, err := h.Execute(t.Context(), c.cmd)
			require.NoError(t, err)
			require.Equal(t, c.reason, res.Reason)
			require.Equal(t, c.code, res.ExitCode)
			require.Equal(t, c.signal, res.Signal)
		})
	}
}

func TestOutputsEnvironmentAndInput(t *testing.T) {
	h := start(t)
	res, err := h.Execute(t.Context(), &core.Command{
		Args:  []string{"sh", "-c", `printf '%s|%s|' "$GREETING" "$1"; cat; printf err >&2; pwd`, "sh", "a b\n$x'\xff"},
		Env:   map[string]string{"GREETING": "own"},
		Stdin: strings.NewReader("in"),
	})
	require.NoError(t, err)
	require.Equal(t, "own|a b\n$x'\xff|in"+h.dir+"\n", string(res.Stdout.Bytes()))
	require.Equal(t, "err", res.Stderr.String())
	require.NotNil(t, res.Usage)
	require.Positive(t, res.Usage.UserTime+res.Usage.SystemTime)
	require.Equal(t, "base\n", h.sh(t, "echo $GREETING; cat").Stdout.String(), "environment of another command, or no end of an empty input")

	flood := h.sh(t, "head -c 33554432 /dev/zero")
	require.EqualValues(t, 32<<20, flood.Stdout.Total)
	require.True(t, flood.Stdout.Truncated)
	require.LessOrEqual(t, len(flood.Stdout.Bytes()), core.DefaultOutputLimit)
}

func TestBackgroundChildrenNeitherDelayNorDie(t *testing.T) {
	h := start(t)
	begin := time.Now()
	res := h.sh(t, "(sleep 1; echo late; echo alive > proof) & echo hi")
	require.Less(t, time.Since(begin), 900*time.Millisecond)
	require.Equal(t, "hi\n", res.Stdout.String())
	require.Eventually(t, func() bool {
		return h.sh(t, "cat proof 2>/dev/null || true").Stdout.String() == "alive\n"
	}, 5*time.Second, 50*time.Millisecond)
}

// hostile are trees that a kill of the leader or of its group leaves behind. M is their mark.
var hostile = map[string]string{
	"setsid":         `setsid sleep 300.M & sleep 300.M`,
	"double fork":    `(setsid sh -c 'sleep 300.M & exit' &) ; sleep 300.M`,
	"nohup":          `nohup sleep 300.M >/dev/null 2>&1 & sleep 300.M`,
	"ignores TERM":   `trap '' TERM HUP INT; setsid sh -c "trap '' TERM; sleep 300.M; sleep 300.M" & while :; do sleep 300.M; done`,
	"stopped":        `sleep 300.M & kill -STOP $!; setsid sleep 300.M & kill -STOP $!; sleep 300.M`,
	"keeps forking":  `f() { while :; do setsid sleep 300.M & sleep 0.01; done; }; f & f & sleep 300.M`,
	"orphans orphan": `setsid sh -c 'while :; do (setsid sleep 300.M &); sleep 0.01; done' & sleep 300.M`,
}

func TestKillMeansGone(t *testing.T) {
	h := start(t)
	bystander := "4242" + fmt.Sprint(os.Getpid())
	h.sh(t, "setsid sleep "+bystander+" >/dev/null 2>&1 &")
	i := 0
	for name, script := range hostile {
		for _, how := range []string{"timeout", "cancel"} {
			t.Run(name+"/"+how, func(t *testing.T) {
				i++
				mark := fmt.Sprintf("%d%03d", os.Getpid(), i)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				cmd := &core.Command{Shell: "echo early; " + strings.ReplaceAll(script, "M", mark)}
				if how == "timeout" {
					cmd.Timeout = 300 * time.Millisecond
				} else {
					time.AfterFunc(300*time.Millisecond, cancel)
				}
				begin := time.Now()
				res, err := h.Execute(ctx, cmd)
				require.Less(t, time.Since(begin), 3*time.Second)
				if how == "timeout" {
					require.NoError(t, err)
					require.Equal(t, core.TimedOut, res.Reason)
				} else {
					require.ErrorIs(t, err, context.Canceled)
					require.Equal(t, core.Canceled, res.Reason)
				}
				require.False(t, res.Restarted)
				require.Equal(t, core.NoExitCode, res.ExitCode)
				require.True(t, strings.HasPrefix(res.Stdout.String(), "early\n"))
				require.Empty(t, census(t, "300."+mark), "survivors")
				require.Len(t, census(t, bystander), 1, "a process of another command was killed")
				require.True(t, h.sh(t, "true").Success())
			})
		}
	}
}

// census lists the processes that have an argument of exactly this text.
func census(t *testing.T, arg string) []string {
	t.Helper()
	dirs, err := filepath.Glob("/proc/[0-9]*/cmdline")
	require.NoError(t, err)
	var found []string
	for _, d := range dirs {
		if line, err := os.ReadFile(d); err == nil && bytes.Contains(line, []byte("\x00"+arg+"\x00")) {
			found = append(found, d+" "+string(line))
		}
	}
	return found
}

func TestRunnerThatIsKilled(t *testing.T) {
	h := start(t)
	mark := fmt.Sprintf("77%d", os.Getpid())
	time.AfterFunc(300*time.Millisecond, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		p, _ := os.FindProcess(h.pid)
		_ = p.Kill()
	})
	res, err := h.Execute(t.Context(), core.Program("sh", "-c", "echo early; exec sleep "+mark))
	require.ErrorIs(t, err, core.ErrIndeterminate)
	require.Equal(t, core.NoExitCode, res.ExitCode)
	require.True(t, h.sh(t, "true").Success(), "the next command runs on a new runner")
	// Without walls there is nothing that may kill what a dead runner left, so the test does.
	require.NoError(t, exec.Command("pkill", "-KILL", "-f", "^sleep "+mark+"$").Run())
}

func TestFilesGoInAndOut(t *testing.T) {
	h := start(t)
	data := make([]byte, 9<<20)
	_, _ = rand.Read(data)
	for _, name := range []string{"plain", "new/dir/x y\n$(x)", "-rf", "ünï", strings.Repeat("n", 255)} {
		require.NoError(t, h.Upload(t.Context(), name, bytes.NewReader(data), nil))
		r, err := h.Read(t.Context(), name, nil)
		require.NoError(t, err)
		got, err := io.ReadAll(r)
		require.NoError(t, err)
		require.NoError(t, r.Close())
		require.True(t, bytes.Equal(data, got), "%q came back otherwise", name)
	}
	h.sh(t, "printf old > script; chmod 755 script; mkfifo fifo; mkdir dir; ln -s script link")
	require.NoError(t, h.Upload(t.Context(), "link", strings.NewReader("new"), nil))
	require.Equal(t, "new 755 symbolic link\n", h.sh(t, `echo "$(cat script) $(stat -c %a script) $(stat -c %F link)"`).Stdout.String())
	for path, want := range map[string]error{
		"missing": core.ErrNotFound, "dir": core.ErrIsDirectory, "fifo": core.ErrNotRegular, "/dev/null": core.ErrNotRegular,
	} {
		_, err := h.Read(t.Context(), path, nil)
		require.ErrorIs(t, err, want, path)
	}
	_, err := h.Read(t.Context(), "plain", &core.ReadOptions{MaxSize: 1 << 20})
	require.ErrorIs(t, err, core.ErrTooLarge)
	r, err := h.Read(t.Context(), "plain", &core.ReadOptions{Offset: 5, Limit: 7})
	require.NoError(t, err)
	got, err := io.ReadAll(r)
	require.NoError(t, err)
	require.Equal(t, data[5:12], got)
	require.NoError(t, r.Close())

	cut := io.MultiReader(bytes.NewReader(data[:3<<20]), failing{})
	require.ErrorIs(t, h.Upload(t.Context(), "script", cut, nil), io.ErrUnexpectedEOF)
	require.Equal(t, "new0", h.sh(t, "cat script; ls -a | grep -c caisson || true").Stdout.String()[:4], "old content or a temporary file")
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestFileVerbs(t *testing.T) {
	h := start(t)
	h.sh(t, `mkdir -p src/a/b; printf 'one\r\ntwo\r\n' > src/x.py; echo 'def f1' > src/a/b/y.py; echo z > src/a/z.txt; echo h > src/.hidden.py`)
	ctx := t.Context()
	as := h.Backend
	glob, ok := core.As[core.Globber](as, core.CapGlob)
	require.True(t, ok)
	paths, err := glob.Glob(ctx, "src/**/*.{py,go}", nil)
	require.NoError(t, err)
	require.Equal(t, []string{h.dir + "/src/a/b/y.py", h.dir + "/src/x.py"}, paths.Paths)
	grep, _ := core.As[core.Grepper](as, core.CapGrep)
	found, err := grep.Grep(ctx, `f\d+|two`, &core.Search{Root: "src"})
	require.NoError(t, err)
	require.Len(t, found.Matches, 2)
	require.Equal(t, core.Match{Path: h.dir + "/src/x.py", Line: 2, Text: "two"}, found.Matches[1])
	edit, _ := core.As[core.Editor](as, core.CapEdit)
	n, err := edit.Edit(ctx, "src/x.py", "one\ntwo", "1\n2", false)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.Equal(t, "1\r\n2\r\n", h.sh(t, "cat src/x.py").Stdout.String())
	_, err = edit.Edit(ctx, "src/x.py", "absent", "", false)
	require.ErrorIs(t, err, core.ErrNotFound)
	require.NotContains(t, err.Error(), "absent")
	list, _ := core.As[core.Lister](as, core.CapList)
	files, err := list.List(ctx, "src")
	require.NoError(t, err)
	require.Len(t, files, 3)
	_, err = list.List(ctx, "nowhere")
	require.ErrorIs(t, err, core.ErrNotFound)
	rm, _ := core.As[core.Remover](as, core.CapRemove)
	require.ErrorIs(t, rm.Remove(ctx, "src/a", false), core.ErrConflict)
	require.NoError(t, rm.Remove(ctx, "src/a", true))
	stat, _ := core.As[core.Stater](as, core.CapStat)
	_, err = stat.Stat(ctx, "src/a", true)
	require.ErrorIs(t, err, core.ErrNotFound)
}

func TestManyAtOnce(t *testing.T) {
	h := start(t)
	var all sync.WaitGroup
	for i := range 100 {
		all.Go(func() {
			res, err := h.Execute(t.Context(), core.Shell(fmt.Sprintf("echo out%d; echo err%d >&2; exit %d", i, i, i)))
			if err != nil || res.ExitCode != i || res.Stdout.String() != fmt.Sprintf("out%d\n", i) || res.Stderr.String() != fmt.Sprintf("err%d\n", i) {
				t.Errorf("command %d: %+v, %v", i, res, err)
			}
		})
	}
	all.Wait()
}
