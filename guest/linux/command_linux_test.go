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
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/guest/runner"
)

func TestHowCommandsEnd(t *testing.T) {
	dir := t.TempDir()
	for name, file := range map[string]struct {
		content string
		mode    os.FileMode
	}{
		"plain": {"text", 0o644}, "script": {"#!/bin/sh\nexit 9\n", 0o755},
		"garbage": {"\x01\x02\x03", 0o755}, "orphan": {"#!/no/such/interpreter\n", 0o755},
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(file.content), file.mode))
	}
	for _, c := range []struct {
		name   string
		args   string
		code   int
		signal string
		stderr string
	}{
		{"success", "true", 0, "", ""},
		{"code", "sh -c exit${IFS}124", 124, "", ""},
		{"largest code", "sh -c exit${IFS}255", 255, "", ""},
		{"script", "./script", 9, "", ""},
		{"term", "sh -c kill${IFS}-TERM${IFS}$$", core.NoExitCode, "SIGTERM", ""},
		{"kill", "sh -c kill${IFS}-KILL${IFS}$$", core.NoExitCode, "SIGKILL", ""},
		{"segv", "sh -c kill${IFS}-SEGV${IFS}$$", core.NoExitCode, "SIGSEGV", ""},
		{"realtime", "sh -c kill${IFS}-40${IFS}$$", core.NoExitCode, "SIGRTMIN+8", ""},
		{"missing name", "no-such-program", 127, "", "no-such-program: not found\n"},
		{"missing path", "/no/such/program", 127, "", "/no/such/program: not found\n"},
		{"below a file", "./plain/x", 127, "", "./plain/x: not found\n"},
		{"missing interpreter", "./orphan", 127, "", "./orphan: not found\n"},
		{"not executable", "./plain", 126, "", "./plain: permission denied\n"},
		{"not a program", "./garbage", 126, "", "./garbage: exec format error\n"},
		{"directory", "/", 126, "", "/: is a directory\n"},
		{"relative directory", "../" + filepath.Base(dir), 126, "", "is a directory\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			args := strings.Fields(c.args)
			for i := range args {
				args[i] = strings.ReplaceAll(args[i], "${IFS}", " ")
			}
			exit, stdout, stderr := run(t, &runner.Command{Args: args, Env: []string{testPath}, Dir: dir})
			require.Equal(t, c.code, exit.Code)
			require.Equal(t, c.signal, exit.Signal)
			want := core.Exited
			if c.signal != "" {
				want = core.Signaled
			}
			require.Equal(t, want, exit.Reason)
			require.Empty(t, stdout)
			require.Contains(t, stderr, c.stderr)
		})
	}
}

func TestProgramIsLookedUpInThePathOfTheCommand(t *testing.T) {
	dir := t.TempDir()
	for name, mode := range map[string]os.FileMode{"first/tool": 0o644, "second/tool": 0o755, "tool": 0o755} {
		file := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte("#!/bin/sh\necho "+name), mode))
	}
	for _, c := range []struct {
		name string
		env  []string
		want string
		code int
	}{
		{"goes on after what cannot be executed", []string{"PATH=" + dir + "/first:" + dir + "/second"}, "second/tool\n", 0},
		{"says permission if there is nothing else", []string{"PATH=" + dir + "/first:/nowhere"}, "", 126},
		{"the last one counts", []string{"PATH=/nowhere", "PATH=" + dir + "/second"}, "second/tool\n", 0},
		{"empty element", []string{"PATH=/nowhere:"}, "tool\n", 0},
		{"relative element", []string{"PATH=second"}, "second/tool\n", 0},
		{"empty", []string{"PATH="}, "tool\n", 0},
		{"none", nil, "", 127},
	} {
		t.Run(c.name, func(t *testing.T) {
			exit, stdout, _ := run(t, &runner.Command{Args: []string{"tool"}, Env: c.env, Dir: dir})
			require.Equal(t, c.code, exit.Code)
			require.Equal(t, c.want, stdout)
		})
	}
	exit, _, _ := run(t, &runner.Command{Args: []string{"true"}, Dir: "/"})
	require.Zero(t, exit.Code, "without a PATH there is a default")
}

