package kernel_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/caisson-dev/caisson/drivers/fake/internal/kernel"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// boot returns a kernel that is shut down at the end of the test.
func boot(t *testing.T, change ...func(*kernel.Options)) *kernel.Kernel {
	t.Helper()
	o := kernel.Options{
		FS: newFS(1 << 20), RAM: kernel.NewVolume(64<<20, nil), MaxProcesses: 64, OpenFiles: 64, Hostname: "host",
		Loader: func([]byte) kernel.Program { return nil },
	}
	for _, f := range change {
		f(&o)
	}
	k := kernel.New(o)
	t.Cleanup(func() { require.NoError(t, k.Shutdown(context.Background())) })
	return k
}

type output struct {
	mu sync.Mutex
	strings.Builder
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.Builder.Write(b)
}

// run runs a program as alice and returns how it ended and what it printed.
func run(t *testing.T, k *kernel.Kernel, stdin io.Reader, main kernel.Program) (kernel.End, string) {
	t.Helper()
	var out output
	job, err := k.Start(&kernel.Command{
		Image: kernel.NewImage([]string{"test"}, main), Dir: "/home", User: alice, Stdin: stdin, Stdout: &out, Stderr: &out,
	})
	require.NoError(t, err)
	end := job.Wait()
	return end, out.String()
}

func print(p *kernel.Process, format string, args ...any) {
	_, _ = p.Write(1, fmt.Appendf(nil, format, args...)) // the test reads it
}

func TestExitStatus(t *testing.T) {
	k := boot(t)
	for name, c := range map[string]struct {
		main kernel.Program
		want kernel.Status
	}{
		"returns": {func(*kernel.Process) int { return 3 }, kernel.Status{Code: 3}},
		"exits":   {func(p *kernel.Process) int { p.Exit(4); return 5 }, kernel.Status{Code: 4}},
		"wraps":   {func(p *kernel.Process) int { p.Exit(257); return 5 }, kernel.Status{Code: 1}},
		"signal":  {func(p *kernel.Process) int { _ = p.Kill(p.PID, kernel.SIGTERM); return 5 }, kernel.Status{Signal: kernel.SIGTERM}},
		"panics":  {func(*kernel.Process) int { panic("defect") }, kernel.Status{Signal: kernel.SIGABRT}},
		"pipe": {func(p *kernel.Process) int {
			read, write, _ := p.Pipe()
			_ = p.Close(read)
			_, _ = p.Write(write, []byte("x"))
			return 5
		}, kernel.Status{Signal: kernel.SIGPIPE}},
	} {
		t.Run(name, func(t *testing.T) {
			end, _ := run(t, k, nil, c.main)
			require.Equal(t, c.want, end.Status)
		})
	}
}

func TestForkWaitAndPipe(t *testing.T) {
	k := boot(t)
	end, out := run(t, k, strings.NewReader("to the child"), func(p *kernel.Process) int {
		read, write, err := p.Pipe()
		if err != nil {
			return 1
		}
		child, err := p.Fork(func(c *kernel.Process) int {
			_ = c.Close(read)
			buf := make([]byte, 100)
			n, _ := c.Read(0, buf)
			_, _ = c.Write(write, append([]byte("child got "), buf[:n]...))
			return 7
		})
		if err != nil {
			return 1
		}
		_ = p.Close(write)
		buf := make([]byte, 100)
		n, _ := p.Read(read, buf)
		print(p, "%s", buf[:n])
		if _, err := p.Read(read, buf); !errors.Is(err, io.EOF) {
			return 1
		}
		pid, status, err := p.Wait(-1, false)
		print(p, ", %v %v %v", pid == child.PID, status.Code, err)
		_, _, err = p.Wait(-1, false)
		print(p, ", %v", err)
		return 0
	})
	require.Zero(t, end.Code, out)
	require.Equal(t, "child got to the child, true 7 <nil>, No child processes", out)
}

func TestAFileDescriptorIsShared(t *testing.T) {
	k := boot(t)
	_, out := run(t, k, nil, func(p *kernel.Process) int {
		fd, _ := p.Open("f", kernel.OpenFlags{Read: true, Write: true, Create: true, Mode: 0o600})
		child, _ := p.Fork(func(c *kernel.Process) int { _, _ = c.Write(fd, []byte("child ")); return 0 })
		_, _, _ = p.Wait(child.PID, false)
		_, _ = p.Write(fd, []byte("parent"))
		_, _ = p.Seek(fd, 0, io.SeekStart)
		buf := make([]byte, 100)
		n, _ := p.Read(fd, buf)
		print(p, "%s", buf[:n])
		return 0
	})
	require.Equal(t, "child parent", out)
}

