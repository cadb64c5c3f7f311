package container

import (
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"

	"github.com/caisson-dev/caisson/guest/binary"
)

// guards start a process beside ours for each start of a sandbox with a lease. If
// ours is killed after the engine was asked to make the container and before it was asked to start it,
// that one removes it: there is no keeper yet that would end with the lease.
//
// It needs Linux and an engine on a local socket. Without one, or if it cannot be
// started, such a container stays until somebody collects it.
type guards struct {
	once    sync.Once
	program *os.File // the helper, in a file that has no name; nil without one
}

// stand begins to watch over the container that will have a label. The function
// that it returns ends that.
func (g *guards) stand(socket, label string) (over func()) {
	none := func() {}
	if runtime.GOOS != "linux" || socket == "" {
		return none
	}
	g.once.Do(func() { g.program, _ = helperFile() })
	if g.program == nil {
		return none
	}
	cmd := exec.Command("/proc/self/fd/"+strconv.Itoa(int(g.program.Fd())), "guard", socket, label) //nolint:gosec,noctx // the helper that is part of this program; it is to outlive us
	cmd.Env, cmd.Dir = []string{}, "/"
	in, err := cmd.StdinPipe()
	if err != nil || cmd.Start() != nil { // which closes the pipe
		return none
	}
	return func() {
		_, _ = in.Write([]byte{0})
		_ = cmd.Wait() // it does nothing else
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
