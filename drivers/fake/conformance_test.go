package fake_test

import (
	"context"
	"testing"

	"github.com/caisson-dev/caisson/conformance"
	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/drivers/fake"
	"github.com/caisson-dev/caisson/drivers/internal/drivertest"
)

// TestConformance runs the whole suite, which every driver must pass.
func TestConformance(t *testing.T) {
	driver := fake.New(nil)
	results := conformance.Run(t, &conformance.Harness{
		Name:         "fake",
		Open:         func(context.Context) (core.Driver, error) { return driver, nil },
		Spec:         core.Spec{Runtime: &core.Runtime{Image: "debian:bookworm"}},
		MissingImage: "missing/image:latest",
		Another:      func(context.Context) (core.Driver, error) { return driver.Sibling(), nil },
		Lose: func(_ context.Context, id string) error {
			driver.Lose(id)
			return nil
		},
		Census: func(_ context.Context, owner string) ([]string, error) { return driver.Owned(owner), nil },
	})
	drivertest.Skips(t, results)
}
