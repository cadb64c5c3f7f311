package guest

import (
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"
)

// input is a reader of the caller's that a goroutine of ours reads, which may
// outlive the call: nobody can end a Read that blocks. It takes care that no
// other begins then, and that a panic of it is an error of the call.
type input struct {
	src   io.Reader
	turn  chan struct{} // holds a token while nobody reads
	ended atomic.Bool
	err   error // of src; whoever reads the input may look at it
}

var errInputEnded = errors.New("nobody reads the input any more")

// inputPatience is what a call waits for a Read that is under way at its end. A
// reader that does not block is free again when the call returns.
const inputPatience = 10 * time.Millisecond

func newInput(src io.Reader) *input {
	in := &input{src: src, turn: make(chan struct{}, 1)}
	in.turn <- struct{}{}
	return in
}

// Read reads from the caller's reader. It is for one goroutine.
func (in *input) Read(p []byte) (n int, err error) {
	select {
	case <-in.turn:
	default: // end has it
		return 0, errInputEnded
	}
	defer func() { in.turn <- struct{}{} }()
	if in.ended.Load() {
		return 0, errInputEnded
	}
	n, err = in.read(p)
	if err != nil && err != io.EOF { //nolint:errorlint // as everybody who reads does
		in.err = err
	}
	return n, err
}

func (in *input) read(p []byte) (n int, err error) {
	defer func() {
		if r := recover(); r != nil {
			n, err = 0, fmt.Errorf("panic: %v", r)
		}
	}()
	n, err = in.src.Read(p)
	if n < 0 || n > len(p) {
		return 0, fmt.Errorf("a Read of %d bytes returned %d", len(p), n)
	}
	return n, err
}

// end lets no further Read begin, and waits a moment for one that is under way.
func (in *input) end() {
	in.ended.Store(true)
	timer := time.NewTimer(inputPatience)
	defer timer.Stop()
	select {
	case <-in.turn: // kept
	case <-timer.C:
	}
}
