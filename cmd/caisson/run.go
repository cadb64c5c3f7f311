package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/caisson-dev/caisson/core"
)

const runLong = `Run a script, a file or a program in a sandbox of its own, and remove the sandbox.

The exit status is the command's own; 128 and the signal's number if a signal
killed it, 137 if it ran out of memory, 124 after a timeout and 125 for errors of
Caisson itself. A sandbox whose caisson was killed, or suspended for over a
minute, ends and is removed by itself, unless it is to be kept.

Without --image or --runtime, an image with the interpreter is chosen: ` + "`debian:bookworm-slim`" + `,
for .py files ` + "`python:3.12-slim`" + `, for .js files ` + "`node:20-slim`" + `; $` + imageEnv + ` names another.`

const runExamples = `  caisson run -c 'echo hello from user $(id -u)'
  caisson run --timeout 10s --upload data.csv --download result.json analysis.py
  caisson run --image golang:1.26 --memory 1g -- go version`

func newRun() *cobra.Command {
	opts := new(runOptions)
	cmd := &cobra.Command{
		Use:     "run [flags] (-c SCRIPT | FILE [ARG...] | -- PROGRAM [ARG...])",
		Short:   "Run something in a sandbox",
		Long:    runLong,
		Example: runExamples,
		RunE: func(cmd *cobra.Command, args []string) error {
			j, err := opts.job(args, cmd.ArgsLenAtDash() == 0)
			if err != nil {
				return err
			}
			r := &run{job: j, stdin: cmd.InOrStdin(), stdout: cmd.OutOrStdout(), stderr: cmd.ErrOrStderr()}
			return r.run(cmd.Context())
		},
	}
	opts.register(cmd.Flags())
	return cmd
}

// run is one run of `caisson run`.
type run struct {
	*job
	stdin          io.Reader
	stdout, stderr io.Writer

	// get runs the command in a sandbox that is there; nil means one of its own.
	get     func(context.Context, core.Driver) (*core.Result, error)
	info    *core.Info
	sandbox atomic.Pointer[core.Sandbox] // set while there is one to remove
}

func (r *run) run(ctx context.Context) error {
	ctx, release := catchSignals(ctx, r.abandon)
	defer release()
	res, err := r.execute(ctx)
	if sig, ok := errors.AsType[interruption](context.Cause(ctx)); ok {
		if r.json {
			return errors.Join(r.report(res, err), status(sig.status()))
		}
		return status(sig.status())
	}
	if r.json {
		if err := r.report(res, err); err != nil {
			return err
		}
		if err != nil && !consequence(res, err) {
			return status(exitFailure)
		}
		return ended(res)
	}
	switch {
	case errors.Is(err, syscall.EPIPE): // whoever read our output has had enough
		return status(exitSignaled + int(syscall.SIGPIPE))
	case err != nil && !consequence(res, err):
		return err
	}
	r.explain(res)
	if err != nil {
		fmt.Fprintln(r.stderr, "caisson: "+oneLine(err))
	}
	return ended(res)
}

// consequence reports whether an error is of a download after a command that has
// failed: most likely for that reason, which is the one to be told.
func consequence(res *core.Result, err error) bool {
	return res != nil && ended(res) != nil && errors.Is(err, errDownload)
}

// errDownload marks the error of a download.
var errDownload = errors.New("download")

// execute runs the command, in a sandbox that it starts and removes again. The
// result may come with an error: of the cleaning up or of a download.
func (r *run) execute(ctx context.Context) (res *core.Result, err error) {
	drv, err := openAnyDriver(ctx, r.driver, r.stderr)
	if err != nil {
		return nil, err
	}
	defer drv.Close()
	if r.info, err = drv.Info(ctx); err != nil {
		return nil, err
	}
	if r.get != nil {
		return r.get(ctx, drv)
	}
	if _, ok := core.AsDriver[core.Collector](drv); r.keep && (!ok || r.info.Driver == "fake") {
		return nil, errors.New("--keep: sandboxes of this driver end with this program")
	}
	show := newProgress(r.stderr)
	defer show.close()
	if r.spec.Runtime == nil {
		if r.spec.Runtime, err = firstImage(ctx, drv, r.images, r.stderr, show.event); err != nil {
			return nil, err
		}
	}
	r.spec.Progress = show.event
	r.spec.Lazy = true // so that a signal can stop what is still starting
	sb, err := core.Start(ctx, drv, r.spec)
	if err != nil {
		return nil, err
	}
	r.sandbox.Store(sb)
	defer func() { err = errors.Join(err, r.remove(ctx, sb)) }()
	if err := sb.Start(ctx); err != nil {
		return nil, err
	}
	show.close()
	return r.within(ctx, sb)
}

// within does the work in a sandbox that runs.
func (r *run) within(ctx context.Context, sb *core.Sandbox) (*core.Result, error) {
	for _, u := range r.uploads {
		if err := u.upload(ctx, sb, r.stderr); err != nil {
			return nil, err
		}
	}
	r.command.Stdin = r.stdin
	if !r.json {
		r.command.Stdout, r.command.Stderr = r.stdout, r.stderr
	}
	res, err := sb.Execute(ctx, r.command)
	if err != nil {
		return res, err
	}
	for _, d := range r.downloads {
		if failed := d.download(ctx, sb); failed != nil {
			err = errors.Join(err, fmt.Errorf("%w: %w", errDownload, failed))
		}
	}
	return res, err
}

// remove stops the sandbox, or says how to find the one that is kept.
func (r *run) remove(ctx context.Context, sb *core.Sandbox) error {
	if !r.keep {
		return sb.Stop(ctx)
	}
	if sb.Unwrap() == nil { // it did not start, so nothing is kept
		return nil
	}
	id := ""
	if informer, ok := core.As[core.Informer](sb, core.CapInfo); ok {
		if in, err := informer.Info(ctx); err == nil {
			id = " " + in.ID
		}
	}
	fmt.Fprintf(r.stderr, "caisson: the sandbox%s is kept, with the label %s.owner=%s; remove it with: caisson gc --driver %s --owner %[3]s\n",
		id, core.LabelPrefix, r.spec.Owner, cmp.Or(driverNamed(r.driver), r.info.Driver+":"))
	return nil
}

// abandonTimeout bounds what a second signal still waits for.
const abandonTimeout = 3 * time.Second

// abandon tries once more to remove the sandbox; it is called on the second signal, right before the end.
func (r *run) abandon() {
	sb := r.sandbox.Load()
	if sb == nil || r.keep {
		return
	}
	done := make(chan error, 1)
	go func() { done <- sb.Stop(context.Background()) }()
	select {
	case err := <-done:
		if err != nil {
			fmt.Fprintln(r.stderr, "caisson: "+oneLine(err))
		}
	case <-time.After(abandonTimeout):
		fmt.Fprintln(os.Stderr, "caisson: the sandbox could not be removed in time")
	}
}
