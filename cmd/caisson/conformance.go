package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/caisson-dev/caisson/conformance"
)

// Exit statuses of `caisson conformance`.
const (
	exitNotConformant = 1
	exitNoReport      = 2 // a mistake in the call, or the suite could not be run
)

// conformanceOptions are the flags of `caisson conformance`.
type conformanceOptions struct {
	sandboxOptions
	driver, level, run, skipKnown string
	parallel                      int
	outputs                       []outputFile
}

// outputFile is a form of the report and where it goes.
type outputFile struct {
	flag, about string
	write       func(*conformance.Report, io.Writer) error
	path        string
}

func newConformance() *cobra.Command {
	o := &conformanceOptions{outputs: []outputFile{
		{flag: "json", about: "JSON", write: (*conformance.Report).WriteJSON},
		{flag: "junit", about: "JUnit XML", write: (*conformance.Report).WriteJUnit},
		{flag: "html", about: "a page", write: (*conformance.Report).WriteHTML},
	}}
	cmd := &cobra.Command{
		Use:   "conformance",
		Short: "Hold a driver to the contract and report how far it keeps it",
		Long: `Run the conformance suite on a driver. Each case prints a line as it ends, on a
terminal only those that did not pass; the last line is the summary.

The exit status is 0 if the driver is conformant at the level asked for, 1 if it
is not, and 2 if the suite could not be run.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, release := catchSignals(cmd.Context(), func() {})
			defer release()
			rep, err := o.check(ctx, cmd.ErrOrStderr())
			if err == nil {
				err = o.write(rep, cmd.OutOrStdout())
			}
			if err != nil {
				return interrupted(ctx, err)
			}
			for _, note := range rep.Notes {
				fmt.Fprintln(cmd.ErrOrStderr(), "note: "+note)
			}
			for _, object := range rep.Leftovers {
				fmt.Fprintln(cmd.ErrOrStderr(), "left behind: "+object)
			}
			fmt.Fprintln(cmd.ErrOrStderr(), rep.Summary())
			if !rep.Conformant {
				return status(exitNotConformant)
			}
			return nil
		},
	}
	f := cmd.Flags()
	driverFlag(f, &o.driver)
	f.StringVar(&o.image, "image", "", "image with a POSIX shell and core utilities to run in (default $"+imageEnv+")")
	f.StringVar(&o.runtime, "runtime", "", "runtime to run in, as for caisson run")
	f.StringArrayVar(&o.allow, "allow", nil, "do without a `PROTECTION` that the engine cannot give")
	f.StringVar(&o.level, "level", string(conformance.Gold), "highest level to ask for: core, extended or gold")
	f.StringVar(&o.run, "run", "", "only the cases whose ID matches this `REGEXP`; no level is reached then")
	f.StringVar(&o.skipKnown, "skip-known", "", "`FILE` with IDs of cases that are known to fail, one a line")
	f.IntVar(&o.parallel, "parallel", 0, "cases to run at once (default 8)")
	for i := range o.outputs {
		out := &o.outputs[i]
		f.StringVar(&out.path, out.flag, "", "write the report as "+out.about+" to `FILE`; - is the standard output")
	}
	return failWith(exitNoReport, cmd)
}

func (o *conformanceOptions) check(ctx context.Context, log io.Writer) (*conformance.Report, error) {
	show := newSuiteShow(log)
	defer show.close()
	opts := &conformance.Options{Parallel: o.parallel, Watch: show.event}
	var err error
	if opts.Level, err = conformance.ParseLevel(o.level); err != nil {
		return nil, err
	}
	if o.run != "" {
		if opts.Run, err = regexp.Compile(o.run); err != nil {
			return nil, fmt.Errorf("--run: %w", err)
		}
	}
	h := new(conformance.Harness)
	if o.skipKnown != "" {
		if h.KnownFailing, err = readIDs(o.skipKnown); err != nil {
			return nil, fmt.Errorf("--skip-known: %w", err)
		}
	}
	if err := o.prepare(ctx, h, log); err != nil {
		return nil, err
	}
	engine := &underTest{url: o.driver}
	h.Open, h.Another, h.Census, h.Lose = engine.open, engine.another, engine.census, engine.lose
	return conformance.Check(ctx, h, opts)
}

// prepare sets what sandboxes are started from, and makes it ready, so that no case waits for that.
func (o *conformanceOptions) prepare(ctx context.Context, h *conformance.Harness, log io.Writer) error {
	spec, err := o.spec()
	if err != nil {
		return err
	}
	drv, err := openDriver(ctx, o.driver)
	if err != nil {
		return err
	}
	defer drv.Close()
	info, err := drv.Info(ctx)
	if err != nil {
		return err
	}
	if info.Driver == "fake" { // it has every image but these
		h.MissingImage = "missing/image:latest"
	}
	if spec.Runtime, err = makeReady(ctx, drv, spec.Runtime, o.images(shellImages()), log); err != nil {
		return err
	}
	h.Spec = *spec
	h.Spec.Lease = runLease // for what is left if this program is killed
	return nil
}

// write writes the report in every form that was asked for.
func (o *conformanceOptions) write(rep *conformance.Report, stdout io.Writer) error {
	for i := range o.outputs {
		if err := o.outputs[i].save(rep, stdout); err != nil {
			return err
		}
	}
	return nil
}

func (f *outputFile) save(rep *conformance.Report, stdout io.Writer) (err error) {
	switch f.path {
	case "":
		return nil
	case "-":
		return f.write(rep, stdout)
	}
	file, err := os.Create(f.path)
	if err != nil {
		return fmt.Errorf("--%s: %w", f.flag, err)
	}
	defer func() {
		if closeErr := file.Close(); err == nil {
			err = closeErr
		}
	}()
	return f.write(rep, file)
}

// readIDs reads one ID a line; what follows a # is a comment.
func readIDs(name string) ([]string, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var ids []string
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		id, _, _ := strings.Cut(lines.Text(), "#")
		if id = strings.TrimSpace(id); id != "" {
			ids = append(ids, id)
		}
	}
	return ids, lines.Err()
}
