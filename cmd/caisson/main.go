// Command caisson runs untrusted code in sandboxes and tells what the
// container engines of this machine can do for it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

func main() { os.Exit(caisson(os.Args[1:])) }

// Exit statuses that are not a sandboxed command's own. They are what timeout(1), docker(1) and shells use.
const (
	exitTimeout  = 124
	exitFailure  = 125 // Caisson's own errors
	exitSignaled = 128 // and the number of the signal
)

// status ends the program with this exit status; what there was to say has been said.
type status int

func (s status) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// caisson runs the command line and returns the exit status.
func caisson(args []string) int {
	// A reader of our output that goes away shall be a failed write, after which we clean up.
	signal.Ignore(syscall.SIGPIPE)
	root := newRoot()
	root.SetArgs(args)
	err := root.ExecuteContext(context.Background())
	if code, ok := errors.AsType[status](err); ok {
		return int(code)
	}
	if err != nil {
		fmt.Fprintln(root.ErrOrStderr(), "caisson: "+oneLine(err))
		if f, ok := errors.AsType[failure](err); ok {
			return f.status
		}
		return exitFailure
	}
	return 0
}

// failure is an error of Caisson's that ends the program with a status of its own.
type failure struct {
	error
	status int
}

func (f failure) Unwrap() error { return f.error }

// failWith gives every error of a command, mistakes in its call among them, an exit status of its own.
func failWith(code int, cmd *cobra.Command) *cobra.Command {
	fail := func(err error) error {
		if _, said := errors.AsType[status](err); err == nil || said {
			return err
		}
		return failure{err, code}
	}
	args, run := cmd.Args, cmd.RunE
	cmd.Args = func(cmd *cobra.Command, list []string) error { return fail(args(cmd, list)) }
	cmd.RunE = func(cmd *cobra.Command, list []string) error { return fail(run(cmd, list)) }
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return fail(flagError(cmd, err)) })
	return cmd
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "caisson",
		Short:         "Run untrusted code in sandboxes",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetFlagErrorFunc(flagError)
	root.AddCommand(newRun(), newDoctor(), newRuntimes(), newConformance(), newDiff(), newSessions(), newGC(), newVersion())
	return root
}

// onlyBelow is the command of one that does nothing itself: it shows its help, and refuses what is none of its own.
func onlyBelow(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return flagError(cmd, fmt.Errorf("unknown command %q for %q", args[0], cmd.CommandPath()))
	}
	return cmd.Help()
}

func flagError(cmd *cobra.Command, err error) error {
	return fmt.Errorf("%w (see %s --help)", err, cmd.CommandPath())
}

// oneLine returns the text of err without line breaks.
func oneLine(err error) string {
	return strings.Join(strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' || r == '\r' }), "; ")
}
