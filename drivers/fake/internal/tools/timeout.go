package tools

import (
	"time"

	"github.com/caisson-dev/caisson/drivers/fake/internal/kernel"
)

// timeout runs a program and ends it if it takes too long.
func timeout(t *tool) {
	if len(t.args) < 2 {
		t.warn("Try 'timeout --help' for more information.\n")
		t.status = 125
		return
	}
	limit, ok := parseDuration(t.args[0])
	if !ok {
		t.usage("invalid time interval %s", quote(t.args[0]))
		return
	}
	sig := kernel.SIGTERM
	if name := t.value('s', ""); name != "" {
		if sig, ok = kernel.ParseSignal(name); !ok {
			t.usage("%s: invalid signal", quote(name))
			return
		}
	}
	grace := time.Duration(-1)
	if text := t.value('k', ""); text != "" {
		if grace, ok = parseDuration(text); !ok {
			t.usage("invalid time interval %s", quote(text))
			return
		}
	}
	argv := t.args[1:]
	image, err := t.load(argv)
	if err != nil {
		t.errorf("failed to run command %s: %s", quote(argv[0]), kernel.Reason(err))
		t.status = notFound(err)
		return
	}
	child, err := t.Fork(func(p *kernel.Process) int {
		p.Exec(image, p.Env)
		return 0
	})
	if err != nil {
		t.errorf("fork system call failed: %s", kernel.Reason(err))
		t.status = 125
		return
	}
	timedOut := false
	if limit > 0 && !t.until(child, limit) {
		timedOut = true
		_ = t.Kill(child.PID, sig)            // it may be gone by now
		_ = t.Kill(child.PID, kernel.SIGCONT) // or stopped
		if grace >= 0 && !t.until(child, grace) {
			_ = t.Kill(child.PID, kernel.SIGKILL)
			sig = kernel.SIGKILL
		}
	}
	_, status, _ := t.Wait(child.PID, false) // it is there
	switch {
	case timedOut && sig == kernel.SIGKILL:
		_ = t.Kill(t.PID, sig) // so that it shows what it did; this does not return
	case timedOut && !t.has("p"):
		t.status = 124
	default:
		t.status = status.Shell()
	}
}

// until waits for the end of a process, for d at most, and reports whether it ended.
func (t *tool) until(p *kernel.Process, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-p.Ended():
		return true
	case <-timer.C:
		return false
	case <-t.Killed():
		t.Check()
		return false
	}
}