func TestArgumentsAndEnvironmentAreBytes(t *testing.T) {
	args := []string{"printf", `%s\0`, "", "a b\n\t", "\xff\xfe", "$HOME `id` *", "-n", strings.Repeat("x", 128<<10-1)}
	exit, stdout, _ := run(t, &runner.Command{Args: args, Env: []string{testPath}, Dir: "/"})
	require.Zero(t, exit.Code)
	require.Equal(t, strings.Join(args[2:], "\x00")+"\x00", stdout)

	env := []string{testPath, "EMPTY=", "LINES=a\nb", "BYTES=\xff", "EQUALS=a=b", "LONG=" + strings.Repeat("y", 100<<10)}
	exit, stdout, _ = run(t, &runner.Command{Args: []string{"env", "-0"}, Env: env, Dir: "/"})
	require.Zero(t, exit.Code)
	require.ElementsMatch(t, env, strings.Split(strings.TrimSuffix(stdout, "\x00"), "\x00"))

	many := []string{"sh", "-c", "echo $#", "sh"}
	for range 10_000 {
		many = append(many, strings.Repeat("z", 90))
	}
	exit, stdout, stderr := run(t, &runner.Command{Args: many, Env: []string{testPath}, Dir: "/"})
	require.Zero(t, exit.Code, stderr)
	require.Equal(t, "10000\n", stdout)

	exit, _, stderr = run(t, &runner.Command{Args: []string{"true", strings.Repeat("x", 128<<10)}, Env: []string{testPath}, Dir: "/"})
	require.Equal(t, 126, exit.Code)
	require.Equal(t, "true: argument list too long\n", stderr)

	for _, cmd := range []*runner.Command{
		{Args: []string{"true", "a\x00b"}, Dir: "/"},
		{Args: []string{"tr\x00ue"}, Dir: "/"},
		{Args: []string{"true"}, Env: []string{"A=\x00"}, Dir: "/"},
	} {
		_, err := shared.Start(cmd)
		require.ErrorIs(t, err, core.ErrInvalid)
	}
}

func TestDirectory(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "file"), nil, 0o644))
	for link, target := range map[string]string{"here": ".", "proc": "/proc/self", "sys": "/sys/kernel", "loop": "loop"} {
		require.NoError(t, os.Symlink(target, filepath.Join(dir, link)))
	}
	cmd := shell("pwd -P")
	cmd.Dir = filepath.Join(dir, "here")
	_, stdout, _ := run(t, cmd)
	require.Equal(t, dir+"\n", stdout)
	for _, bad := range []string{"missing", "file", "proc", "sys", "loop", "/proc", "/proc/self/fdinfo", "/dev/fd", strings.Repeat("n", 300)} {
		if !filepath.IsAbs(bad) {
			bad = filepath.Join(dir, bad)
		}
		cmd.Dir = bad
		_, err := shared.Start(cmd)
		require.ErrorIs(t, err, core.ErrInvalid, bad)
	}
}

func TestInput(t *testing.T) {
	cat := func(stdin io.Reader) string {
		cmd := shell("cat; echo end")
		cmd.Stdin = stdin
		_, stdout, _ := run(t, cmd)
		return stdout
	}
	require.Equal(t, "end\n", cat(nil))
	require.Equal(t, "end\n", cat(strings.NewReader("")))
	require.Equal(t, "text\nend\n", cat(strings.NewReader("text\n")))
	large := strings.Repeat("0123456789abcdef", 1<<18)
	require.Equal(t, large+"end\n", cat(strings.NewReader(large)))

	// A command that wants none of it, or none of the rest, ends all the same.
	cmd := shell("head -c 3")
	cmd.Stdin = strings.NewReader(large)
	exit, stdout, _ := run(t, cmd)
	require.Zero(t, exit.Code)
	require.Equal(t, "012", stdout)
	silent, speaker := io.Pipe()
	defer speaker.Close()
	cmd = shell("echo done")
	cmd.Stdin = silent
	_, stdout, _ = run(t, cmd)
	require.Equal(t, "done\n", stdout)
}

// A command whose input was cut off is about to be killed. Until then it must not take a part for the whole.
func TestInputThatIsCutOffDoesNotEnd(t *testing.T) {
	cmd := shell("cat; echo end")
	cmd.Dir = t.TempDir()
	half := newSignpost("half")
	cmd.Stdin, cmd.Stdout = io.MultiReader(strings.NewReader("half"), iotest.ErrReader(io.ErrUnexpectedEOF)), half
	p := start(t, cmd)
	half.wait(t)
	time.Sleep(100 * time.Millisecond)
	require.NoError(t, p.Kill())
	require.Equal(t, "SIGKILL", wait(t, p).Signal)
	require.Equal(t, "half", half.text.String())
}

