package conformance

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/caisson-dev/caisson/core"
)

// DiffSchema names the form of a Comparison as JSON. Fields may be added to it; none is renamed or given another meaning.
const DiffSchema = "diff/v1"

// Comparison is what Diff has seen on two drivers.
type Comparison struct {
	Schema string `json:"schema"`
	A      Engine `json:"a"`
	B      Engine `json:"b"`
	// Seen is how many things were looked at.
	Seen int `json:"seen"`
	// Differences are those that are not the same on both, in the order in which they were looked at.
	Differences []Difference `json:"differences"`
}

// Difference is one thing that is not the same. Text that a script prints is quoted.
type Difference struct {
	What string `json:"what"` // as in "environment: HOME"
	A    string `json:"a"`    // Absent where there is none
	B    string `json:"b"`
	Why  string `json:"why,omitempty"` // where it comes from, if Explain was told
}

// Absent is the value of what there is on the other driver only.
const Absent = "-"

// Explain sets the Why of every difference to what why returns.
func (c *Comparison) Explain(why func(Difference) string) {
	for i := range c.Differences {
		c.Differences[i].Why = why(c.Differences[i])
	}
}

// observation is one thing that was looked at.
type observation struct{ what, value string }

// Diff starts a sandbox on each of two drivers, runs a script in both and
// returns what differs: exit code, signal, outputs, their order, error codes.
// With an empty script it runs a set of probes, which look at all that a
// command can see and at what the calls of a Backend return. An error means
// that one of the two could not be looked at.
func Diff(ctx context.Context, a, b *Harness, script string) (*Comparison, error) {
	var seen [2][]observation
	var engines [2]Engine
	var errs [2]error
	var both sync.WaitGroup
	for i, h := range []*Harness{a, b} {
		both.Go(func() { seen[i], engines[i], errs[i] = observe(ctx, h, script) })
	}
	both.Wait()
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	c := &Comparison{Schema: DiffSchema, A: engines[0], B: engines[1], Differences: []Difference{}}
	c.compare(seen[0], seen[1])
	return c, nil
}

// compare looks at what A has, in its order, and then at what only B has.
func (c *Comparison) compare(a, b []observation) {
	values := map[string]string{}
	for _, o := range b {
		values[o.what] = o.value
	}
	see := func(what, valueA, valueB string) {
		c.Seen++
		if valueA != valueB {
			c.Differences = append(c.Differences, Difference{What: what, A: valueA, B: valueB})
		}
	}
	for _, o := range a {
		other, both := values[o.what]
		if !both {
			other = Absent
		}
		delete(values, o.what)
		see(o.what, o.value, other)
	}
	for _, o := range b {
		if _, alone := values[o.what]; alone {
			see(o.what, Absent, o.value)
		}
	}
}

func observe(ctx context.Context, h *Harness, script string) (seen []observation, engine Engine, err error) {
	r, err := open(ctx, h)
	if err != nil {
		return nil, Engine{}, err
	}
	defer func() {
		_, closeErr := r.close(context.WithoutCancel(ctx))
		err = errors.Join(err, closeErr)
	}()
	sb, err := r.lease(ctx)
	if err != nil {
		return nil, Engine{}, err
	}
	defer r.release(ctx, sb, false) //nolint:errcheck // without retiring it nothing is stopped
	o := &observer{sb: sb, info: r.info, at: map[string]int{}}
	if script != "" {
		o.command(ctx, "script", core.Shell(script))
	} else {
		o.probe(ctx)
	}
	return o.seen, engineOf(r.info), errors.Join(o.err, ctx.Err())
}

// observer collects observations of one sandbox.
type observer struct {
	sb   Sandbox
	info *core.Info
	seen []observation
	at   map[string]int // where in seen a thing is
	err  error          // of a sandbox that cannot be looked at any more
	host string
}

// add adds an observation. What is seen twice has both values.
func (o *observer) add(what, value string) {
	if o.host != "" {
		value = strings.ReplaceAll(value, o.host, "HOSTNAME") // it is the sandbox's own
	}
	if i, again := o.at[what]; again {
		o.seen[i].value += "; " + value
		return
	}
	o.at[what] = len(o.seen)
	o.seen = append(o.seen, observation{what, value})
}

// command runs a command and adds all that its caller sees.
func (o *observer) command(ctx context.Context, what string, cmd *core.Command) {
	res, err := o.sb.Execute(ctx, cmd)
	o.add(what+": error", codeText(err))
	if res == nil {
		return
	}
	o.add(what+": ending", ending(res))
	for _, part := range []struct {
		name string
		out  *core.Output
	}{{"stdout", &res.Stdout}, {"stderr", &res.Stderr}, {"both in order", &res.Combined}} {
		text := fmt.Sprintf("%q", part.out.Bytes())
		if part.out.Truncated {
			text += fmt.Sprintf(" of %d bytes", part.out.Total)
		}
		o.add(what+": "+part.name, text)
	}
}

// lines runs a script that prints lines "KEY VALUE", or "KEY=VALUE", and adds each.
func (o *observer) lines(ctx context.Context, what, script string) {
	res, err := o.sb.Execute(ctx, core.Shell(script))
	if err != nil || res == nil {
		o.err = errors.Join(o.err, err)
		return
	}
	for line := range strings.Lines(string(res.Stdout.Bytes())) {
		line = strings.TrimSuffix(line, "\n")
		at := strings.IndexAny(line, " =\t")
		if at < 0 {
			o.add(what+": "+line, "yes")
			continue
		}
		o.add(what+": "+strings.TrimSuffix(line[:at], ":"), strings.TrimSpace(line[at+1:]))
	}
}

// codeText is the class of an error, which is all that must be the same.
func codeText(err error) string {
	if err == nil {
		return "none"
	}
	return string(core.CodeOf(err))
}
