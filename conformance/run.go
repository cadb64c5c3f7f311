package conformance

import (
	"context"
	"flag"
	"strings"
	"testing"
	"time"

	"github.com/caisson-dev/caisson/core"
)

// Run runs the suite as subtests of t, named by the IDs of the cases. They run
// beside each other, more of them than -parallel says because most of a case's
// time is waiting; with a -run or -skip that selects subtests, one after the other.
// It returns how the cases went that were run.
func Run(t *testing.T, h *Harness) []Result {
	t.Helper()
	started := time.Now()
	r, err := open(t.Context(), h)
	if err != nil {
		t.Fatalf("open the driver: %v", err)
	}
	opts := new(Options)
	cases := opts.cases()
	var results []Result
	t.Cleanup(func() {
		left, err := r.close(context.WithoutCancel(t.Context()))
		if err != nil {
			t.Errorf("close the driver: %v", err)
		}
		if len(left) > 0 {
			t.Errorf("left behind: %q", left)
		}
		rep := r.report(opts, started, results)
		rep.Leftovers = left
		rep.Partial = len(results) < len(cases)
		rep.Level = reached(rep)
		t.Log(rep.Summary())
	})
	result := r.ahead(t, cases)
	for i := range cases {
		t.Run(cases[i].ID, func(t *testing.T) {
			t.Attr("level", string(cases[i].Level))
			res := result(i)
			results = append(results, res)
			conclude(t, &cases[i], &res, r.info.Capabilities)
		})
	}
	return results
}

// ahead runs the cases in the background and returns what waits for the result
// of one; or, if subtests were selected, what runs it.
func (r *run) ahead(t *testing.T, cases []Case) func(i int) Result {
	ctx := t.Context()
	if selective() {
		return func(i int) Result { return r.execute(ctx, &cases[i]) }
	}
	results := make([]chan Result, len(cases))
	for i := range results {
		results[i] = make(chan Result, 1)
	}
	over := make(chan struct{})
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		defer close(over)
		schedule(ctx, cases, 0, func(i int) { results[i] <- r.execute(ctx, &cases[i]) })
	}()
	t.Cleanup(func() { cancel(); <-over }) // before the driver is closed, and at once if a subtest ended the test
	return func(i int) Result { return <-results[i] }
}

// selective reports whether go test was told to run some subtests only.
func selective() bool {
	for _, name := range []string{"test.run", "test.skip"} {
		if f := flag.Lookup(name); f != nil && strings.Contains(f.Value.String(), "/") {
			return true
		}
	}
	return false
}

// conclude tells a test how its case went.
func conclude(t *testing.T, c *Case, res *Result, declared []core.Capability) {
	t.Helper()
	for _, line := range res.Log {
		t.Log(line)
	}
	switch {
	case res.Status == KnownFailing:
		t.Skipf("known failing: %q", res.Failures)
	case res.Bad():
		t.Errorf("%s: %s %q", c.Title, res.Reason, res.Failures)
	case res.Status == Skip && res.mandatory(declared):
		t.Errorf("a case of level core, or of a declared capability, may not be skipped: %s", res.Reason)
	case res.Status == Skip:
		t.Skip(res.Reason)
	}
}
