// Command caisson-guest is the helper that lives in every sandbox, and stands by while one is started
// or an image is built.
//
//	caisson-guest keeper [-lease D] [-claim ID]  PID 1: reaps orphans, ends when no heartbeat came for D; ID's from the start
//	caisson-guest renew [-claim ID [-from OLD]]  a heartbeat to the keeper; with an ID it takes the claim as well
//	caisson-guest status                         prints the keeper's claim, its lease and the age of the last heartbeat
//	caisson-guest runner [-alone]                serves calls on its standard input and output
//	caisson-guest guard SOCKET WHAT LABEL        on the host: removes what a start or a build has left that a death cut off
//	caisson-guest relay SOCKET                   on the host: carries a build to Podman, and ends it if it is cut off by a death
//
// renew and status are for the keeper's own user. A claim is taken if it is
// free, the same ID's already, or OLD's; otherwise renew exits with 3. Both
// print three lines: "claim ID", "lease D" and "renewed D", in Go's notation of durations.
//
// With -alone the runner first kills every other process of its user, which an
// earlier runner may have left. It is for a sandbox, where nothing else of that
// user lives; never give it to a runner on a host.
package main

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/caisson-dev/caisson/guest/linux"
	"github.com/caisson-dev/caisson/guest/runner"
)

const exitConflict = 3

func main() {
	err := run(os.Args[1:])
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, "caisson-guest:", err)
	if errors.Is(err, errConflict) {
		os.Exit(exitConflict)
	}
	os.Exit(1)
}

var errUsage = errors.New("usage: caisson-guest keeper [-lease D] [-claim ID] | renew [-claim ID [-from OLD]] | status | runner [-alone] | guard SOCKET start|images LABEL | relay SOCKET")

func run(args []string) error {
	role := ""
	if len(args) > 0 {
		role, args = args[0], args[1:]
	}
	switch {
	case role == "keeper":
		return keeper(args)
	case role == "renew":
		return renew(args)
	case role == "status" && len(args) == 0:
		return ask("status")
	case role == "runner" && len(args) == 0:
		return serve(linux.Options{})
	case role == "runner" && len(args) == 1 && args[0] == "-alone":
		return serve(linux.Options{Alone: true})
	case role == "guard" && len(args) == 3 && args[0] != "" && (args[1] == guardStart || args[1] == guardImages):
		return guard(args[0], args[1], args[2])
	case role == "relay" && len(args) == 1 && args[0] != "":
		return relay(args[0])
	default:
		return errUsage
	}
}

func keeper(args []string) error {
	lease, id := "0s", ""
	args = option(option(args, "-lease", &lease), "-claim", &id)
	d, err := time.ParseDuration(lease)
	if err != nil || d < 0 || len(args) > 0 {
		return errUsage
	}
	return keep(d, id)
}

func renew(args []string) error {
	id, from := "", ""
	args = option(option(args, "-claim", &id), "-from", &from)
	if len(args) > 0 || id == "" && from != "" {
		return errUsage
	}
	return ask("renew", id, from)
}

// option reads an option and its value, if that is what args begin with, and returns what follows.
func option(args []string, name string, value *string) []string {
	if len(args) < 2 || args[0] != name || !validClaim(args[1]) {
		return args
	}
	*value = args[1]
	return args[2:]
}

func serve(opts linux.Options) error {
	sys, err := linux.New(opts)
	if err != nil {
		return err
	}
	err = runner.Serve(stdio(), sys)
	return errors.Join(err, sys.Close())
}

// pipeSize is how much a standard pipe is to hold, in bytes. With the usual 64
// KiB a long transfer wakes the engine's copying processes twice as often. What
// all pipes of a user hold is bounded, so it is not more.
const pipeSize = 256 << 10

// stream joins standard input and output. Both go through the poller, so that
// Close wakes a Read that waits and a slow host holds no thread.
type stream struct{ in, out *os.File }

func stdio() *stream {
	_ = syscall.SetNonblock(0, true) // one that cannot be is read with a thread
	_ = syscall.SetNonblock(1, true)
	for fd := range uintptr(2) { // one that is no pipe, or may not grow, stays as it is
		_, _ = unix.FcntlInt(fd, unix.F_SETPIPE_SZ, pipeSize)
	}
	return &stream{in: os.NewFile(0, "stdin"), out: os.NewFile(1, "stdout")}
}

func (s *stream) Read(p []byte) (int, error)  { return s.in.Read(p) }
func (s *stream) Write(p []byte) (int, error) { return s.out.Write(p) }
func (s *stream) Close() error                { return errors.Join(s.in.Close(), s.out.Close()) }
