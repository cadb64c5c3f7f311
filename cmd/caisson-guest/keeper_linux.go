package main

import (
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// last is how long a heartbeat that has come already may take to be noticed.
const last = 100 * time.Millisecond

// keep is the life of PID 1: it reaps every child, answers for the claim, which
// is id's at first, and returns when it is told to end or, with a lease, when that has passed without
// a heartbeat. The container ends with it. SIGUSR1 is a heartbeat too: an engine
// can send it without an exec, and the workload, being another user, cannot.
func keep(lease time.Duration, id string) error {
	end, child, beat := make(chan os.Signal, 1), make(chan os.Signal, 1), make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGTERM, syscall.SIGINT)
	signal.Notify(child, syscall.SIGCHLD)
	signal.Notify(beat, syscall.SIGUSR1)
	// Where the workload is root too, its environment and memory are still its own.
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return err
	}
	c := newClaim(lease, id)
	if err := c.listen(); err != nil {
		return err
	}
	for {
		reap()
		select {
		case <-end:
			return nil
		case <-c.passed():
			select { // both may have happened while the machine stood still
			case <-beat:
				c.renew("", "")
			case <-time.After(last):
				return nil
			}
		case <-beat:
			c.renew("", "")
		case <-child:
		}
	}
}

// reap takes every child that has ended. One SIGCHLD may stand for many.
func reap() {
	for {
		pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
		if err == syscall.EINTR {
			continue
		}
		if pid <= 0 {
			return
		}
	}
}