func TestOutputIsCompleteToTheLastByte(t *testing.T) {
	for _, size := range []int{0, 1, 4095, 4096, 65535, 65536, 65537, 1 << 20, 10<<20 + 3} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			t.Parallel()
			_, stdout, stderr := run(t, shell(fmt.Sprintf("head -c %d /dev/zero; printf last; printf err >&2", size)))
			require.Len(t, stdout, size+4)
			require.True(t, strings.HasSuffix(stdout, "last"))
			require.Equal(t, "err", stderr)
		})
	}
	t.Run("to a slow reader", func(t *testing.T) {
		// The command has ended long before its output is taken.
		slow := &slowWriter{}
		cmd := shell("head -c 60000 /dev/zero; printf last")
		cmd.Stdout = slow
		wait(t, start(t, cmd))
		require.Len(t, slow.text, 60004)
		require.True(t, bytes.HasSuffix(slow.text, []byte("last")))
	})
}

type slowWriter struct{ text []byte }

func (w *slowWriter) Write(p []byte) (int, error) {
	time.Sleep(50 * time.Millisecond)
	w.text = append(w.text, p...)
	return len(p), nil
}

func TestBackgroundChildrenNeitherDelayNorDie(t *testing.T) {
	dir := t.TempDir()
	// It writes more than a pipe holds after its command has ended, to both outputs.
	script, length := nap(`(until [ -e go ]; do sleep 0.01; done
		head -c 300000 /dev/zero; head -c 300000 /dev/zero >&2; echo alive > proof; NAP) & echo hi; echo ho >&2`)
	cmd := shell(script)
	cmd.Dir = dir
	exit, stdout, stderr := run(t, cmd)
	require.Zero(t, exit.Code)
	require.Equal(t, "hi\n", stdout)
	require.Equal(t, "ho\n", stderr)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go"), nil, 0o644))
	require.Eventually(t, func() bool {
		text, err := os.ReadFile(filepath.Join(dir, "proof"))
		return err == nil && string(text) == "alive\n"
	}, 10*time.Second, 5*time.Millisecond)
	require.Eventually(t, func() bool { return len(census(t, length)) == 1 }, 10*time.Second, 5*time.Millisecond)
}

func TestBackgroundChildThatWritesForEverDoesNotProlongItsCommand(t *testing.T) {
	cmd := shell("yes & echo hi >&2")
	_, _, stderr := run(t, cmd)
	require.Equal(t, "hi\n", stderr)
}

func TestCommandBeginsWithACleanSlate(t *testing.T) {
	files := strings.Fields(sh(t, "ls -l /proc/self/fd | sed -n 's/.* \\([0-9]*\\) -> .*/\\1/p'"))
	require.Equal(t, []string{"0", "1", "2"}, files[:3])
	require.LessOrEqual(t, len(files), 4, "besides them there is the directory that ls reads")
	require.Equal(t, "0022\n", sh(t, "umask"))
	require.Equal(t, "1000\n", sh(t, "sleep 0.05; cat /proc/self/oom_score_adj"), "the kernel would rather kill the runner")
	for _, set := range []string{"SigPnd", "SigBlk", "SigIgn", "SigCgt"} {
		require.Contains(t, sh(t, "exec cat /proc/self/status"), set+":\t0000000000000000\n")
	}
	// pid, process group and session are one, and there is no terminal.
	stat := strings.Fields(sh(t, "exec cat /proc/self/stat"))
	require.Equal(t, stat[0], stat[4])
	require.Equal(t, stat[0], stat[5])
	require.Equal(t, "0", stat[6])
}

func TestUsage(t *testing.T) {
	exit, _, _ := run(t, shell("i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done"))
	require.NotNil(t, exit.Usage)
	require.Positive(t, exit.Usage.UserTime)
	require.Less(t, exit.Usage.UserTime, time.Minute)
	require.Zero(t, exit.Usage.PeakMemory, "a small command's is not known, because it begins with the runner's memory")

	const large = 256 << 20
	exit, _, _ = run(t, shell(fmt.Sprintf("head -c %d /dev/zero | tail -n 1 | wc -c", large)))
	require.Greater(t, exit.Usage.PeakMemory, int64(large))
	require.Less(t, exit.Usage.PeakMemory, int64(2*large))

	exit, _, _ = run(t, &runner.Command{Args: []string{"no-such-program"}, Dir: "/"})
	require.Nil(t, exit.Usage, "nothing ran, and nothing is made up")
}

