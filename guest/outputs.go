package guest

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/guest/protocol"
)

// outputs takes the output of a command to the caller's writers and into the Result.
type outputs struct {
	stdout, stderr io.Writer // the caller's; nil where output is captured

	mu           sync.Mutex // guards the captures, which a hanging receive may outlive
	out, err     *core.Capture
	combined     *core.Capture
	writerFailed bool
}

func newOutputs(cmd *core.Command) *outputs {
	return &outputs{
		stdout: cmd.Stdout, stderr: cmd.Stderr,
		out: core.NewCapture(cmd.OutputLimit), err: core.NewCapture(cmd.OutputLimit),
		combined: core.NewCapture(cmd.OutputLimit),
	}
}

// receive takes output until the call is over. It returns the error of a
// writer, or the one that the connection ended with, or nil.
func (o *outputs) receive(call *protocol.Call) error {
	for {
		d, err := call.Receive()
		switch {
		case err == io.EOF: //nolint:errorlint // Receive does not wrap it
			return nil
		case err != nil:
			return err
		}
		if err := o.take(d); err != nil {
			o.mu.Lock()
			o.writerFailed = true
			o.mu.Unlock()
			return err
		}
		d.Release()
	}
}

func (o *outputs) take(d protocol.Data) (err error) {
	w, keep := o.stdout, o.out
	if d.Channel == protocol.Stderr {
		w, keep = o.stderr, o.err
	}
	if w == nil {
		o.mu.Lock()
		defer o.mu.Unlock()
		_, _ = keep.Write(d.Bytes)
		_, _ = o.combined.Write(d.Bytes)
		return nil
	}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	n, err := w.Write(d.Bytes)
	if err == nil && n < len(d.Bytes) {
		err = io.ErrShortWrite
	}
	return err
}

func (o *outputs) failed() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.writerFailed
}

func (o *outputs) fill(res *core.Result) {
	o.mu.Lock()
	defer o.mu.Unlock()
	res.Stdout, res.Stderr, res.Combined = o.out.Output(), o.err.Output(), o.combined.Output()
}

// discard drops what is left of a call.
func discard(call *protocol.Call) error {
	for {
		d, err := call.Receive()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		d.Release()
	}
}
