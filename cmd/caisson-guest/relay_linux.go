package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"regexp"
	"time"

	"golang.org/x/sys/unix"
)

// stepLine is the event in which a step of a build says what container it runs in,
// by runtimes.GuardLine and the id's beginning. Commands are in the stream too, in
// strings with escaped quotes, so none can say the same.
var stepLine = regexp.MustCompile(`"stream":"caisson: step in ([0-9a-f]{12})\\n`)

const maxStepLine = 64 // bytes, at least its length

// relay carries a connection between a process that builds and Podman. If the
// process is killed, relay stays in its place: the engine would go on with the
// step, and may keep the container of a build whose client leaves before that. It
// removes the container as soon as its name is said, for which each step looks,
// and leaves when the build has ended.
//
// An end of standard input is the process's death. To give a build up it kills relay.
// Its request is in chunks, so that relay sees whether it has sent all of it.
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
		sent := &chunks{to: conn}
		if _, err := io.Copy(sent, os.Stdin); err != nil {
			return // the engine takes no more; the process still wants its answer
		}
		if !sent.whole() {
			os.Exit(0) // the engine has not begun
		}
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

// chunks passes on a request and keeps its end.
type chunks struct {
	to  io.Writer
	end []byte
}

var lastChunk = []byte("0\r\n\r\n")

func (c *chunks) Write(p []byte) (int, error) {
	c.end = append(c.end, p[max(0, len(p)-len(lastChunk)):]...)
	c.end = c.end[max(0, len(c.end)-len(lastChunk)):]
	return c.to.Write(p)
}

func (c *chunks) whole() bool { return bytes.Equal(c.end, lastChunk) }
