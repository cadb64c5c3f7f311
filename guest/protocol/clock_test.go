package protocol

import (
	"net"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// steppedClock tells the time by a wall clock that somebody sets, which leaves the monotonic one as it is.
type steppedClock struct{ by atomic.Int64 } // seconds

func (c *steppedClock) now() time.Time {
	t := time.Now()
	// A time with a monotonic reading has the wall clock's seconds above 30 bits of nanoseconds.
	*(*uint64)(unsafe.Pointer(&t)) += uint64(c.by.Load()) << 30
	return t
}

func TestSilenceKnowsNoStepOfTheClock(t *testing.T) {
	var clock steppedClock
	a, b := net.Pipe()
	host := newConn(a, nil, clock.now)
	defer host.Close()
	defer b.Close()
	for _, step := range []int64{61, -61, 86400} {
		before := clock.now()
		clock.by.Add(step)
		require.InDelta(t, step, clock.now().Unix()-before.Unix(), 2, "the clock was set")
		require.Less(t, host.Silence().Abs(), 30*time.Second)
	}
}
