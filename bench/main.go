// Command bench measures what a call through Caisson costs against the same
// through the engine's own API, in one run on one sandbox, and fails if a ratio
// is worse than it is meant to be.
//
//	go run ./bench [-engines docker,podman] [-image IMAGE] [-rounds N]
//
// It needs an image with a POSIX shell and python3.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"

	"github.com/caisson-dev/caisson/core"
	_ "github.com/caisson-dev/caisson/drivers/docker"
	_ "github.com/caisson-dev/caisson/drivers/podman"
)

func main() {
	engines := flag.String("engines", "docker,podman", "engines to measure; an address may follow, as in docker:///run/docker.sock")
	image := flag.String("image", "caisson-test/base:latest", "image of the sandbox")
	rounds := flag.Int("rounds", 100, "calls of each kind")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var failed []error
	for _, engine := range strings.Split(*engines, ",") {
		if !strings.Contains(engine, ":") {
			engine += ":"
		}
		if err := measure(ctx, engine, *image, *rounds); err != nil {
			failed = append(failed, fmt.Errorf("%s %w", engine, err))
		}
	}
	if err := errors.Join(failed...); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1) //nolint:gocritic // what is deferred only gives back a signal handler
	}
}

// subject is what is measured: one sandbox, and the engine's API beside it.
type subject struct {
	*core.Sandbox
	raw    *raw
	rounds int
	docker bool
	failed []error
}

func measure(ctx context.Context, url, image string, rounds int) (err error) {
	drv, err := core.Open(ctx, url)
	if err != nil {
		return err
	}
	defer drv.Close()
	info, err := drv.Info(ctx)
	if err != nil {
		return err
	}
	sb, err := core.Start(ctx, drv, &core.Spec{Runtime: &core.Runtime{Image: image}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sb.Stop(context.WithoutCancel(ctx))) }()
	described, err := sb.Unwrap().(core.Informer).Info(ctx)
	if err != nil {
		return err
	}
	s := &subject{Sandbox: sb, raw: newRaw(info.Endpoint, described.ID), rounds: rounds, docker: info.Driver == "docker"}
	fmt.Printf("\n%s %s\n%-34s %12s %12s %9s   %s\n", info.Engine, info.Version, "", "caisson", "engine", "ratio", "wanted")
	for _, part := range []func(context.Context) error{s.commands, s.smallFiles, s.bigFiles, s.memory} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	return errors.Join(s.failed...)
}

// row prints a figure and what it is compared with, and remembers if it is not as wanted.
func (s *subject) row(what, ours, theirs, ratio, wanted string, ok bool) {
	mark := ""
	if !ok {
		mark = "  MISSED"
		s.failed = append(s.failed, fmt.Errorf("%s: %s, wanted %s", what, ratio, wanted))
	}
	fmt.Printf("%-34s %12s %12s %9s   %s%s\n", what, ours, theirs, ratio, wanted, mark)
}
