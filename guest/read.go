package guest

import (
	"context"
	"io"
	"math"
	"sync"
	"sync/atomic"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/guest/protocol"
)

// Read opens a file; the runner's first answer says that it could.
func (b *backend) Read(ctx context.Context, path string, opts *core.ReadOptions) (io.ReadCloser, error) {
	if opts == nil {
		opts = new(core.ReadOptions)
	}
	l, call, _, err := b.call(ctx, protocol.OpRead,
		&protocol.Read{Path: path, Offset: opts.Offset, Limit: opts.Limit, MaxSize: opts.MaxSize}, nil)
	if err != nil {
		return nil, b.fail("read", path, err)
	}
	r := &reader{backend: b, link: l, call: call, ctx: ctx, path: path, most: most(opts)}
	// A context that ends breaks the call, which wakes a Receive that waits.
	r.unhook = context.AfterFunc(ctx, func() { call.Cancel(); call.Forget() })
	first, err := call.Receive()
	switch {
	case err != nil:
		err = r.why(err)
		_ = r.Close()
		if err == io.EOF { //nolint:errorlint // why does not wrap it
			err = b.fail("read", path, core.Errorf(core.ErrProtocol, "", "no beginning"))
		}
		return nil, err
	case first.Channel != protocol.Begin:
		_ = r.Close()
		return nil, b.fail("read", path, core.Errorf(core.ErrProtocol, "", "content before its beginning"))
	}
	return r, nil
}

// reader is the content of a file on its way. Its context bounds the transfer, as Backend.Read says.
type reader struct {
	backend *backend
	link    *link
	call    *protocol.Call
	ctx     context.Context //nolint:containedctx // the reader belongs to the call of Read
	unhook  func() bool
	path    string

	closed atomic.Bool

	mu   sync.Mutex
	most int64 // bytes that may still come; whoever asked may have made room for no more
	data protocol.Data
	rest []byte // of data
	err  error
}

// most returns the largest number of bytes that was asked for.
func most(opts *core.ReadOptions) int64 {
	n := int64(math.MaxInt64)
	for _, bound := range []int64{opts.Limit, opts.MaxSize} {
		if bound > 0 {
			n = min(n, bound)
		}
	}
	return n
}

func (r *reader) Read(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil && (r.closed.Load() || r.ctx.Err() != nil && !r.call.Ended()) {
		r.err, r.rest = r.why(protocol.ErrBroken), nil
	}
	for len(r.rest) == 0 && r.err == nil {
		r.data.Release()
		d, err := r.call.Receive()
		if err != nil {
			r.err = r.why(err)
			break
		}
		if r.most -= int64(len(d.Bytes)); r.most < 0 {
			r.err = r.backend.fail("read", r.path, core.Errorf(core.ErrProtocol, "", "more content than was asked for"))
			break
		}
		r.data, r.rest = d, d.Bytes
	}
	if len(r.rest) == 0 {
		return 0, r.err
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// Close stops the transfer. It may be called while Read waits.
func (r *reader) Close() error {
	r.closed.Store(true)
	r.unhook()
	if !r.call.Ended() {
		r.call.Cancel()
	}
	r.call.Forget()
	return nil
}

// why turns the end of the content into io.EOF or the reason that it was cut off.
func (r *reader) why(err error) error {
	b := r.backend
	switch {
	case r.closed.Load():
		return b.fail("read", r.path, core.Errorf(core.ErrInvalid, "", "reader is closed"))
	case r.call.Ended():
		if err := r.call.Answer(&protocol.Empty{}); err != nil {
			return b.fail("read", r.path, err)
		}
		return io.EOF
	case r.ctx.Err() != nil:
		return b.fail("read", r.path, core.Ended(r.ctx))
	case r.link.Err() != nil:
		return b.fail("read", r.path, b.broken(err))
	default:
		return b.fail("read", r.path, core.Errorf(core.ErrInvalid, "", "reader is closed"))
	}
}