func TestSignals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := boot(t)
		_, out := run(t, k, nil, func(p *kernel.Process) int {
			child, _ := p.Fork(func(c *kernel.Process) int {
				c.SetAction(kernel.SIGTERM, kernel.Ignore)
				c.SetAction(kernel.SIGHUP, kernel.Catch)
				c.SetAction(kernel.SIGKILL, kernel.Ignore) // which cannot be
				for {
					c.Sleep(time.Second)
					for _, sig := range c.Caught() {
						print(c, "caught %v\n", sig)
					}
				}
			})
			p.Sleep(time.Second / 2)
			_ = p.Kill(child.PID, kernel.SIGTERM)
			_ = p.Kill(child.PID, kernel.SIGHUP)
			p.Sleep(time.Second)
			_ = p.Kill(child.PID, kernel.SIGSTOP)
			_ = p.Kill(child.PID, kernel.SIGHUP)
			p.Sleep(10 * time.Second)
			print(p, "stopped: %c\n", stateOf(k, child.PID))
			_ = p.Kill(child.PID, kernel.SIGCONT)
			p.Sleep(2 * time.Second)
			_ = p.Kill(child.PID, kernel.SIGSTOP)
			_ = p.Kill(child.PID, kernel.SIGKILL)
			_, status, _ := p.Wait(child.PID, false)
			print(p, "%v\n", status.Signal)
			print(p, "%v %v\n", p.Kill(child.PID, 0), p.Kill(1, kernel.SIGKILL))
			return 0
		})
		require.Equal(t, "caught SIGHUP\nstopped: T\ncaught SIGHUP\nSIGKILL\nNo such process Operation not permitted\n", out)
	})
}

func stateOf(k *kernel.Kernel, pid int) byte {
	for _, p := range k.Processes() {
		if p.PID == pid {
			return p.State
		}
	}
	return '?'
}

func TestAWaitIsInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := boot(t)
		begin := time.Now()
		_, out := run(t, k, nil, func(p *kernel.Process) int {
			p.SetAction(kernel.SIGTERM, kernel.Catch)
			child, _ := p.Fork(func(c *kernel.Process) int { c.Sleep(time.Hour); return 0 })
			_, _ = p.Fork(func(c *kernel.Process) int { c.Sleep(time.Second); _ = c.Kill(p.PID, kernel.SIGTERM); return 0 })
			_, _, err := p.Wait(child.PID, true)
			print(p, "%v %v", err, p.Caught())
			return 0
		})
		require.Equal(t, "Interrupted system call [SIGTERM]", out)
		require.Equal(t, time.Second, time.Since(begin))
	})
}

func TestOrphansAndZombies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := boot(t)
		_, out := run(t, k, nil, func(p *kernel.Process) int {
			_, _ = p.Fork(func(c *kernel.Process) int {
				_, _ = c.Fork(func(o *kernel.Process) int { o.Sleep(10 * time.Second); return 0 })
				return 0
			})
			p.Sleep(time.Second)
			for _, info := range k.Processes() {
				print(p, "%d %d %c\n", info.PID, info.Parent, info.State)
			}
			_, _ = p.TryWait(3)
			print(p, "%d left\n", len(k.Processes()))
			return 0
		})
		// 1 is init, 2 the program, 3 its child that nobody has waited for, 4 the orphan.
		require.Equal(t, "1 0 S\n2 1 S\n3 2 Z\n4 1 S\n3 left\n", out)
		time.Sleep(time.Minute)
		require.Len(t, k.Processes(), 1, "init reaps orphans")
		_, err := k.FS.Stat(kernel.Root, "/proc/4", true)
		require.ErrorIs(t, err, fs.ErrNotExist)
	})
}

