package container

import (
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"

	"github.com/caisson-dev/caisson/guest/binary"
)

// guards start a process beside ours while an engine does what would be left by
// it if ours was killed: when it was asked to make a container and not yet to start
// it, as no keeper is there that would end with the lease, and when it builds an
// image. That process then removes what is left.
//
// It needs Linux and an engine on a local socket. Without one, or if it cannot be
// started, what is left stays until somebody collects it.
type guards struct {
	once    sync.Once
	program *os.File // the helper, in a file that has no name; nil without one
}

// guard is such a process; nil does nothing.
type guard struct {
	cmd *exec.Cmd
	in  io.WriteCloser
}

// What a guard watches over.
const (
	guardStart  = "start"  // of a container
	guardImages = "images" // that a build makes on the way
)

// stand begins to watch over what will have a label.
func (g *guards) stand(socket, what, label string) *guard {
	cmd := g.command(socket, "guard", socket, what, label)
	if cmd == nil {
		return nil
	}
	in, err := cmd.StdinPipe()
	if err != nil || cmd.Start() != nil { // which closes the pipe
		return nil
	}
	return &guard{cmd, in}
}

// command returns a helper that is to run on this host, or nil if it cannot.
func (g *guards) command(socket string, args ...string) *exec.Cmd {
	if runtime.GOOS != "linux" || socket == "" {
		return nil
	}
	g.once.Do(func() { g.program, _ = helperFile() })
	if g.program == nil {
		return nil
	}
	cmd := exec.Command("/proc/self/fd/"+strconv.Itoa(int(g.program.Fd())), args...) //nolint:gosec,noctx // the helper that is part of this program; it is to outlive us
	cmd.Env, cmd.Dir = []string{}, "/"
	return cmd
}

// over ends it.
func (g *guard) over() {
	if g != nil {
		_, _ = g.in.Write([]byte{0})
		_ = g.in.Close()
		_ = g.cmd.Wait() // it does nothing else
	}
}

// SocketOf returns the path in an engine's address, if it is one of this machine's.
func SocketOf(host string) string {
	if path, local := strings.CutPrefix(host, "unix://"); local {
		return path
	}
	return ""
}

func (g *guards) close() {
	g.once.Do(func() {})
	if g.program != nil {
		g.program.Close()
	}
}

// helperFile returns the helper for this machine in a file without a name. That
// is removed before anything is written, so nothing is left whenever this process ends.
func helperFile() (*os.File, error) {
	data, err := binary.Load(runtime.GOARCH)
	if err != nil {
		return nil, err
	}
	f, err := os.CreateTemp("", "caisson-guest-")
	if err != nil {
		return nil, err
	}
	program, err := os.Open(f.Name()) // what can be written cannot be executed
	_ = os.Remove(f.Name())
	if err != nil {
		f.Close()
		return nil, err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(0o500)
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		program.Close()
		return nil, err
	}
	return program, nil
}
