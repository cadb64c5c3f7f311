package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The keeper is asked over a socket that has a name but no file, since the root
// may be read-only, and that exists in this network namespace only. Each side
// goes on only if the other is of its own user, as the workload is not. A
// request is one packet of fields with a NUL between them, and so is the answer.
const (
	socketName    = "\x00caisson-keeper" // a name without a file begins with a NUL
	maxPacket     = 1 << 10
	socketSeconds = 2 // that either side waits for the other
)

const (
	answerDone     = "done"
	answerConflict = "conflict"
)

// errConflict makes the helper exit with 3.
var errConflict = errors.New("another owner holds the claim")

// listen answers requests until the process ends.
func (c *claim) listen() error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		err = onSocket(unix.SYS_BIND, fd, socketName)
	}
	if err == nil {
		err = unix.Listen(fd, unix.SOMAXCONN)
	}
	if err != nil {
		return fmt.Errorf("keeper's socket: %w", err)
	}
	go func() {
		for {
			peer, _, errno := unix.Syscall6(unix.SYS_ACCEPT4, uintptr(fd), 0, 0, unix.SOCK_CLOEXEC, 0, 0)
			if errno == 0 {
				c.serve(int(peer))
				unix.Close(int(peer))
			}
		}
	}()
	return nil
}

// serve answers the one request of a connection. It drops one that is not of this user.
func (c *claim) serve(fd int) {
	if !ownUser(fd) {
		return
	}
	request, err := receive(fd)
	if err != nil {
		return
	}
	answer := answerDone
	if len(request) == 3 && request[0] == "renew" && !c.renew(request[1], request[2]) {
		answer = answerConflict
	}
	_ = send(fd, answer, c.String())
}

// ask sends a request to the keeper and prints what it answers.
func ask(request ...string) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &unix.Timeval{Sec: socketSeconds}); err != nil {
		return err
	}
	if err := onSocket(unix.SYS_CONNECT, fd, socketName); err != nil {
		return fmt.Errorf("no keeper: %w", err)
	}
	if !ownUser(fd) {
		return errors.New("what answers for the keeper is another user's")
	}
	if err := send(fd, request...); err != nil {
		return fmt.Errorf("keeper: %w", err)
	}
	answer, err := receive(fd)
	switch {
	case err != nil:
		return fmt.Errorf("keeper: %w", err)
	case len(answer) != 2:
		return errors.New("the keeper does not take requests of this user")
	}
	_, _ = os.Stdout.WriteString(answer[1])
	if answer[0] == answerConflict {
		return errConflict
	}
	return nil
}

// onSocket makes a socket call on an address. The wrappers of x/sys for these know
// every family there is, which would make the helper larger by 15 KiB.
func onSocket(number uintptr, fd int, name string) error {
	a := unix.RawSockaddrUnix{Family: unix.AF_UNIX}
	if len(name) >= len(a.Path) {
		return unix.ENAMETOOLONG
	}
	for i := range len(name) {
		a.Path[i] = int8(name[i])
	}
	size := unsafe.Offsetof(a.Path) + uintptr(len(name))
	if name[0] != 0 { // a file's ends with a NUL
		size++
	}
	if _, _, errno := unix.Syscall(number, uintptr(fd), uintptr(unsafe.Pointer(&a)), size); errno != 0 {
		return errno
	}
	return nil
}

// send sends fields as one packet.
func send(fd int, fields ...string) error {
	_, err := unix.Write(fd, []byte(strings.Join(fields, "\x00")))
	return err
}

// receive returns the fields of the next packet; none if the other side has closed.
func receive(fd int) ([]string, error) {
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: socketSeconds}); err != nil {
		return nil, err
	}
	buf := make([]byte, maxPacket)
	for {
		n, err := unix.Read(fd, buf)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, err
		}
		return strings.Split(string(buf[:n]), "\x00"), nil
	}
}

// ownUser reports whether the other side of a connection is of this process's user.
func ownUser(fd int) bool {
	peer, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	return err == nil && int(peer.Uid) == os.Getuid()
}
