package conformance

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/caisson-dev/caisson/core"
)

// What Read promises.
func readCases() []Case {
	return []Case{
		{ID: "read/missing", Title: "a missing file is ErrNotFound, at once", Level: Core, Run: func(e *Env) {
			sb := e.Sandbox()
			dir := e.Dir(sb)
			e.sh(sb, "cd "+dir+"; ln -s nothing dangling; echo x > file")
			for _, p := range []string{"/missing", "/missing/below", "/dangling", "/file/below"} {
				_, err := sb.Read(e.Context(), dir+p, nil)
				wantCode(e, "read "+p, err, core.ErrNotFound)
				wantError(e, "read "+p, err, fs.ErrNotExist)
			}
		}},
		{ID: "read/directory", Title: "a directory is ErrIsDirectory, at once", Level: Core, Run: func(e *Env) {
			sb := e.Sandbox()
			dir := e.Dir(sb)
			for _, p := range []string{dir, "/", "/tmp"} {
				_, err := sb.Read(e.Context(), p, nil)
				wantCode(e, "read "+p, err, core.ErrIsDirectory)
			}
		}},
		{ID: "read/special", Title: "a FIFO or a device is ErrNotRegular, at once", Level: Core, Run: func(e *Env) {
			sb := e.Sandbox()
			dir := e.Dir(sb)
			e.sh(sb, "cd "+dir+"; mkfifo fifo; ln -s fifo link; ln -s /dev/zero device")
			for _, p := range []string{dir + "/fifo", dir + "/link", dir + "/device", "/dev/null", "/dev/zero"} {
				e.within(3*time.Second, "read "+p, func() {
					r, err := sb.Read(e.Context(), p, &core.ReadOptions{Limit: 10})
					wantCode(e, "read "+p, err, core.ErrNotRegular)
					if err == nil {
						_ = r.Close()
					}
				})
			}
		}},
		{ID: "read/permission", Title: "a file that the user may not read is ErrPermission", Level: Core, Run: func(e *Env) {
			sb := e.Sandbox()
			file := e.Dir(sb) + "/locked"
			e.sh(sb, "echo x > "+file+"; chmod 000 "+file)
			_, err := sb.Read(e.Context(), file, nil)
			wantCode(e, "read a file of mode 000", err, core.ErrPermission)
			wantError(e, "read a file of mode 000", err, fs.ErrPermission)
		}},
		{ID: "read/range", Title: "Offset and Limit select a part; beyond the end there is nothing", Level: Core, Run: func(e *Env) {
			sb := e.Sandbox()
			file := e.Dir(sb) + "/file"
			data := noise(200_000)
			e.upload(sb, file, data)
			for _, o := range []core.ReadOptions{{Offset: 1}, {Limit: 1}, {Offset: 65_530, Limit: 100}, {Offset: 199_999}, {Offset: 199_999, Limit: 5}, {Offset: 200_000}, {Offset: 1 << 40}, {Offset: 1<<63 - 1}, {Limit: 1 << 40}} {
				from := min(o.Offset, int64(len(data)))
				to := int64(len(data))
				if o.Limit > 0 {
					to = min(to, from+o.Limit)
				}
				wantBytes(e, fmt.Sprintf("read %+v", o), e.read(sb, file, &o), data[from:to])
			}
		}},
		{ID: "read/max-size", Title: "what is larger than MaxSize is ErrTooLarge, at once", Level: Core, Run: func(e *Env) {
			sb := e.Sandbox()
			file := e.Dir(sb) + "/file"
			e.upload(sb, file, noise(1000))
			_, err := sb.Read(e.Context(), file, &core.ReadOptions{MaxSize: 999})
			wantCode(e, "1000 bytes, at most 999", err, core.ErrTooLarge)
			want(e, "1000 bytes, at most 1000", len(e.read(sb, file, &core.ReadOptions{MaxSize: 1000})), 1000)
			want(e, "10 of 1000 bytes, at most 10", len(e.read(sb, file, &core.ReadOptions{Limit: 10, MaxSize: 10})), 10)
			want(e, "the last 10 of 1000 bytes, at most 10", len(e.read(sb, file, &core.ReadOptions{Offset: 990, MaxSize: 10})), 10)
		}},
		{ID: "read/max-size-sparse", Title: "the size of a file is known before it is read", Level: Extended, Run: func(e *Env) {
			sb := e.Sandbox()
			file := e.Dir(sb) + "/sparse"
			e.sh(sb, "dd if=/dev/zero of="+file+" bs=1 count=1 seek=500000000 2>/dev/null")
			e.within(3*time.Second, "read 500 MB, at most 1 MiB", func() {
				_, err := sb.Read(e.Context(), file, &core.ReadOptions{MaxSize: 1 << 20})
				wantCode(e, "read 500 MB, at most 1 MiB", err, core.ErrTooLarge)
			})
			e.sh(sb, "rm "+file)
		}},
		{ID: "read/grows", Title: "a file that grows beyond MaxSize while it is read is ErrTooLarge, never more bytes", Level: Extended, Run: func(e *Env) {
			sb := e.Sandbox()
			file := e.Dir(sb) + "/grows"
			e.upload(sb, file, noise(1<<20))
			r, head := e.opened(e.Context(), sb, file, &core.ReadOptions{MaxSize: 1<<20 + 1000})
			e.sh(sb, "head -c 8000000 /dev/zero >> "+file)
			rest, err := io.ReadAll(r)
			want(e, "bytes within the bound", len(rest)+len(head) <= 1<<20+1000, true)
			if err != nil || len(rest)+len(head) > 1<<20 { // else all of it was read before it grew
				wantCode(e, "the growing file", err, core.ErrTooLarge)
			}
		}},
		{ID: "read/shrinks", Title: "a file that is cut short while it is read ends, with what was there or an error", Level: Extended, Run: func(e *Env) {
			sb := e.Sandbox()
			file := e.Dir(sb) + "/shrinks"
			content := noise(8 << 20)
			e.upload(sb, file, content)
			r, head := e.opened(e.Context(), sb, file, nil)
			e.sh(sb, ": > "+file)
			e.within(5*time.Second, "the rest of a file that was emptied", func() {
				rest, err := io.ReadAll(r)
				want(e, "what came is what was there", bytes.HasPrefix(content, append(head, rest...)), true)
				if err != nil {
					want(e, fmt.Sprintf("error %v has a code", err), core.CodeOf(err) != core.ErrInternal, true)
				}
			})
		}},
		{ID: "read/follows-links", Title: "Read follows links", Level: Core, Run: func(e *Env) {
			sb := e.Sandbox()
			dir := e.Dir(sb)
			e.sh(sb, "cd "+dir+"; mkdir sub; echo text > sub/file; ln -s sub/file link; ln -s link chain; ln -s sub dirlink")
			for _, p := range []string{"/link", "/chain", "/dirlink/file"} {
				want(e, "read "+p, string(e.read(sb, dir+p, nil)), "text\n")
			}
		}},
		{ID: "read/close-early", Title: "closing the reader early stops the transfer", Level: Core, Run: func(e *Env) {
			const size = 16 << 30 // nobody takes the rest of that in the time there is
			sb := e.Own(func(s *core.Spec) { s.Limits.FileSize = 2 * size })
			file := e.Dir(sb) + "/file"
			e.sh(sb, fmt.Sprintf("dd if=/dev/zero of=%s bs=1 count=1 seek=%d 2>/dev/null", file, size-1))
			for range 5 {
				r, _ := e.opened(e.Context(), sb, file, nil)
				e.within(2*time.Second, "close", func() { want(e, "error of Close", r.Close(), nil) })
			}
			e.sh(sb, "rm "+file)
		}},
		{ID: "read/canceled", Title: "when its context ends the reader fails with the context's error", Level: Core, Run: func(e *Env) {
			sb := e.Sandbox()
			file := e.Dir(sb) + "/file"
			e.sh(sb, "head -c 67108864 /dev/zero > "+file)
			ctx, cancel := context.WithCancel(e.Context())
			defer cancel()
			r, _ := e.opened(ctx, sb, file, nil)
			cancel()
			e.within(3*time.Second, "the reader after a cancel", func() {
				_, err := io.Copy(io.Discard, r)
				wantError(e, "the reader", err, context.Canceled)
			})
			e.sh(sb, "rm "+file)
		}},
		{ID: "read/replaced", Title: "a file that is replaced while it is read comes whole, as it was", Level: Core, Run: func(e *Env) {
			sb := e.Sandbox()
			file := e.Dir(sb) + "/file"
			old := noise(4 << 20)
			e.upload(sb, file, old)
			r, head := e.opened(e.Context(), sb, file, nil)
			e.upload(sb, file, []byte(strings.Repeat("n", 4<<20)))
			rest, err := io.ReadAll(r)
			want(e, "error", err, nil)
			wantBytes(e, "content", append(head, rest...), old)
		}},
	}
}