func TestManyAtOnceAreKeptApart(t *testing.T) {
	var all sync.WaitGroup
	for i := range 100 {
		all.Go(func() {
			var out, errOut bytes.Buffer
			cmd := shell(fmt.Sprintf("cat; echo out%d; echo err%d >&2; exit %d", i, i, i))
			cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(fmt.Sprintf("in%d ", i)), &out, &errOut
			p, err := shared.Start(cmd)
			if err != nil {
				t.Error(err)
				return
			}
			exit, err := p.Wait()
			if err != nil || exit.Code != i || out.String() != fmt.Sprintf("in%d out%d\n", i, i) || errOut.String() != fmt.Sprintf("err%d\n", i) {
				t.Errorf("command %d: %+v %q %q", i, exit, out.String(), errOut.String())
			}
		})
	}
	all.Wait()
}

func TestProgramThatWasJustWrittenRuns(t *testing.T) {
	// While a file is open for writing it cannot be executed, and a leader of
	// another command can have it open for a moment after its writer closed it.
	dir := t.TempDir()
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 25 {
				file := filepath.Join(dir, fmt.Sprintf("%d-%d", i, j))
				if err := os.WriteFile(file, []byte("#!/bin/sh\nexit 7\n"), 0o755); err != nil {
					t.Error(err)
					return
				}
				p, err := shared.Start(&runner.Command{Args: []string{file}, Dir: "/", Stdout: io.Discard, Stderr: io.Discard})
				if err != nil {
					t.Error(err)
					return
				}
				if exit, err := p.Wait(); err != nil || exit.Code != 7 {
					t.Errorf("exit = %+v", exit)
				}
			}
		})
	}
	all.Wait()
}

func TestNothingIsLeftOpen(t *testing.T) {
	sh(t, "true")
	files, goroutines := openFiles(t), runtime.NumGoroutine()
	for range 100 {
		sh(t, "true")
		run(t, &runner.Command{Args: []string{"no-such-program"}, Dir: "/"})
		_, err := shared.Start(&runner.Command{Args: []string{"true"}, Dir: "/no/such/directory"})
		require.Error(t, err)
		cmd := shell("cat; sleep 100 &")
		cmd.Stdin = strings.NewReader("x")
		p := start(t, cmd)
		wait(t, p)
		require.NoError(t, p.Kill())
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		f, g := openFiles(t), runtime.NumGoroutine()
		if f <= files && g <= goroutines {
			break
		}
		require.True(t, time.Now().Before(deadline), "files: %d, then %d; goroutines: %d, then %d", files, f, goroutines, g)
	}
	shared.mu.Lock()
	defer shared.mu.Unlock()
	require.Empty(t, shared.prey)
}

func TestOutOfMemoryIsToldByTheCounter(t *testing.T) {
	counter := filepath.Join(t.TempDir(), "memory.events")
	write := func(n int) {
		require.NoError(t, os.WriteFile(counter, fmt.Appendf(nil, "low 0\noom %d\noom_kill %d\n", n+5, n), 0o644))
	}
	write(3)
	f, err := os.Open(counter)
	require.NoError(t, err)
	defer f.Close()
	sys := &System{oom: oomCounter{fd: int(f.Fd())}}
	killed, exited137, exited0 := record{Value: 9}, record{Value: 137 << 8}, record{}
	p := &process{system: sys, oomBefore: sys.oom.count()}
	require.EqualValues(t, 3, p.oomBefore)
	require.Equal(t, core.Signaled, p.exitOf(&killed).Reason)
	require.Equal(t, core.Exited, p.exitOf(&exited137).Reason)
	write(4)
	require.Equal(t, core.OutOfMemory, p.exitOf(&killed).Reason)
	require.Equal(t, core.OutOfMemory, p.exitOf(&exited137).Reason)
	require.Equal(t, 137, p.exitOf(&exited137).Code)
	require.Equal(t, core.Exited, p.exitOf(&exited0).Reason, "another command's death")
	none := oomCounter{fd: -1}
	require.Zero(t, none.count())
}
