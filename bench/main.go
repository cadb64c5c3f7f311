// Command bench measures what a call through Caisson costs against the same
// through the engine's own API, in turns on one sandbox, and fails if a ratio
// is worse than it is meant to be although the engine's stream could carry it.
//
//	go run ./bench [-engines docker,podman] [-image IMAGE] [-rounds N] [-transfers N] [-size MIB]
//
// It needs an image with a POSIX shell, perl and python3. See docs/performance.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/caisson-dev/caisson/core"
	_ "github.com/caisson-dev/caisson/drivers/docker"
	_ "github.com/caisson-dev/caisson/drivers/podman"
)

func main() {
	engines := flag.String("engines", "docker,podman", "engines to measure; an address may follow, as in docker:///run/docker.sock")
	image := flag.String("image", "caisson-test/base:latest", "image of the sandbox")
	var opts options
	flag.IntVar(&opts.rounds, "rounds", 100, "rounds of short calls; ten of Caisson's are one of the engine's")
	flag.IntVar(&opts.transfers, "transfers", 5, "large transfers of each kind")
	flag.IntVar(&opts.size, "size", 256, "MiB of a large transfer")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var failed []error
	for _, engine := range strings.Split(*engines, ",") {
		if !strings.Contains(engine, ":") {
			engine += ":"
		}
		if err := measure(ctx, engine, *image, opts); err != nil {
			failed = append(failed, fmt.Errorf("%s %w", engine, err))
		}
	}
	if err := errors.Join(failed...); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1) //nolint:gocritic // what is deferred only gives back a signal handler
	}
}

type options struct{ rounds, transfers, size int }

// subject is what is measured: one sandbox, and the engine's API beside it.
type subject struct {
	*core.Sandbox
	*table
	options
	driver core.Driver
	raw    *raw
	docker bool
}

func measure(ctx context.Context, url, image string, opts options) (err error) {
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
	s := &subject{
		Sandbox: sb, table: newTable(os.Stdout, info.Engine+" "+info.Version), options: opts,
		driver: drv, raw: newRaw(info.Endpoint, described.ID), docker: info.Driver == "docker",
	}
	for _, part := range []func(context.Context) error{s.commands, s.smallFiles, s.bigFiles, s.memory, s.prepare} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	return errors.Join(s.failed...)
}
