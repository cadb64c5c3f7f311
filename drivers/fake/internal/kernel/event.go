package kernel

// event wakes everyone who waits for a change of something. It is guarded by
// the lock of what changes, and works with select where a sync.Cond does not.
type event struct{ ch chan struct{} }

// next returns a channel that the next fire closes.
func (e *event) next() <-chan struct{} {
	if e.ch == nil {
		e.ch = make(chan struct{})
	}
	return e.ch
}

func (e *event) fire() {
	if e.ch != nil {
		close(e.ch)
		e.ch = nil
	}
}
