package main

import (
	"context"
	"errors"
	"io"

	"github.com/spf13/cobra"

	"github.com/caisson-dev/caisson/conformance"
	"github.com/caisson-dev/caisson/core"
)

// Exit statuses of `caisson diff`.
const (
	exitDifferent    = 1
	exitNoComparison = 2 // a mistake in the call, or one of the two cannot be looked at
)

const diffLong = `Start a sandbox on each of two drivers from the same image, do the same in both
and print what differs.

With a SCRIPT that is what its caller sees: exit code, signal, outputs, their
order and the class of the error. Without one it is some hundreds of things that
a command can see and that calls return.

The exit status is 0 if nothing differs, 1 if something does, and 2 if the two
could not be compared.`

const diffExamples = `  caisson diff docker: podman:
  caisson diff docker: podman: 'stat -c %a /tmp; ulimit -a'
  caisson diff --profile relaxed --network default --json docker: podman:`

// diffOptions are the flags of `caisson diff`.
type diffOptions struct {
	sandboxOptions
	json, markdown bool
}

func newDiff() *cobra.Command {
	o := new(diffOptions)
	cmd := &cobra.Command{
		Use:     "diff [flags] URL URL [SCRIPT]",
		Short:   "Print what differs between two drivers",
		Long:    diffLong,
		Example: diffExamples,
		Args:    cobra.RangeArgs(2, 3),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, release := catchSignals(cmd.Context(), func() {})
			defer release()
			found, err := o.compare(ctx, args, cmd.ErrOrStderr())
			if err == nil {
				err = o.write(found, cmd.OutOrStdout())
			}
			if err != nil {
				return interrupted(ctx, err)
			}
			if len(found.Differences) > 0 {
				return status(exitDifferent)
			}
			return nil
		},
	}
	f := cmd.Flags()
	o.register(f)
	f.BoolVar(&o.json, "json", false, "print the comparison as JSON")
	f.BoolVar(&o.markdown, "markdown", false, "print the comparison as a table in Markdown")
	return failWith(exitNoComparison, cmd)
}

// compare looks at the drivers of two URLs. A third argument is the script.
func (o *diffOptions) compare(ctx context.Context, args []string, notices io.Writer) (*conformance.Comparison, error) {
	if o.json && o.markdown {
		return nil, errors.New("--json and --markdown exclude each other")
	}
	spec, err := o.spec()
	if err != nil {
		return nil, err
	}
	if spec.Runtime, err = o.ready(ctx, args[:2], spec.Runtime, notices); err != nil {
		return nil, err
	}
	spec.Lease = runLease // for what is left if this program is killed
	var of [2]*conformance.Harness
	for i := range of {
		of[i] = &conformance.Harness{Spec: *spec, Open: func(ctx context.Context) (core.Driver, error) { return core.Open(ctx, args[i]) }}
	}
	script := ""
	if len(args) > 2 {
		script = args[2]
	}
	found, err := conformance.Diff(ctx, of[0], of[1], script)
	if err != nil {
		return nil, err
	}
	return found, explain(found)
}

// ready makes a runtime ready on both drivers; a nil one is that of the first image for which that works.
func (o *diffOptions) ready(ctx context.Context, urls []string, rt *core.Runtime, notices io.Writer) (*core.Runtime, error) {
	var both pair
	for _, url := range urls {
		drv, err := core.Open(ctx, url)
		if err != nil {
			return nil, err
		}
		defer drv.Close()
		both = append(both, drv)
	}
	return makeReady(ctx, both, rt, o.images(shellImages()), notices)
}

// write prints the comparison in the form that was asked for.
func (o *diffOptions) write(found *conformance.Comparison, w io.Writer) error {
	switch {
	case o.json:
		return found.WriteJSON(w)
	case o.markdown:
		return found.WriteMarkdown(w)
	}
	return found.WriteText(w)
}

// preparer is what firstImage needs of a driver.
type preparer interface {
	Prepare(ctx context.Context, rt *core.Runtime, opts *core.PrepareOptions) (*core.Prepared, error)
}

// pair makes runtimes ready on several drivers, one after the other.
type pair []core.Driver

func (p pair) Prepare(ctx context.Context, rt *core.Runtime, opts *core.PrepareOptions) (made *core.Prepared, err error) {
	for _, drv := range p {
		if made, err = drv.Prepare(ctx, rt, opts); err != nil {
			return nil, err
		}
	}
	return made, nil
}
