// Command caisson-guest is the helper that lives in every sandbox.
//
//	caisson-guest keeper          PID 1: reaps orphans until it is told to end
//	caisson-guest runner [-alone] serves calls on its standard input and output
//
// With -alone the runner first kills every other process of its user, which an
// earlier runner may have left. It is for a sandbox, where nothing else of that
// user lives; never give it to a runner on a host.
package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"

	"github.com/caisson-dev/caisson/guest/linux"
	"github.com/caisson-dev/caisson/guest/runner"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "caisson-guest:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case slices.Equal(args, []string{"keeper"}):
		return keep()
	case slices.Equal(args, []string{"runner"}):
		return serve(linux.Options{})
	case slices.Equal(args, []string{"runner", "-alone"}):
		return serve(linux.Options{Alone: true})
	default:
		return errors.New("usage: caisson-guest keeper | runner [-alone]")
	}
}

func serve(opts linux.Options) error {
	sys, err := linux.New(opts)
	if err != nil {
		return err
	}
	err = runner.Serve(stdio(), sys)
	return errors.Join(err, sys.Close())
}

// stream joins standard input and output. Both go through the poller, so that
// Close wakes a Read that waits and a slow host holds no thread.
type stream struct{ in, out *os.File }

func stdio() *stream {
	_ = syscall.SetNonblock(0, true) // one that cannot be is read with a thread
	_ = syscall.SetNonblock(1, true)
	return &stream{in: os.NewFile(0, "stdin"), out: os.NewFile(1, "stdout")}
}

func (s *stream) Read(p []byte) (int, error)  { return s.in.Read(p) }
func (s *stream) Write(p []byte) (int, error) { return s.out.Write(p) }
func (s *stream) Close() error                { return errors.Join(s.in.Close(), s.out.Close()) }
