package main

import (
	"os"
	"os/signal"
	"syscall"
)

// keep reaps every child for ever, as PID 1 has to, and returns on SIGTERM or SIGINT.
func keep() error {
	end, child := make(chan os.Signal, 1), make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGTERM, syscall.SIGINT)
	signal.Notify(child, syscall.SIGCHLD)
	for {
		reap()
		select {
		case <-end:
			return nil
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
