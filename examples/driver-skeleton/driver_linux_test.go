package skeleton_test

import (
	"context"
	"testing"

	"github.com/caisson-dev/caisson/conformance"
	"github.com/caisson-dev/caisson/core"
	skeleton "github.com/caisson-dev/caisson/examples/driver-skeleton"
)

func TestConformance(t *testing.T) {
	conformance.Run(t, &conformance.Harness{
		Open: func(context.Context) (core.Driver, error) { return skeleton.Open(), nil },
		Spec: core.Spec{Runtime: &core.Runtime{Image: "host"}},
	})
}
