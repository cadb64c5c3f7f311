package saboteur

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caisson-dev/caisson/core"
)

type readFunc func(ctx context.Context, b core.Backend, path string, opts *core.ReadOptions) (io.ReadCloser, error)

func onRead(name, target, breaks string, read readFunc) Saboteur {
	return Saboteur{Name: name, Target: target, Breaks: breaks, arm: func() *methods { return &methods{read: read} }}
}

// empty is the content of a file that has none.
func empty() io.ReadCloser { return io.NopCloser(strings.NewReader("")) }

// Wrong about reading files.
func reads() []Saboteur {
	withOptions := func(change func(*core.ReadOptions)) readFunc {
		return func(ctx context.Context, b core.Backend, p string, o *core.ReadOptions) (io.ReadCloser, error) {
			c := *o
			change(&c)
			return b.Read(ctx, p, &c)
		}
	}
	onError := func(code core.Code, answer func() (io.ReadCloser, error)) readFunc {
		return func(ctx context.Context, b core.Backend, p string, o *core.ReadOptions) (io.ReadCloser, error) {
			r, err := b.Read(ctx, p, o)
			if errors.Is(err, code) {
				return answer()
			}
			return r, err
		}
	}
	nothing := func() (io.ReadCloser, error) { return empty(), nil }
	return []Saboteur{
		onRead("read/missing-is-empty", "read/missing", "it reads a missing file as an empty one", onError(core.ErrNotFound, nothing)),
		onRead("read/directory-is-empty", "read/directory", "it reads a directory as an empty file", onError(core.ErrIsDirectory, nothing)),
		onRead("read/special-waits", "read/special", "it waits for somebody to write to a FIFO", func(ctx context.Context, b core.Backend, p string, o *core.ReadOptions) (io.ReadCloser, error) {
			r, err := b.Read(ctx, p, o)
			if errors.Is(err, core.ErrNotRegular) && strings.HasSuffix(p, "fifo") {
				return nil, wait(ctx, 4*time.Second)
			}
			return r, err
		}),
		onRead("read/devices", "read/special", "it reads devices", onError(core.ErrNotRegular, nothing)),
		onRead("read/permission-is-missing", "read/permission", "it says that a file which may not be read does not exist", onError(core.ErrPermission, func() (io.ReadCloser, error) {
			return nil, core.Errorf(core.ErrNotFound, "read", "no such file")
		})),
		onRead("read/offset-ignored", "read/range", "it reads from the beginning, whatever the offset", withOptions(func(o *core.ReadOptions) { o.Offset = 0 })),
		onRead("read/limit-ignored", "read/range", "it reads to the end, whatever the limit", withOptions(func(o *core.ReadOptions) { o.Limit = 0 })),
		onRead("read/max-size-ignored", "read/max-size", "it knows no largest size", withOptions(func(o *core.ReadOptions) { o.MaxSize = 0 })),
		onRead("read/max-size-cuts", "read/max-size", "it cuts a file off at the largest size without a word", func(ctx context.Context, b core.Backend, p string, o *core.ReadOptions) (io.ReadCloser, error) {
			c := *o
			if c.MaxSize > 0 && (c.Limit == 0 || c.Limit > c.MaxSize) {
				c.Limit = c.MaxSize
			}
			c.MaxSize = 0
			return b.Read(ctx, p, &c)
		}),
		onRead("read/size-by-reading", "read/max-size-sparse", "it learns that a file is too large by reading it", func(ctx context.Context, b core.Backend, p string, o *core.ReadOptions) (io.ReadCloser, error) {
			r, err := b.Read(ctx, p, o)
			if errors.Is(err, core.ErrTooLarge) && o.MaxSize >= 1<<20 {
				return nil, errors.Join(err, wait(ctx, 4*time.Second))
			}
			return r, err
		}),
		onRead("read/size-once", "read/grows", "it looks at the size of a file once", func(ctx context.Context, b core.Backend, p string, o *core.ReadOptions) (io.ReadCloser, error) {
			r, err := b.Read(ctx, p, o)
			if err != nil || o.MaxSize == 0 {
				return r, err
			}
			_ = r.Close()
			c := *o
			c.MaxSize = 0
			return b.Read(ctx, p, &c)
		}),
		onRead("read/padded", "read/shrinks", "it fills up with zeros what is missing of the size that a file had", func(ctx context.Context, b core.Backend, p string, o *core.ReadOptions) (io.ReadCloser, error) {
			r, err := b.Read(ctx, p, o)
			if err != nil || !strings.HasSuffix(p, "/shrinks") {
				return r, err
			}
			size, _ := sh(ctx, b, `wc -c < "$1"`, p)
			n, err := strconv.ParseInt(strings.TrimSpace(size), 10, 64)
			if err != nil {
				return nil, errors.Join(err, r.Close())
			}
			return struct {
				io.Reader
				io.Closer
			}{io.LimitReader(io.MultiReader(r, zeros{}), n), r}, nil
		}),
		onRead("read/links-refused", "read/follows-links", "it does not find what links lead to", func(ctx context.Context, b core.Backend, p string, o *core.ReadOptions) (io.ReadCloser, error) {
			if _, link := sh(ctx, b, `test -L "$1" && test -f "$1"`, p); link {
				return nil, core.Errorf(core.ErrNotFound, "read", "no such file")
			}
			return b.Read(ctx, p, o)
		}),
		onRead("read/close-waits", "read/close-early", "it takes the rest of a file before it closes it", func(ctx context.Context, b core.Backend, p string, o *core.ReadOptions) (io.ReadCloser, error) {
			r, err := b.Read(ctx, p, o)
			if err != nil {
				return nil, err
			}
			return &drained{ReadCloser: r}, nil
		}),
		onRead("read/close-forgets", "read/close-releases", "it forgets to close what its caller has closed", func(ctx context.Context, b core.Backend, p string, o *core.ReadOptions) (io.ReadCloser, error) {
			r, err := b.Read(ctx, p, o)
			if err != nil {
				return nil, err
			}
			return io.NopCloser(r), nil
		}),
		onRead("read/whole", "files/bounded", "it reads all of a file before it gives any", func(ctx context.Context, b core.Backend, p string, o *core.ReadOptions) (io.ReadCloser, error) {
			r, err := b.Read(ctx, p, o)
			if err != nil || !strings.HasSuffix(p, "/bounded") {
				return r, err
			}
			data, err := io.ReadAll(r)
			return io.NopCloser(io.MultiReader(bytes.NewReader(data), &broken{err})), r.Close()
		}),
		onRead("read/late-special", "read/special", "it tells that a file is not regular when its content is read", func(ctx context.Context, b core.Backend, p string, o *core.ReadOptions) (io.ReadCloser, error) {
			r, err := b.Read(ctx, p, o)
			if errors.Is(err, core.ErrNotRegular) {
				return io.NopCloser(&broken{err}), nil
			}
			return r, err
		}),
		onRead("read/not-canceled", "read/canceled", "it reads on when the context has ended", func(ctx context.Context, b core.Backend, p string, o *core.ReadOptions) (io.ReadCloser, error) {
			return b.Read(context.WithoutCancel(ctx), p, o)
		}),
		onRead("read/piece-by-piece", "read/replaced", "it opens a file anew for each piece of it", func(ctx context.Context, b core.Backend, p string, o *core.ReadOptions) (io.ReadCloser, error) {
			r, err := b.Read(ctx, p, o)
			if err != nil || o.MaxSize > 0 || o.Limit > 0 {
				return r, err
			}
			_ = r.Close()
			return &pieces{ctx: ctx, b: b, path: p, at: o.Offset}, nil
		}),
		onRead("read/late-errors", "read/missing", "it tells of errors when the content is read", func(ctx context.Context, b core.Backend, p string, o *core.ReadOptions) (io.ReadCloser, error) {
			r, err := b.Read(ctx, p, o)
			if err != nil && ctx.Err() == nil && !errors.Is(err, core.ErrStopped) {
				return io.NopCloser(&broken{err}), nil
			}
			return r, err
		}),
	}
}

