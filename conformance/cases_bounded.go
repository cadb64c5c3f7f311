package conformance

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/caisson-dev/caisson/core"
)

// What a driver holds of that which passes through it, and for how long.
func boundedCases() []Case {
	return []Case{
		{ID: "streams/bounded", Title: "the caller's memory is bounded while a command floods its output", Level: Gold, Serial: true, Run: func(e *Env) {
			sb, g := e.Sandbox(), newGauge()
			// Each dot on stderr makes the gauge look.
			res := e.exec(sb, &core.Command{Shell: "i=0; while [ $i -lt 32 ]; do head -c 4194304 /dev/zero; printf . >&2; i=$((i + 1)); done", Stderr: g})
			g.look()
			want(e, "total of the output", res.Stdout.Total, 128<<20)
			want(e, "kept of it", len(res.Stdout.Bytes()), core.DefaultOutputLimit)
			g.want(e, "a flood of 128 MiB")
		}},
		{ID: "files/bounded", Title: "the caller's memory is bounded while a large file goes in and out", Level: Gold, Serial: true, Run: boundedFile},
		{ID: "read/close-releases", Title: "a reader that is closed early no longer holds its file", Level: Extended, Requires: core.CapIsolation, Run: func(e *Env) {
			sb := e.Own(func(s *core.Spec) { s.Limits.Tmp = 8 << 20 })
			e.sh(sb, "head -c 6291456 /dev/zero > /tmp/first")
			r, _ := e.opened(e.Context(), sb, "/tmp/first", nil)
			want(e, "close", r.Close(), nil)
			e.sh(sb, "rm /tmp/first")
			e.eventually(2*time.Second, "6 of 8 MiB are free for another file", func() bool {
				return e.exec(sb, core.Shell("head -c 6291456 /dev/zero > /tmp/second 2>/dev/null")).Success()
			})
		}},
	}
}

// boundedFile moves zeros, which a driver in memory can keep for nothing, as file systems keep holes.
func boundedFile(e *Env) {
	const size, step = 128 << 20, 4 << 20
	sb := e.Sandbox()
	file := e.Dir(sb) + "/bounded"
	e.Cleanup(func() { _, _ = sb.Execute(context.WithoutCancel(e.Context()), core.Program("rm", "-f", file)) })
	g := newGauge()
	src := &watched{src: io.LimitReader(&repeated{block: make([]byte, 64<<10)}, size), gauge: g, step: step}
	if err := sb.Upload(e.Context(), file, src, nil); err != nil {
		e.Fatalf("upload 128 MiB: %v", err)
	}
	g.want(e, "an upload of 128 MiB")
	r, err := sb.Read(e.Context(), file, nil)
	if err != nil {
		e.Fatalf("read 128 MiB: %v", err)
	}
	defer r.Close()
	g.look()
	n, err := io.Copy(io.Discard, &watched{src: r, gauge: g, step: step})
	want(e, fmt.Sprintf("bytes read, error %v", err), n, size)
	g.want(e, "a read of 128 MiB")
	want(e, "the file", strings.TrimSpace(e.sh(sb, "wc -c < "+file)), fmt.Sprint(size))
}

// watched looks at a gauge after every step of so many bytes.
type watched struct {
	src        io.Reader
	gauge      *gauge
	step, done int
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.src.Read(p[:min(len(p), w.step)])
	if w.done += n; w.done >= w.step {
		w.done = 0
		w.gauge.look()
	}
	return n, err
}
