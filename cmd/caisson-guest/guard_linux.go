package main

import (
	"bytes"
	"errors"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// How a guard asks the engine.
const (
	guardTime   = time.Minute // for which an engine may go on with a request whose client is dead
	guardRest   = 200 * time.Millisecond
	guardAnswer = 10 // seconds that an answer may take
	maxAnswer   = 1 << 20
)

// guard stands by, on the host, while a process starts a sandbox. An engine makes
// a container by one request and starts it by another; if the process is killed
// in between, nobody is left who would know of it. Then guard removes it. One that
// was started has a lease, and is left alone.
//
// The process writes a byte to standard input when it is done. An end without one is its death.
func guard(socket, label string) error {
	signal.Ignore(syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGPIPE) // what is sent to all of the process's group
	_, _ = unix.Setsid()
	if n, _ := os.Stdin.Read(make([]byte, 1)); n > 0 {
		return nil
	}
	for end := time.Now().Add(guardTime); time.Now().Before(end); time.Sleep(guardRest) {
		if seen, err := removeUnstarted(socket, label); err == nil && seen {
			return nil
		}
	}
	return nil
}

// removeUnstarted looks for the container with a label, and removes it if it was not started.
func removeUnstarted(socket, label string) (seen bool, err error) {
	list, err := request(socket, "GET", "/containers/json?all=1&filters=%7B%22label%22%3A%5B%22"+strings.ReplaceAll(label, "=", "%3D")+"%22%5D%7D")
	if err != nil {
		return false, err
	}
	// In a string of JSON the quotes would be escaped, so nothing that others write looks like these.
	_, id, found := bytes.Cut(list, []byte(`"Id":"`))
	if !found {
		return false, nil
	}
	id, _, _ = bytes.Cut(id, []byte(`"`))
	if !bytes.Contains(list, []byte(`"State":"created"`)) {
		return true, nil
	}
	_, err = request(socket, "DELETE", "/containers/"+string(id)+"?v=1") // without force: by now it may run
	return true, err
}

// request sends a request to the engine and returns what is in the answer. It speaks
// HTTP 1.0, by which an answer is whole and ends with the connection. The
// packages for HTTP and JSON are more than twice as large as the whole helper.
func request(socket, method, path string) ([]byte, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	for _, option := range []int{unix.SO_SNDTIMEO, unix.SO_RCVTIMEO} {
		if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, option, &unix.Timeval{Sec: guardAnswer}); err != nil {
			return nil, err
		}
	}
	if err := onSocket(unix.SYS_CONNECT, fd, socket); err != nil {
		return nil, err
	}
	if _, err := unix.Write(fd, []byte(method+" "+path+" HTTP/1.0\r\nHost: engine\r\n\r\n")); err != nil {
		return nil, err
	}
	var answer []byte
	for buf := make([]byte, 4<<10); len(answer) < maxAnswer; {
		n, err := unix.Read(fd, buf)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, err
		}
		if n == 0 {
			break
		}
		answer = append(answer, buf[:n]...)
	}
	head, body, _ := bytes.Cut(answer, []byte("\r\n\r\n"))
	if status := bytes.Fields(head); len(status) < 2 || status[1][0] != '2' {
		return nil, errors.New("the engine refuses")
	}
	return body, nil
}
