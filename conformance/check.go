package conformance

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/caisson-dev/caisson/core"
)

// Options changes what Check runs. The zero value and nil run everything.
type Options struct {
	// Level is the highest level whose cases are run; empty means Gold.
	Level Level
	// Run, if set, keeps the cases whose ID it matches.
	Run *regexp.Regexp
	// Parallel is how many cases run at once, beside those that wait; 0 means 8.
	Parallel int
	// Log, if set, is told of every case as it ends, a line each.
	Log io.Writer
	// Watch, if set, is told of every case as it begins and as it ends, from one goroutine at a time.
	Watch func(Event)
	// Cases are run in place of Cases().
	Cases []Case
}

// Event is the beginning or the end of a case while the suite runs.
type Event struct {
	ID     string
	Result *Result // nil at the beginning
	Ended  int     // how many cases have ended, this one counted
	All    int
}

// defaultParallel is more than a machine has processors, because most of a case's
// time is waiting. Twice as many were no faster on two, and made engines slow to answer.
const defaultParallel = 8

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
	cases := opts.cases()
	if len(cases) == 0 {
		return nil, core.Errorf(core.ErrInvalid, "conformance", "no case is selected: look at Run and Level")
	}
	if opts.Parallel < 0 {
		return nil, core.Errorf(core.ErrInvalid, "conformance", "Parallel %d is negative", opts.Parallel)
	}
	started := time.Now()
	r, err := open(ctx, h)
	if err != nil {
		return nil, err
	}
	results := make([]Result, len(cases))
	var telling sync.Mutex // keeps the lines of the log whole
	ended := 0
	tell := func(id string, res *Result) {
		telling.Lock()
		defer telling.Unlock()
		if res != nil {
			ended++
			opts.log(res)
		}
		if opts.Watch != nil {
			opts.Watch(Event{ID: id, Result: res, Ended: ended, All: len(cases)})
		}
	}
	schedule(ctx, cases, opts.Parallel, func(i int) {
		tell(cases[i].ID, nil)
		results[i] = r.execute(ctx, &cases[i])
		tell(cases[i].ID, &results[i])
	})
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

// schedule calls execute for each case: for those that wait at once, then for
// those that are not serial, so many at a time, then for the serial ones. Once
// the context has ended it begins no more.
func schedule(ctx context.Context, cases []Case, parallel int, execute func(i int)) {
	var waiting sync.WaitGroup
	defer waiting.Wait()
	for i := range cases {
		if cases[i].Waits && ctx.Err() == nil {
			waiting.Go(func() { execute(i) })
		}
	}
	for _, serial := range []bool{false, true} {
		n := cmp.Or(parallel, defaultParallel)
		if serial {
			n = 1
		}
		slots := make(chan struct{}, n)
		var all sync.WaitGroup
		for i := range cases {
			if cases[i].Waits || cases[i].Serial != serial || ctx.Err() != nil {
				continue
			}
			slots <- struct{}{}
			all.Go(func() {
				defer func() { <-slots }()
				execute(i)
			})
		}
		all.Wait()
	}
}

func (o *Options) log(res *Result) {
	if o.Log != nil {
		fmt.Fprintln(o.Log, res)
	}
}

// notes looks for file verbs that the driver has but does not declare.
func (r *run) notes(ctx context.Context) []string {
	ctx, cancel := context.WithTimeout(ctx, DefaultTimeout)
	defer cancel()
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
