package conformance

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/caisson-dev/caisson/core"
)

type stopCounter struct {
	Sandbox
	stops atomic.Int64
}

func (s *stopCounter) Stop(context.Context) error {
	s.stops.Add(1)
	return nil
}

type closable struct{ core.Driver }

func (closable) Close() error { return nil }

// TestTheSharedSandboxIsStoppedOnce when a case that hung gives it back while
// the run ends. It needs the race detector, which sees what is seldom too late.
func TestTheSharedSandboxIsStoppedOnce(t *testing.T) {
	for range 5000 {
		sb := new(stopCounter)
		s := &shared{Sandbox: sb, users: 1}
		r := &run{harness: new(Harness), driver: closable{}, shared: s}
		var both sync.WaitGroup
		both.Go(func() { _ = r.release(t.Context(), s, true) })
		both.Go(func() { _, _ = r.close(t.Context()) })
		both.Wait()
		if !assert.EqualValues(t, 1, sb.stops.Load()) {
			return
		}
	}
}
