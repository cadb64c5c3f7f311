package fake

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/caisson-dev/caisson/drivers/fake/internal/kernel"
	"github.com/caisson-dev/caisson/guest/binary"
)

// load returns the program of an executable: an imitated one, or the guest's
// helper, which users of the four methods upload and run.
func (s *sandbox) load(data []byte) kernel.Program {
	if program := load(data); program != nil {
		return program
	}
	if !bytes.HasPrefix(data, []byte("\x7fELF")) {
		return nil
	}
	if helper, err := binary.Load(arch()); err != nil || !bytes.Equal(data, helper) {
		return nil
	}
	return s.helper
}

// helper is the program caisson-guest in the role of a runner, the only one that works in a command.
func (s *sandbox) helper(p *kernel.Process) int {
	if !slices.Equal(p.Args[1:], []string{"runner"}) {
		_, _ = p.Write(2, fmt.Appendf(nil, "caisson-guest: usage: caisson-guest runner\n")) // nobody else can be told
		return 1
	}
	stop := make(chan struct{})
	return s.serve(p, &stdio{
		Reader: p.Stream(0, stop), Writer: p.Stream(1, stop),
		stop: sync.OnceFunc(func() { close(stop) }),
	})
}

// stdio is the standard input and output of a process as one stream.
type stdio struct {
	io.Reader
	io.Writer
	stop func()
}

func (s *stdio) Close() error {
	s.stop()
	return nil
}
