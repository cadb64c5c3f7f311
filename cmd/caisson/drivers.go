package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/spf13/pflag"

	"github.com/caisson-dev/caisson/core"
	_ "github.com/caisson-dev/caisson/drivers/docker" // each registers its scheme
	_ "github.com/caisson-dev/caisson/drivers/fake"
	_ "github.com/caisson-dev/caisson/drivers/podman"
)

// driverEnv names the driver to use when no flag does.
const driverEnv = "CAISSON_DRIVER"

const (
	autoURL = "auto:"
	fakeURL = "fake:"
)

func driverFlag(flags *pflag.FlagSet, url *string) {
	flags.StringVar(url, "driver", "", "URL of the driver: auto:, docker:, podman:, fake: (default $"+driverEnv+", else auto:)")
}

// driverNamed returns the URL of the driver that the flag or the environment names, if one does.
func driverNamed(flag string) string { return cmp.Or(flag, os.Getenv(driverEnv)) }

// openDriver returns the driver of a URL, with none given that of the engine that answers.
func openDriver(ctx context.Context, url string) (core.Driver, error) {
	return core.Open(ctx, cmp.Or(driverNamed(url), autoURL))
}

// openAnyDriver is openDriver for what has an effect in a sandbox alone: without
// an engine it takes the fake, and says so to notices.
func openAnyDriver(ctx context.Context, url string, notices io.Writer) (core.Driver, error) {
	drv, err := openDriver(ctx, url)
	if driverNamed(url) == "" && core.CodeOf(err) == core.ErrUnavailable && slices.Contains(core.Schemes(), "fake") {
		fmt.Fprintln(notices, "caisson: no container engine answers (caisson doctor says why); using the fake, which imitates a shell in memory and has no Python")
		return core.Open(ctx, fakeURL)
	}
	return drv, err
}
