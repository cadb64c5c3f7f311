package conformance

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/caisson-dev/caisson/core"
)

// Comparison is what Diff has seen on two drivers.
type Comparison struct {
	A, B Engine
	// Seen is how many things were looked at.
	Seen int
	// Differences are those that are not the same on both, in the order in which they were looked at.
	Differences []Difference
}

// Difference is one thing that is not the same. Text that a script prints is quoted.
type Difference struct {
	What string // as in "environment: HOME"
	A, B string // "-" where there is none
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
	c := &Comparison{A: engines[0], B: engines[1]}
	c.compare(seen[0], seen[1])
	return c, nil
}

func (c *Comparison) compare(a, b []observation) {
	values := map[string]string{}
	for _, o := range b {
		values[o.what] = o.value
	}
	for _, o := range a {
		c.Seen++
		other, ok := values[o.what]
		delete(values, o.what)
		if !ok {
			other = "-"
		}
		if other != o.value {
			c.Differences = append(c.Differences, Difference{What: o.what, A: o.value, B: other})
		}
	}
	for _, o := range b {
		if _, alone := values[o.what]; alone {
			c.Seen++
			c.Differences = append(c.Differences, Difference{What: o.what, A: "-", B: o.value})
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
	o := &observer{sb: sb}
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
	seen []observation
	err  error // of a sandbox that cannot be looked at any more
	host string
}

func (o *observer) add(what, value string) {
	if o.host != "" {
		value = strings.ReplaceAll(value, o.host, "HOSTNAME") // it is the sandbox's own
	}
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
	for name, out := range map[string]*core.Output{"stdout": &res.Stdout, "stderr": &res.Stderr, "both in order": &res.Combined} {
		text := fmt.Sprintf("%q", out.Bytes())
		if out.Truncated {
			text += fmt.Sprintf(" of %d bytes", out.Total)
		}
		o.add(what+": "+name, text)
	}
	slices.SortStableFunc(o.seen[len(o.seen)-3:], func(a, b observation) int { return cmp.Compare(a.what, b.what) })
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

// WriteText writes the comparison for people, one difference after the other.
func (c *Comparison) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "A is %s, B is %s: %d of %d observations differ\n", c.A.name(), c.B.name(), len(c.Differences), c.Seen)
	for _, d := range c.Differences {
		fmt.Fprintf(&b, "\n%s\n  A  %s\n  B  %s\n", d.What, d.A, d.B)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// WriteMarkdown writes the comparison as a table.
func (c *Comparison) WriteMarkdown(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "| What | %s | %s |\n| --- | --- | --- |\n", c.A.name(), c.B.name())
	for _, d := range c.Differences {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", cell(d.What), cell(d.A), cell(d.B))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (e *Engine) name() string { return strings.TrimSpace(e.Engine + " " + e.Version) }

// cell is a text as a table has room for it.
func cell(s string) string {
	const most = 200
	if len(s) > most {
		s = s[:most] + " ..."
	}
	return strings.NewReplacer("|", `\|`, "\n", " ").Replace(strings.ToValidUTF8(s, "\ufffd"))
}
