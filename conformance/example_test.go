package conformance_test

import (
	"context"
	"fmt"
	"regexp"
	"testing"

	"github.com/caisson-dev/caisson/conformance"
	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/drivers/fake"
)

// A driver's own test needs no more than how to open it and what to start.
func ExampleRun() {
	_ = func(t *testing.T) {
		conformance.Run(t, &conformance.Harness{
			Name: "my driver",
			Open: func(ctx context.Context) (core.Driver, error) { return core.Open(ctx, "mine:") },
			Spec: core.Spec{Runtime: &core.Runtime{Image: "debian:bookworm"}},
		})
	}
}

// A program runs the suite, or a part of it, and reads the report.
func ExampleCheck() {
	report, err := conformance.Check(context.Background(), &conformance.Harness{
		Name: "fake",
		Open: func(context.Context) (core.Driver, error) { return fake.New(nil), nil },
		Spec: core.Spec{Runtime: &core.Runtime{Image: "debian:bookworm"}},
	}, &conformance.Options{Run: regexp.MustCompile(`^execute/exit`)})
	if err != nil {
		panic(err)
	}
	for _, r := range report.Results {
		fmt.Println(r.Status, r.ID)
	}
	fmt.Println("conformant:", report.Conformant)
	// Output:
	// pass execute/exit-codes
	// conformant: true
}

// What a script makes of two drivers, side by side.
func ExampleDiff() {
	harness := func(kind string) *conformance.Harness {
		return &conformance.Harness{
			Open: func(context.Context) (core.Driver, error) { return fake.New(nil), nil },
			Spec: core.Spec{Runtime: &core.Runtime{Image: "debian:bookworm", Env: map[string]string{"KIND": kind}}},
		}
	}
	found, err := conformance.Diff(context.Background(), harness("one"), harness("other"), `echo "I am $KIND"; exit 3`)
	if err != nil {
		panic(err)
	}
	for _, d := range found.Differences {
		fmt.Printf("%s: %s, %s\n", d.What, d.A, d.B)
	}
	// Output:
	// script: stdout: "I am one\n", "I am other\n"
	// script: both in order: "I am one\n", "I am other\n"
}
