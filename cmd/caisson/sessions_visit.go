package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/sessions"
)

// register adds the flags that say what wakes a session that hibernates.
func (o *sessionFlags) register(f *pflag.FlagSet) {
	f.StringVar(&o.image, "image", "", "image for a session that hibernates (default $"+imageEnv+")")
	f.StringVar(&o.runtime, "runtime", "", "runtime for a session that hibernates: a built-in `NAME`, or a .yaml or .json file")
}

// visit opens the sandbox of a session while something is done in it.
func (o *sessionFlags) visit(ctx context.Context, drv core.Driver, id string, create bool, notices io.Writer, do func(*core.Sandbox) error) (err error) {
	v := &sessions.VisitOptions{Create: create}
	sb, err := sessions.Visit(ctx, drv, o.owner, id, v)
	if code := core.CodeOf(err); code == core.ErrStopped || create && code == core.ErrNotFound {
		// Only now is it known that an image is needed.
		if v.Wake, err = o.wake(ctx, drv, notices); err != nil {
			return err
		}
		sb, err = sessions.Visit(ctx, drv, o.owner, id, v)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sb.Stop(ctx)) }()
	return do(sb)
}

// wake returns what a sandbox for a session that hibernates is started from.
func (o *sessionFlags) wake(ctx context.Context, drv core.Driver, notices io.Writer) (*core.Spec, error) {
	show := newProgress(notices)
	defer show.close()
	spec := &core.Spec{Progress: show.event}
	var err error
	switch image := cmp.Or(o.image, os.Getenv(imageEnv)); {
	case o.image != "" && o.runtime != "":
		return nil, errors.New("--image and --runtime exclude each other")
	case o.runtime != "":
		spec.Runtime, err = findRuntime(o.runtime)
	case image != "":
		spec.Runtime, err = firstImage(ctx, drv, []string{image}, notices, show.event)
	default:
		spec.Runtime, err = firstImage(ctx, drv, shellImages(), notices, show.event)
	}
	if err != nil {
		return nil, err
	}
	_, err = drv.Prepare(ctx, spec.Runtime.WithDefaults(), &core.PrepareOptions{Progress: show.event})
	return spec, err
}

func newSessionsExec(o *sessionFlags) *cobra.Command {
	var env []string
	var timeout time.Duration
	asJSON := false
	cmd := &cobra.Command{
		Use:   "exec ID -- PROGRAM [ARG...]",
		Short: "Run a program in a session",
		Long: `Run a program in a session, beside what its own program runs there. Everything
that it has started ends with it. The exit status is as that of caisson run. What the
session's runtime adds to the environment only its program knows; see --env.`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.ArgsLenAtDash() != 1 {
				return errors.New("give one session, then --, then the program")
			}
			command := core.Program(args[1], args[2:]...)
			var err error
			if command.Env, err = parseEnv(env); err != nil {
				return err
			}
			command.Timeout = timeout
			if err := errors.Join(o.named(), command.Validate()); err != nil {
				return err
			}
			r := &run{
				job:   &job{driver: o.driver, spec: new(core.Spec), command: command, json: asJSON},
				stdin: cmd.InOrStdin(), stdout: cmd.OutOrStdout(), stderr: cmd.ErrOrStderr(),
			}
			r.get = func(ctx context.Context, drv core.Driver) (res *core.Result, err error) {
				err = o.visit(ctx, drv, args[0], false, r.stderr, func(sb *core.Sandbox) (err error) {
					res, err = r.within(ctx, sb)
					return err
				})
				return res, err
			}
			return r.run(cmd.Context())
		},
	}
	f := cmd.Flags()
	o.register(f)
	f.StringArrayVar(&env, "env", nil, "set `KEY=VALUE` for the program; KEY alone takes this program's value")
	f.DurationVar(&timeout, "timeout", 0, "end the program and all that it started after this time, such as 30s")
	f.BoolVar(&asJSON, "json", false, "print the result with the captured output as JSON")
	return cmd
}

func newSessionsExport(o *sessionFlags) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "export ID",
		Short:   "Write the files of a session to standard output, as tar",
		Example: "  caisson sessions export --owner my-app alice > alice.tar",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if f, ok := cmd.OutOrStdout().(*os.File); ok && term.IsTerminal(int(f.Fd())) {
				return errors.New("a tar stream is not for a terminal; send it to a file")
			}
			if err := o.named(); err != nil {
				return err
			}
			return o.with(cmd, func(ctx context.Context, drv core.Driver) error {
				return o.visit(ctx, drv, args[0], false, cmd.ErrOrStderr(), func(sb *core.Sandbox) error {
					return sessions.Export(ctx, sb, cmd.OutOrStdout())
				})
			})
		},
	}
	o.register(cmd.Flags())
	return cmd
}

func newSessionsImport(o *sessionFlags) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "import ID",
		Short:   "Put files of a tar stream on standard input into a session, also a new one",
		Example: "  caisson sessions import --owner my-app alice < alice.tar",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.named(); err != nil {
				return err
			}
			stream := bufio.NewReader(cmd.InOrStdin())
			if _, err := stream.Peek(1); err != nil { // what was to make it has failed; no session is made of that
				return errors.New("the standard input is empty; give it a tar stream")
			}
			return o.with(cmd, func(ctx context.Context, drv core.Driver) error {
				return o.visit(ctx, drv, args[0], true, cmd.ErrOrStderr(), func(sb *core.Sandbox) error {
					return sessions.Import(ctx, sb, stream)
				})
			})
		},
	}
	o.register(cmd.Flags())
	return cmd
}