func TestLimits(t *testing.T) {
	k := boot(t)
	_, out := run(t, k, nil, func(p *kernel.Process) int {
		n := 0
		for {
			if _, err := p.Fork(func(c *kernel.Process) int { c.Sleep(time.Hour); return 0 }); err != nil {
				print(p, "%d %v, ", n, err)
				break
			}
			n++
		}
		fds := 0
		for {
			if _, err := p.Open("/etc/passwd", kernel.OpenFlags{Read: true}); err != nil {
				print(p, "%d %v", fds, err)
				return 0
			}
			fds++
		}
	})
	require.Equal(t, "62 Resource temporarily unavailable, 61 Too many open files", out)
}

func TestMemory(t *testing.T) {
	k := boot(t)
	end, _ := run(t, k, nil, func(p *kernel.Process) int {
		for {
			p.Charge(1 << 20)
		}
	})
	require.True(t, end.OOM)
	require.Equal(t, kernel.SIGKILL, end.Signal)
	require.Greater(t, end.Peak, int64(60<<20))
	end, _ = run(t, k, nil, func(p *kernel.Process) int { p.Charge(50 << 20); p.Charge(-50 << 20); p.Charge(50 << 20); return 0 })
	require.False(t, end.OOM, "what the dead one had is free again")
}

func TestProcessorTime(t *testing.T) {
	k := boot(t, func(o *kernel.Options) { o.CPUs = 0.25 })
	begin := time.Now()
	end, _ := run(t, k, nil, func(p *kernel.Process) int {
		for until := time.Now().Add(time.Second); time.Now().Before(until); {
			p.Check()
		}
		return 0
	})
	require.Less(t, end.CPU, time.Since(begin)*4/10)
	require.Greater(t, end.CPU, time.Since(begin)/10)
}

func TestAJobIsKilledWhole(t *testing.T) {
	k := boot(t)
	grandchildren := func(p *kernel.Process) int {
		for range 5 {
			_, _ = p.Fork(func(c *kernel.Process) int {
				_ = c.Setsid()
				c.SetAction(kernel.SIGTERM, kernel.Ignore)
				_, _ = c.Fork(func(g *kernel.Process) int { _ = g.Kill(g.PID, kernel.SIGSTOP); g.Sleep(-1); return 0 })
				return 0
			})
		}
		p.Sleep(-1)
		return 0
	}
	var jobs [2]*kernel.Job
	for i := range jobs {
		var err error
		jobs[i], err = k.Start(&kernel.Command{Image: kernel.NewImage([]string{"test"}, grandchildren), Dir: "/", User: alice, Stdout: io.Discard, Stderr: io.Discard})
		require.NoError(t, err)
	}
	require.Eventually(t, func() bool { return len(k.Processes()) == 1+2*(1+10) }, 5*time.Second, time.Millisecond)
	require.True(t, jobs[0].Kill(5*time.Second))
	require.Len(t, k.Processes(), 1+(1+10), "the other job is untouched")
	require.Equal(t, kernel.SIGKILL, jobs[0].Wait().Signal)
	require.True(t, jobs[1].Kill(5*time.Second))
}

func TestAFIFOWaitsForItsOtherEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := boot(t)
		_, out := run(t, k, nil, func(p *kernel.Process) int {
			_ = p.Mkfifo("fifo", 0o600)
			_, _ = p.Fork(func(c *kernel.Process) int {
				c.Sleep(time.Minute)
				fd, _ := c.Open("fifo", kernel.OpenFlags{Write: true})
				_, _ = c.Write(fd, []byte("through"))
				return 0
			})
			fd, err := p.Open("fifo", kernel.OpenFlags{Read: true})
			buf := make([]byte, 100)
			n, _ := p.Read(fd, buf)
			_, eof := p.Read(fd, buf)
			print(p, "%s %v %v", buf[:n], err, eof)
			return 0
		})
		require.Equal(t, "through <nil> EOF", out)
	})
}

func TestProcSelf(t *testing.T) {
	k := boot(t)
	_, out := run(t, k, nil, func(p *kernel.Process) int {
		for _, name := range []string{"/proc/self/comm", "/proc/self/cmdline", "/proc/self/status"} {
			fd, err := p.Open(name, kernel.OpenFlags{Read: true})
			if err != nil {
				return 1
			}
			buf := make([]byte, 1<<10)
			n, _ := p.Read(fd, buf)
			print(p, "%s", buf[:n])
		}
		return 0
	})
	require.True(t, strings.HasPrefix(out, "test\ntest\x00Name:\ttest\n"), "%q", out)
	require.Contains(t, out, "\nUid:\t1000\t1000\t1000\t1000\n")
}
