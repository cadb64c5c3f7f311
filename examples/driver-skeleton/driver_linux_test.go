package skeleton_test

import (
	"context"
	"testing"

	skeleton "github.com/caisson-dev/caisson/examples/driver-skeleton"

	"github.com/caisson-dev/caisson/conformance"
	"github.com/caisson-dev/caisson/core"
)

func TestConformance(t *testing.T) {
	conformance.Run(t, &conformance.Harness{
		Open: func(context.Context) (core.Driver, error) { return skeleton.Open() },
		Spec: core.Spec{
			Runtime: &core.Runtime{Image: "host"},
			Allow:   []core.Weakening{core.WeakenCPU, core.WeakenMemory, core.WeakenPIDs, core.WeakenSeccomp},
		},
	})
}
