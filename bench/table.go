package main

import (
	"cmp"
	"fmt"
	"io"
)

// table prints figures, each with what it is compared with and what is wanted.
type table struct {
	out    io.Writer
	failed []error
}

func newTable(w io.Writer, title string) *table {
	fmt.Fprintf(w, "\n%s\n", title)
	t := &table{out: w}
	t.print("", "calls", "caisson p50 p99", "other p50 p99", "ratio", "wanted", "met", "bare stream")
	return t
}

// A figure is one row.
type figure struct {
	what         string
	calls        string
	ours, theirs string
	ratio        string
	wanted       string // empty if nothing is
	met          bool
	// bound is what the same over the engine's stream with nothing of Caisson
	// reaches, if that was measured; beyond means that it does not reach what is wanted.
	bound  string
	beyond bool
}

// add prints a row. What is not met is a failure, unless no stream through the engine can meet it.
func (t *table) add(f figure) {
	met := ""
	switch {
	case f.wanted == "":
	case f.met:
		met = "yes"
	case f.beyond:
		met = "beyond"
	default:
		met = "NO"
		t.failed = append(t.failed, fmt.Errorf("%s: %s, wanted %s", f.what, cmp.Or(f.ratio, f.ours), f.wanted))
	}
	t.print(f.what, f.calls, f.ours, f.theirs, f.ratio, f.wanted, met, f.bound)
}

func (t *table) print(what, calls, ours, theirs, ratio, wanted, met, bound string) {
	fmt.Fprintf(t.out, "%-34s %5s  %-16s %-16s %7s  %-13s %-7s %s\n", what, calls, ours, theirs, ratio, wanted, met, bound)
}
