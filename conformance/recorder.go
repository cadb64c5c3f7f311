package conformance

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"
)

// recorder is a T that keeps what a case reports. Its methods may be called from many goroutines at once.
type recorder struct {
	name string
	ctx  context.Context

	mu       sync.Mutex
	failures []string // at most maxFailures
	more     int      // failures beyond those
	log      []string
	cleanups []func()
	broken   bool
	skipped  string
	excused  bool
	closed   bool // the case was given up; what it reports now is dropped
}

var _ T = (*recorder)(nil)

// maxFailures is how many failures of one case are kept; the first tell most.
const maxFailures = 10

func (r *recorder) Helper()                  {}
func (r *recorder) Name() string             { return r.name }
func (r *recorder) Context() context.Context { return r.ctx }

func (r *recorder) Cleanup(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cleanups = append(r.cleanups, f)
}

func (r *recorder) Logf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed {
		r.log = append(r.log, fmt.Sprintf(format, args...))
	}
}

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.closed:
	case len(r.failures) < maxFailures:
		r.failures = append(r.failures, fmt.Sprintf(format, args...))
	default:
		r.more++
	}
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

func (r *recorder) Skipf(format string, args ...any) {
	r.mu.Lock()
	r.skipped = fmt.Sprintf(format, args...)
	r.mu.Unlock()
	runtime.Goexit()
}

// excuse marks a skip that is no fault of the driver's: the image lacks what the case needs.
func (r *recorder) excuse() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.excused = true
}

func (r *recorder) Failed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.failures) > 0
}

func (r *recorder) markBroken() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.broken = true
}

// do runs f to its end, or to a call of Fatalf or Skipf, and returns. A panic is recorded.
func (r *recorder) do(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if p := recover(); p != nil {
				r.markBroken()
				r.Errorf("panic: %v\n%s", p, debug.Stack())
			}
		}()
		f()
	}()
	<-done
}

// grace is what a case has to clean up after its time is over.
const grace = 20 * time.Second

// execute runs one case under a recorder and says how it went. It returns even if the case does not.
func (r *run) execute(ctx context.Context, c *Case) Result {
	start := time.Now()
	timeout := c.Timeout
	if timeout == 0 {
		timeout = DefaultTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	rec := &recorder{name: c.ID, ctx: ctx}
	env := &Env{T: rec, Marker: strings.ToLower(random()), run: r}
	done := make(chan struct{})
	go func() {
		defer close(done)
		rec.do(func() {
			reason, err := r.skip(ctx, c)
			if err != nil {
				rec.markBroken()
				rec.Fatalf("look whether the case applies: %v", err)
			}
			if reason != "" {
				rec.excuse() // it is of the image, or of a capability that is not declared
				rec.Skipf("%s", reason)
			}
			c.Run(env)
		})
		for {
			rec.mu.Lock()
			n := len(rec.cleanups)
			if n == 0 {
				rec.mu.Unlock()
				break
			}
			f := rec.cleanups[n-1]
			rec.cleanups = rec.cleanups[:n-1]
			rec.mu.Unlock()
			rec.do(f)
		}
		env.release()
	}()
	late := time.NewTimer(timeout + grace)
	defer late.Stop()
	select {
	case <-done:
	case <-late.C:
		rec.Errorf("expected an end within %v, but the case hangs", timeout)
		env.release()
	}
	res := rec.result(c, time.Since(start))
	return r.known(res)
}

// result closes the recorder.
func (r *recorder) result(c *Case, took time.Duration) Result {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	if r.more > 0 {
		r.failures = append(r.failures, fmt.Sprintf("and %d more", r.more))
	}
	res := Result{ID: c.ID, Title: c.Title, Area: c.Area(), Level: c.Level, Requires: c.Requires, Status: Pass,
		Failures: slices.Clone(r.failures), Log: slices.Clone(r.log), Seconds: took.Seconds()}
	switch {
	case r.broken:
		res.Status = Broken
	case len(r.failures) > 0:
		res.Status = Fail
	case r.skipped != "":
		res.Status, res.Reason, res.excused = Skip, r.skipped, r.excused
	}
	return res
}

// known marks the result of a case that the harness lists as failing.
func (r *run) known(res Result) Result {
	if !slices.Contains(r.harness.KnownFailing, res.ID) {
		return res
	}
	switch res.Status {
	case Fail:
		res.Status = KnownFailing
	case Pass:
		res.Status, res.Reason = KnownPasses, "listed as failing, but passes: take it from the list"
	}
	return res
}
