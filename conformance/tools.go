package conformance

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/caisson-dev/caisson/core"
)

// noise returns n bytes that do not compress and are the same each time.
func noise(n int) []byte {
	data := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(data)
	return data
}

// has reports whether the driver declared a capability.
func (e *Env) has(c core.Capability) bool { return slices.Contains(e.run.info.Capabilities, c) }

// uploadScript writes a file that can be executed.
func (e *Env) uploadScript(sb core.Backend, path, text string) {
	e.Helper()
	if err := sb.Upload(e.Context(), path, strings.NewReader(text), &core.UploadOptions{Mode: 0o755}); err != nil {
		e.Fatalf("upload the script %q: %v", path, err)
	}
}

// started waits until a command of the case has written a file with this content.
func (e *Env) started(sb core.Backend, path, content string) {
	e.Helper()
	e.eventually(10*time.Second, "a command writes "+path, func() bool {
		data, err := readAll(e.Context(), sb, path, nil)
		return err == nil && string(data) == content
	})
}

// A background call runs in a goroutine of the case, which waits for it.
type background struct {
	done chan struct{}
	res  *core.Result
	err  error
}

// execute runs a command in the background.
func (e *Env) execute(ctx context.Context, sb core.Backend, cmd *core.Command) *background {
	b := &background{done: make(chan struct{})}
	go func() {
		defer close(b.done)
		b.res, b.err = sb.Execute(ctx, cmd)
	}()
	e.Cleanup(func() { e.ended(b, 10*time.Second, "a command in the background") })
	return b
}

// ended waits for the end of a background call, for d at most, and reports whether it came.
func (e *Env) ended(b *background, d time.Duration, done string) bool {
	e.Helper()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-b.done:
		return true
	case <-timer.C:
		e.Errorf("%s: expected an end within %v, still running", done, d)
		return false
	}
}

// stalled is a source that gives its bytes and then nothing more until it is closed.
type stalled struct {
	head   io.Reader
	given  chan struct{} // closed when the head was taken
	closed chan struct{}
	once   sync.Once
	end    sync.Once
	err    error // what Read returns once it is closed; nil means io.EOF
}

func newStalled(head []byte, err error) *stalled {
	return &stalled{head: bytes.NewReader(head), given: make(chan struct{}), closed: make(chan struct{}), err: err}
}

func (s *stalled) Read(p []byte) (int, error) {
	if n, err := s.head.Read(p); err == nil {
		return n, nil
	}
	s.once.Do(func() { close(s.given) })
	<-s.closed
	if s.err != nil {
		return 0, s.err
	}
	return 0, io.EOF
}

// release ends the source.
func (s *stalled) release() { s.end.Do(func() { close(s.closed) }) }

var errSource = errors.New("the source broke")

// signalWriter keeps what is written and tells of every Write. It may be read while it is written.
type signalWriter struct {
	mu    sync.Mutex
	buf   bytes.Buffer
	wrote chan struct{}
}

func newSignalWriter() *signalWriter { return &signalWriter{wrote: make(chan struct{}, 1)} }

func (w *signalWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case w.wrote <- struct{}{}:
	default:
	}
	return w.buf.Write(p)
}

func (w *signalWriter) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buf.String()
}

// await waits until the writer has got exactly this text.
func (e *Env) await(w *signalWriter, text string) {
	e.Helper()
	timer := time.NewTimer(10 * time.Second)
	defer timer.Stop()
	for w.String() != text {
		select {
		case <-w.wrote:
		case <-timer.C:
			e.Fatalf("expected the writer to get %q while the command runs, it has %q", text, w.String())
		}
	}
}

// gauge notes the most memory that this process has held since a case began,
// as often as it is asked to look. Nothing else may run beside the case.
type gauge struct {
	mu           sync.Mutex
	before, most uint64
}

func newGauge() *gauge { return &gauge{before: heap()} }

func (g *gauge) look() {
	now := heap()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.most = max(g.most, now)
}

// Write looks at the memory whenever something comes.
func (g *gauge) Write(p []byte) (int, error) {
	g.look()
	return len(p), nil
}

// maxGrowth is room for the buffers of a driver, and for nothing that grows with what it moves.
const maxGrowth = 64 << 20

// want reports a driver that has held more than its buffers.
func (g *gauge) want(e *Env, done string) {
	e.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	if grown := int64(g.most) - int64(g.before); grown > maxGrowth {
		e.Errorf("memory of the caller during %s: expected bounded buffers, it grew by %d MiB", done, grown>>20)
	}
}

// repeated is an endless source of one block.
type repeated struct {
	block []byte
	at    int
}

func (r *repeated) Read(p []byte) (int, error) {
	n := copy(p, r.block[r.at:])
	r.at = (r.at + n) % len(r.block)
	return n, nil
}

// heap returns how many bytes of memory this process uses after a collection.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// opened opens a file that must be readable and takes its first bytes. The reader is closed at the end of the case.
func (e *Env) opened(ctx context.Context, sb core.Backend, file string, opts *core.ReadOptions) (r io.ReadCloser, head []byte) {
	e.Helper()
	r, err := sb.Read(ctx, file, opts)
	if err != nil {
		e.Fatalf("read: %v", err)
	}
	e.Cleanup(func() { _ = r.Close() })
	head = make([]byte, 100)
	if _, err := io.ReadFull(r, head); err != nil {
		e.Fatalf("the first bytes: %v", err)
	}
	return r, head
}

// overwrite uploads the first half of new content over old content and waits there.
func overwrite(e *Env, ctx context.Context, sb core.Backend, file string, fails error) (*stalled, chan error) {
	e.Helper()
	e.upload(sb, file, []byte("old"))
	return slowUpload(e, ctx, sb, file, fails)
}

// slowUpload uploads the first half of a content and waits there.
func slowUpload(e *Env, ctx context.Context, sb core.Backend, file string, fails error) (*stalled, chan error) {
	e.Helper()
	src := newStalled(noise(300_000), fails)
	e.Cleanup(src.release)
	ended := make(chan error, 1)
	go func() { ended <- sb.Upload(ctx, file, src, new(core.UploadOptions)) }()
	select {
	case <-src.given:
	case err := <-ended:
		e.Fatalf("upload: expected it to read its source, got %v", err)
	case <-e.Context().Done():
		e.Fatalf("upload: expected it to read its source, it does not")
	}
	return src, ended
}

// outcome waits for the end of an upload.
func (e *Env) outcome(ended <-chan error, done string) error {
	e.Helper()
	timer := time.NewTimer(5 * time.Second)
	defer timer.Stop()
	select {
	case err := <-ended:
		return err
	case <-timer.C:
		e.Fatalf("%s: expected an end within 5 s, still running", done)
		return nil
	}
}
