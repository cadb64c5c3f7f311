package main

import (
	"bytes"
	"errors"

	"golang.org/x/sys/unix"
)

const (
	answerTime = 10 // seconds
	maxAnswer  = 1 << 20
)

var (
	errGone    = errors.New("the engine does not have it")
	errRefused = errors.New("the engine refuses")
)

// connect returns a connection to the engine.
func connect(socket string) (fd int, err error) {
	fd, err = unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	if err := onSocket(unix.SYS_CONNECT, fd, socket); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// request sends a request to the engine and returns what is in the answer. It speaks
// HTTP 1.0, by which an answer is whole and ends with the connection. The
// packages for HTTP and JSON are more than twice as large as the whole helper.
func request(socket, method, path string) ([]byte, error) {
	fd, err := connect(socket)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	for _, option := range []int{unix.SO_SNDTIMEO, unix.SO_RCVTIMEO} {
		if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, option, &unix.Timeval{Sec: answerTime}); err != nil {
			return nil, err
		}
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
	switch status := bytes.Fields(head); {
	case len(status) > 1 && status[1][0] == '2':
		return body, nil
	case len(status) > 1 && string(status[1]) == "404":
		return nil, errGone
	}
	return nil, errRefused
}
