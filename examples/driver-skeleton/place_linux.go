package skeleton

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// A place is what one sandbox has on this host.
type place struct {
	guest, dir string
	user       *syscall.Credential // nil: the host's own user, who cannot become another

	mu     sync.Mutex
	stream *stream // the present runner's
}

// make makes the work directory and gives it to the workload user.
func (p *place) make(user string) error {
	if err := os.Mkdir(p.dir, 0o755); err != nil || os.Geteuid() != 0 {
		return err
	}
	p.user = new(syscall.Credential)
	if _, err := fmt.Sscanf(user, "%d:%d", &p.user.Uid, &p.user.Gid); err != nil {
		return err
	}
	return os.Chown(p.dir, int(p.user.Uid), int(p.user.Gid))
}

// open starts a runner; guest.Options says what is expected.
func (p *place) open(context.Context) (io.ReadWriteCloser, error) {
	cmd := exec.Command(p.guest, "runner")
	cmd.Dir, cmd.Env = p.dir, []string{}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.user}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stream = &stream{WriteCloser: in, Reader: out, cmd: cmd}
	return p.stream, nil
}

// remove ends the runner, which ends its commands, and removes the files.
func (p *place) remove(context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stream != nil {
		_ = p.stream.Close()
	}
	return os.RemoveAll(p.dir)
}

// A stream is a runner's standard input and output.
type stream struct {
	io.WriteCloser
	io.Reader
	cmd  *exec.Cmd
	once sync.Once
}

// Close tells the runner to end, by the end of its input, and waits for it.
func (s *stream) Close() error {
	s.once.Do(func() {
		_ = s.WriteCloser.Close()
		late := time.AfterFunc(5*time.Second, func() { _ = s.cmd.Process.Kill() })
		defer late.Stop()
		_ = s.cmd.Wait() // how it ended does not matter
	})
	return nil
}
