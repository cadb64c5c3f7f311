package container

import (
	"io"
	"net"
	"os"
	"os/exec"
	"sync"
	"time"
)

// relay is a connection to the engine by way of a process that goes on with it
// if ours is killed, and ends the build that it is for.
type relay struct {
	io.Reader
	io.WriteCloser
	cmd  *exec.Cmd
	once sync.Once
}

// relay connects to a socket, or returns nil if it cannot be done by way of a process.
func (g *guards) relay(socket string) net.Conn {
	cmd := g.command(socket, "relay", socket)
	if cmd == nil {
		return nil
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil
	}
	out, err := cmd.StdoutPipe()
	if err != nil || cmd.Start() != nil { // which closes the pipes
		return nil
	}
	return &relay{Reader: out, WriteCloser: in, cmd: cmd}
}

// Close ends the process before its input, which it would take for our death.
func (r *relay) Close() error {
	r.once.Do(func() {
		_ = r.cmd.Process.Kill() // if it has not ended
		_ = r.cmd.Wait()         // it was killed
	})
	return nil
}

func (r *relay) LocalAddr() net.Addr  { return new(net.UnixAddr) }
func (r *relay) RemoteAddr() net.Addr { return new(net.UnixAddr) }

func (r *relay) SetDeadline(time.Time) error      { return os.ErrNoDeadline }
func (r *relay) SetReadDeadline(time.Time) error  { return os.ErrNoDeadline }
func (r *relay) SetWriteDeadline(time.Time) error { return os.ErrNoDeadline }
