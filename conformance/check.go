package conformance

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"regexp"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/caisson-dev/caisson/core"
)

// Options changes what Check runs. The zero value and nil run everything.
type Options struct {
	// Level is the highest level whose cases are run; empty means Gold.
	Level Level
	// Run, if set, keeps the cases whose ID it matches.
	Run *regexp.Regexp
	// Parallel is how many cases run at once; 0 means 16. Most of a case's time is waiting.
	Parallel int
	// Log, if set, is told of every case as it ends, a line each.
	Log io.Writer
	// Cases are run in place of Cases().
	Cases []Case
}

func (o *Options) level() Level {
	if o.Level == "" {
		return Gold
	}
	return o.Level
}

func (o *Options) cases() []Case {
	cases := o.Cases
	if cases == nil {
		cases = Cases()
	}
	return slices.DeleteFunc(slices.Clone(cases), func(c Case) bool {
		return c.Level.rank() > o.level().rank() || o.Run != nil && !o.Run.MatchString(c.ID)
	})
}

// Check runs the suite and returns its report. An error means that the suite
// could not be run; a driver that fails is a report that is not Conformant.
func Check(ctx context.Context, h *Harness, opts *Options) (*Report, error) {
	if opts == nil {
		opts = new(Options)
	}
	started := time.Now()
	r, err := open(ctx, h)
	if err != nil {
		return nil, err
	}
	var telling sync.Mutex // keeps the lines of the log whole
	cases := opts.cases()
	results := make([]Result, len(cases))
	for _, serial := range []bool{false, true} {
		parallel := cmp.Or(opts.Parallel, 16)
		if serial {
			parallel = 1
		}
		slots := make(chan struct{}, parallel)
		var all sync.WaitGroup
		for i := range cases {
			if cases[i].Serial != serial || ctx.Err() != nil {
				continue
			}
			slots <- struct{}{}
			all.Go(func() {
				defer func() { <-slots }()
				results[i] = r.execute(ctx, &cases[i])
				telling.Lock()
				defer telling.Unlock()
				opts.tell(&results[i])
			})
		}
		all.Wait()
	}
	notes := r.notes(ctx)
	left, err := r.close(context.WithoutCancel(ctx))
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	rep := r.report(opts, started, results)
	rep.Notes, rep.Leftovers = notes, left
	rep.conclude()
	return rep, nil
}

func (o *Options) tell(res *Result) {
	if o.Log == nil {
		return
	}
	fmt.Fprintf(o.Log, "%-14s %-40s %6.2f s  %s\n", res.Status, res.ID, res.Seconds, res.Reason)
	for _, f := range res.Failures {
		fmt.Fprintf(o.Log, "               %s\n", f)
	}
}

// notes looks for file verbs that the driver has but does not declare.
func (r *run) notes(ctx context.Context) []string {
	sb, err := r.lease(ctx)
	if err != nil {
		return nil
	}
	defer r.release(ctx, sb, false) //nolint:errcheck // without retiring it nothing is stopped
	implements := map[core.Capability]func(core.Backend) bool{
		core.CapList: is[core.Lister], core.CapStat: is[core.Stater], core.CapRemove: is[core.Remover], core.CapMkdir: is[core.DirMaker],
		core.CapRename: is[core.Renamer], core.CapGlob: is[core.Globber], core.CapGrep: is[core.Grepper], core.CapEdit: is[core.Editor],
	}
	var notes []string
	for _, c := range core.FileCapabilities() {
		if !slices.Contains(r.info.Capabilities, c) && implements[c](sb.Unwrap()) {
			notes = append(notes, fmt.Sprintf("%s works, but the driver does not declare it", c))
		}
	}
	return notes
}

func is[V any](b core.Backend) bool { _, ok := b.(V); return ok }

// Run runs the suite as subtests of t, named by the IDs of the cases. Those
// that may run beside others do, as many as the -parallel flag allows.
func Run(t *testing.T, h *Harness) {
	t.Helper()
	started := time.Now()
	r, err := open(t.Context(), h)
	if err != nil {
		t.Fatalf("open the driver: %v", err)
	}
	opts := new(Options)
	var mu sync.Mutex
	var results []Result
	t.Cleanup(func() {
		left, err := r.close(context.WithoutCancel(t.Context()))
		if err != nil {
			t.Errorf("close the driver: %v", err)
		}
		if len(left) > 0 {
			t.Errorf("left behind: %q", left)
		}
		slices.SortFunc(results, func(a, b Result) int { return cmp.Compare(a.ID, b.ID) })
		rep := r.report(opts, started, results)
		rep.Leftovers = left
		rep.Partial = len(results) < len(Cases()) // by the -run flag
		rep.Level = reached(rep)
		t.Log(rep.Summary())
	})
	for _, c := range opts.cases() {
		t.Run(c.ID, func(t *testing.T) {
			if !c.Serial {
				t.Parallel() // begins when the serial ones are through
			}
			res := r.execute(t.Context(), &c)
			mu.Lock()
			results = append(results, res)
			mu.Unlock()
			for _, line := range res.Log {
				t.Log(line)
			}
			switch {
			case res.Status == KnownFailing:
				t.Skipf("known failing: %q", res.Failures)
			case res.Bad():
				t.Errorf("%s: %s %q", c.Title, res.Reason, res.Failures)
			case res.Status == Skip && c.Level == Core:
				t.Errorf("a case of level core may not be skipped: %s", res.Reason)
			case res.Status == Skip:
				t.Skip(res.Reason)
			}
		})
	}
}
