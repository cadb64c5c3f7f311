package shell

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/caisson-dev/caisson/drivers/fake/internal/kernel"
)

// job is a command of the background.
type job struct {
	number int
	pid    int
	text   string
	ended  bool
	status int
}

// background starts a command and goes on. Without job control it reads nothing and is deaf to the keyboard's signals.
func (s *shell) background(st *syntax.Stmt) {
	fg := *st
	fg.Background = false
	pid := s.fork(func(c *shell) {
		c.p.SetAction(kernel.SIGINT, kernel.Ignore)
		c.p.SetAction(kernel.SIGQUIT, kernel.Ignore)
		if fd, err := c.p.Open("/dev/null", kernel.OpenFlags{Read: true}); err == nil {
			c.move(fd, 0)
		}
		c.subshell([]*syntax.Stmt{&fg})
	})
	var b strings.Builder
	_ = syntax.NewPrinter(syntax.SingleLine(true)).Print(&b, &fg) // for people
	number := 1
	for _, j := range s.jobs {
		number = max(number, j.number+1)
	}
	s.jobs = append(s.jobs, &job{number: number, pid: pid, text: b.String()})
	s.last, s.status = pid, 0
}

// reap takes the children of the background that have ended out of the process table.
func (s *shell) reap() {
	for _, j := range s.jobs {
		if j.ended {
			continue
		}
		if status, err := s.p.TryWait(j.pid); err == nil {
			j.ended, j.status = true, status.Shell()
		}
	}
}

// find returns the job of a pid or of %N, %%, %+ or %-.
func (s *shell) find(spec string) *job {
	number, isJob := strings.CutPrefix(spec, "%")
	if isJob && (number == "" || number == "%" || number == "+") {
		if len(s.jobs) == 0 {
			return nil
		}
		return s.jobs[len(s.jobs)-1]
	}
	n, err := strconv.Atoi(number)
	for _, j := range s.jobs {
		if err == nil && (isJob && j.number == n || !isJob && j.pid == n) {
			return j
		}
	}
	return nil
}

func (s *shell) forget(gone *job) {
	for i, j := range s.jobs {
		if j == gone {
			s.jobs = append(s.jobs[:i:i], s.jobs[i+1:]...)
			return
		}
	}
}

// waitFor waits for the end of a job. A signal that has a trap ends it before that.
func (s *shell) waitFor(j *job) (status int, interrupted bool) {
	for !j.ended {
		_, status, err := s.p.Wait(j.pid, true)
		if errors.Is(err, kernel.EINTR) {
			sig := s.runTraps()
			return 128 + int(sig), true
		}
		j.ended, j.status = true, status.Shell()
		if err != nil {
			j.status = 127
		} else {
			s.tell(status)
		}
	}
	s.forget(j)
	return j.status, false
}

func builtinWait(s *shell, args []string) (int, flow) {
	if len(args) == 1 {
		for len(s.jobs) > 0 {
			if status, interrupted := s.waitFor(s.jobs[0]); interrupted {
				return status, flow{}
			}
		}
		return 0, flow{}
	}
	status := 0
	for _, spec := range args[1:] {
		j := s.find(spec)
		if j == nil {
			if strings.HasPrefix(spec, "%") {
				s.errorf("wait: No such job: %s", spec)
			}
			status = 127
			continue
		}
		var interrupted bool
		if status, interrupted = s.waitFor(j); interrupted {
			break
		}
	}
	return status, flow{}
}

func builtinJobs(s *shell, args []string) (int, flow) {
	s.reap()
	var b strings.Builder
	for i, j := range append([]*job(nil), s.jobs...) {
		if len(args) > 1 && args[1] == "-p" {
			fmt.Fprintln(&b, j.pid)
			continue
		}
		mark, state := ' ', "Running"
		switch i {
		case len(s.jobs) - 1:
			mark = '+'
		case len(s.jobs) - 2:
			mark = '-'
		}
		if j.ended {
			state = "Done"
			if j.status != 0 {
				state = fmt.Sprintf("Done(%d)", j.status)
			}
		}
		fmt.Fprintf(&b, "[%d] %c %-26s %s\n", j.number, mark, state, j.text)
		if j.ended {
			defer s.forget(j)
		}
	}
	return s.print(b.String()), flow{}
}

// builtinKill is kill, which knows the shell's jobs too.
func builtinKill(s *shell, args []string) (int, flow) {
	args = append([]string(nil), args...)
	for i, arg := range args {
		if i > 0 && strings.HasPrefix(arg, "%") {
			j := s.find(arg)
			if j == nil {
				s.errorf("kill: No such job: %s", arg)
				return 1, flow{}
			}
			args[i] = strconv.Itoa(j.pid)
		}
	}
	return s.tool(args), flow{}
}
