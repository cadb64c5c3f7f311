package guest

import (
	"context"
	"errors"
	"io"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/guest/protocol"
)

// Upload streams src to the runner, which puts it in place once it has all of it.
func (b *backend) Upload(ctx context.Context, path string, src io.Reader, opts *core.UploadOptions) error {
	if opts == nil {
		opts = new(core.UploadOptions)
	}
	l, call, whole, err := b.call(ctx, protocol.OpUpload, &protocol.Upload{Path: path, Mode: opts.Mode}, src)
	if err != nil {
		return b.fail("upload", path, err)
	}
	defer call.Forget()
	if whole {
		return b.failed("upload", path, b.await(ctx, l, call, &protocol.Empty{}))
	}
	in, sent := newInput(src), make(chan error, 1)
	defer in.end()
	go func() { // not waited for when src hangs
		_, err := io.CopyBuffer(struct{ io.Writer }{sendWriter{call}}, in, make([]byte, 64<<10))
		if err == nil {
			err = call.CloseSend()
		}
		sent <- err
	}()
	select {
	case err = <-sent:
		if err != nil && (call.Ended() || errors.Is(err, protocol.ErrBroken)) {
			err = nil // the runner refused it: its answer tells why
		} else if err != nil && l.Err() == nil {
			err = core.Errorf(core.ErrInvalid, "", "source: %w", err)
		}
	case <-ctx.Done():
		err = core.Ended(ctx)
	case <-call.Over():
	}
	if err != nil && l.Err() == nil {
		call.Cancel()
		if ctx.Err() != nil {
			if stuck := b.unblock(ctx, l); stuck != nil { // what copies src would go on waiting
				return b.fail("upload", path, stuck)
			}
		}
		b.cancel(call)
		return b.fail("upload", path, err)
	}
	return b.failed("upload", path, b.await(ctx, l, call, &protocol.Empty{}))
}

// failed is fail for an error that may be nil.
func (b *backend) failed(op, path string, err error) error {
	if err == nil {
		return nil
	}
	return b.fail(op, path, err)
}