// zeros is an endless source of them.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// drained is a reader whose Close takes as long as the rest of the file.
type drained struct {
	io.ReadCloser
	ended atomic.Bool
	once  sync.Once
}

func (d *drained) Read(p []byte) (int, error) {
	n, err := d.ReadCloser.Read(p)
	if err != nil {
		d.ended.Store(true)
	}
	return n, err
}

func (d *drained) Close() error {
	d.once.Do(func() {
		if !d.ended.Load() {
			time.Sleep(3 * time.Second)
		}
	})
	return d.ReadCloser.Close()
}

// pieces reads a file in pieces of a megabyte.
type pieces struct {
	ctx  context.Context //nolint:containedctx // the reader belongs to the call of Read
	b    core.Backend
	path string
	at   int64
	rest []byte
}

func (r *pieces) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		piece, err := r.b.Read(r.ctx, r.path, &core.ReadOptions{Offset: r.at, Limit: 1 << 20})
		if err != nil {
			return 0, err
		}
		data, err := io.ReadAll(piece)
		_ = piece.Close()
		if err != nil {
			return 0, err
		}
		if len(data) == 0 {
			return 0, io.EOF
		}
		r.rest, r.at = data, r.at+int64(len(data))
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

func (r *pieces) Close() error {
	r.b = closed{r.b}
	return nil
}

// closed is a backend that reads nothing any more.
type closed struct{ core.Backend }

func (closed) Read(context.Context, string, *core.ReadOptions) (io.ReadCloser, error) {
	return nil, fmt.Errorf("%w: reader is closed", core.ErrInvalid)
}
