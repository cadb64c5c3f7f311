package drivertest

import (
	"context"
	"net/http"
	"regexp"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/conformance"
	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/internal/enginetest"
)

// harness is the conformance suite's way to the tests' engine of the scheme.
func harness(t *testing.T, scheme string) *conformance.Harness {
	t.Helper()
	open := func(ctx context.Context) (core.Driver, error) { return core.Open(ctx, enginetest.URL(t, scheme)) }
	return &conformance.Harness{
		Name:    scheme,
		Open:    open,
		Another: open,
		Spec:    core.Spec{Runtime: &core.Runtime{Image: enginetest.Image()}},
		Census: func(_ context.Context, owner string) ([]string, error) {
			return enginetest.Objects(t, scheme, core.LabelPrefix+".owner="+owner), nil
		},
		Lose: func(_ context.Context, id string) error {
			enginetest.Container(t, scheme, http.MethodPost, id, "kill")
			return nil
		},
	}
}

// Conformance runs the whole suite on the tests' engine of the scheme.
func Conformance(t *testing.T, scheme string) {
	t.Helper()
	if testing.Short() {
		t.Skip("takes minutes; run without -short")
	}
	Skips(t, conformance.Run(t, harness(t, scheme)))
}

// ConformanceTwice runs a part of the suite twice at once on one engine. Neither run may notice the other.
func ConformanceTwice(t *testing.T, scheme string) {
	t.Helper()
	if testing.Short() {
		t.Skip("takes a minute; run without -short")
	}
	part := regexp.MustCompile(`^(execute|streams)/[a-m]|^kill/timeout-|^files/[a-o]|^(lifecycle|attach|workspace|collect)/`)
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			rep, err := conformance.Check(t.Context(), harness(t, scheme), &conformance.Options{Level: conformance.Extended, Run: part, Parallel: 6})
			if err != nil {
				t.Error(err)
				return
			}
			for _, res := range rep.Failed() {
				t.Errorf("%s: %s %s %q", res.ID, res.Status, res.Reason, res.Failures)
			}
			if !rep.Conformant {
				t.Errorf("%s; left %q", rep.Summary(), rep.Leftovers)
			}
		})
	}
	both.Wait()
	require.False(t, t.Failed())
}
