package main

import (
	"errors"
	"io"
	"os"
	"regexp"
	"time"

	"golang.org/x/sys/unix"
)

// stepLine is what a step of a build says of the container that it runs in: runtimes.GuardLine and the id's beginning.
var stepLine = regexp.MustCompile(`caisson: step in ([0-9a-f]{12})`)

const maxStepLine = 64 // bytes, at least its length

// relay carries a connection between a process that builds and Podman. If the
// process is killed, relay stays in its place: the engine would go on with the
// step, and may keep the container of a build whose client leaves before that. It
// removes the container as soon as its name is said, for which each step looks,
// and leaves when the build has ended.
//
// An end of standard input is the process's death. To give a build up it kills relay.
func relay(socket string) error {
	outlive()
	fd, err := connect(socket)
	if err != nil {
		return err
	}
	_ = unix.SetNonblock(fd, true) // so that neither direction holds a thread
	conn := os.NewFile(uintptr(fd), "engine")
	container := make(chan string, 1)
	go func() {
		_, _ = io.Copy(conn, os.Stdin)
		time.AfterFunc(guardTime, func() { os.Exit(1) })
		name := <-container
		repeat(func() bool {
			_, err := request(socket, "DELETE", "/v4.0.0/libpod/containers/"+name+"?force=true")
			return err == nil || errors.Is(err, errGone)
		})
	}()
	found := false
	buf := make([]byte, 64<<10)
	for kept := 0; ; {
		n, err := conn.Read(buf[kept:])
		if errors.Is(err, io.EOF) {
			return nil
		}
		if n == 0 && err != nil {
			return err
		}
		_, _ = os.Stdout.Write(buf[kept : kept+n]) // nobody takes it any more when the process is dead
		seen := buf[:kept+n]
		if m := stepLine.FindSubmatch(seen); m != nil && !found {
			found = true
			container <- string(m[1])
		}
		kept = copy(buf, seen[max(0, len(seen)-maxStepLine):])
	}
}
