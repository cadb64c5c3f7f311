package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/caisson-dev/caisson/core"
)

// Env is what a case works with: what it reports to, and the driver under test.
type Env struct {
	T
	// Marker is a random word of this run of the case.
	Marker string
	run    *run

	mu     sync.Mutex
	leased *shared
}

// Driver returns the driver under test.
func (e *Env) Driver() core.Driver { return e.run.driver }

// Spec returns a copy of the harness's specification, its Runtime copied too.
func (e *Env) Spec() *core.Spec {
	spec := e.run.spec
	rt := *spec.Runtime
	spec.Runtime = &rt
	return &spec
}

// Sandbox returns the sandbox that cases share. A case keeps to its own Dir in
// it, must not restart it, and leaves no process behind.
func (e *Env) Sandbox() Sandbox {
	e.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.leased == nil {
		s, err := e.run.lease(e.Context())
		if err != nil {
			e.broken("start the shared sandbox", err)
		}
		e.leased = s
	}
	return e.leased.Sandbox
}

// release gives the shared sandbox back, at the end of the case or once it hangs.
func (e *Env) release() {
	e.mu.Lock()
	s := e.leased
	e.leased = nil
	e.mu.Unlock()
	if s != nil {
		_ = e.run.release(context.WithoutCancel(e.Context()), s, e.Failed()) // what cannot be stopped is for the census to find
	}
}

// Own starts a sandbox for this case alone and stops it at the end. change may adapt its specification.
func (e *Env) Own(change ...func(*core.Spec)) Sandbox {
	e.Helper()
	return e.ownOn(e.run.driver, change...)
}

// ownOn is Own on another driver.
func (e *Env) ownOn(d core.Driver, change ...func(*core.Spec)) Sandbox {
	e.Helper()
	spec := e.Spec()
	for _, f := range change {
		f(spec)
	}
	sb, err := e.run.start(e.Context(), d, spec)
	if err != nil {
		e.broken("start a sandbox", err)
	}
	e.Cleanup(func() {
		if err := sb.Stop(context.WithoutCancel(e.Context())); err != nil {
			e.Errorf("stop the case's sandbox: %v", err)
		}
	})
	return sb
}

// broken ends a case that could not do its work.
func (e *Env) broken(what string, err error) {
	e.Helper()
	if r, ok := e.T.(*recorder); ok {
		r.markBroken()
	}
	e.Fatalf("%s: %v", what, err)
}

// imageLacks skips a case that the image is no good for.
func (e *Env) imageLacks(what string) {
	e.Helper()
	if r, ok := e.T.(*recorder); ok {
		r.excuse()
	}
	e.Skipf("the image has no %s", what)
}

// Dir makes a directory for this case in sb and returns its path, relative to the work directory.
func (e *Env) Dir(sb core.Backend) string {
	e.Helper()
	dir := "case-" + e.Marker
	e.sh(sb, "mkdir -p "+dir)
	return dir
}

// exec runs a command that must give a Result without an error.
func (e *Env) exec(sb core.Backend, cmd *core.Command) *core.Result {
	e.Helper()
	res, err := sb.Execute(e.Context(), cmd)
	if err != nil {
		e.Fatalf("run %s: expected a result, got error %v", describe(cmd), err)
	}
	if res == nil {
		e.Fatalf("run %s: expected a result, got nil without an error", describe(cmd))
	}
	return res
}

// sh runs a script that must succeed and returns what it printed on stdout.
func (e *Env) sh(sb core.Backend, script string) string {
	e.Helper()
	res := e.exec(sb, core.Shell(script))
	if !res.Success() {
		e.Fatalf("run %s: expected exit 0, got %s; stderr %.300q", describe(core.Shell(script)), ending(res), res.Stderr.Bytes())
	}
	return string(res.Stdout.Bytes())
}

// upload writes a file that must be written.
func (e *Env) upload(sb core.Backend, path string, data []byte) {
	e.Helper()
	if err := sb.Upload(e.Context(), path, bytes.NewReader(data), new(core.UploadOptions)); err != nil {
		e.Fatalf("upload %d bytes to %.80q: %v", len(data), path, err)
	}
}

// read returns the content of a file that must be readable.
func (e *Env) read(sb core.Backend, path string, opts *core.ReadOptions) []byte {
	e.Helper()
	data, err := readAll(e.Context(), sb, path, opts)
	if err != nil {
		e.Fatalf("read %.80q: %v", path, err)
	}
	return data
}

func readAll(ctx context.Context, sb core.Backend, path string, opts *core.ReadOptions) ([]byte, error) {
	if opts == nil {
		opts = new(core.ReadOptions) // a driver's backend does not take nil
	}
	r, err := sb.Read(ctx, path, opts)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(r)
	return data, errors.Join(err, r.Close())
}

// want reports a difference between what was expected and what was got.
func want[V comparable](e *Env, done string, got, expected V) {
	e.Helper()
	if got != expected {
		e.Errorf("%s: expected %s, got %s", done, short(expected), short(got))
	}
}

// wantBytes is want for content, of which it shows little.
func wantBytes(e *Env, done string, got, expected []byte) {
	e.Helper()
	if bytes.Equal(got, expected) {
		return
	}
	at := 0
	for at < len(got) && at < len(expected) && got[at] == expected[at] {
		at++
	}
	e.Errorf("%s: expected %d bytes, got %d; the first difference is at byte %d: expected %.40q, got %.40q",
		done, len(expected), len(got), at, expected[at:], got[at:])
}

// wantCode reports an error that is not of the expected class.
func wantCode(e *Env, done string, err error, codes ...core.Code) {
	e.Helper()
	for _, code := range codes {
		if errors.Is(err, code) {
			return
		}
	}
	e.Errorf("%s: expected an error %q, got %v", done, codes, err)
}

// within fails if f takes longer than d, and says so while f still runs.
func (e *Env) within(d time.Duration, done string, f func()) {
	e.Helper()
	start := time.Now()
	late := time.AfterFunc(d, func() { e.Errorf("%s: expected an end within %v, still running", done, d) })
	f()
	if late.Stop() && time.Since(start) > d {
		e.Errorf("%s: expected an end within %v, got %v", done, d, time.Since(start))
	}
}

// eventually polls until ok returns true, for d at most.
func (e *Env) eventually(d time.Duration, done string, ok func() bool) {
	e.Helper()
	for deadline := time.Now().Add(d); ; time.Sleep(20 * time.Millisecond) {
		if ok() {
			return
		}
		if time.Now().After(deadline) || e.Context().Err() != nil {
			e.Fatalf("%s: expected it within %v", done, d)
		}
	}
}

func describe(cmd *core.Command) string {
	if cmd == nil {
		return "a nil command"
	}
	if cmd.Shell != "" {
		return fmt.Sprintf("sh script %.120q", cmd.Shell)
	}
	return fmt.Sprintf("%.120q", cmd.Args)
}

func ending(res *core.Result) string {
	return strings.TrimSpace(fmt.Sprintf("%s, exit code %d %s", res.Reason, res.ExitCode, res.Signal))
}

func short(v any) string {
	switch v := v.(type) {
	case nil:
		return "no error" // nothing else that is compared can be nil
	case string:
		return fmt.Sprintf("%.200q", v)
	}
	return fmt.Sprint(v)
}

// wantError reports an error that is not the expected one.
func wantError(e *Env, done string, err, expected error) {
	e.Helper()
	if !errors.Is(err, expected) {
		e.Errorf("%s: expected the error %q, got %v", done, expected, err)
	}
}
