package main

import (
	"strings"
	"sync"
	"time"
)

// A claim says whose the sandbox is and until when. It is the one piece of
// state that the owners of a sandbox share, because the labels of a container
// cannot change. It may be used by many goroutines at once.
type claim struct {
	lease time.Duration // 0: the sandbox lives until it is removed
	timer *time.Timer   // fires when the lease has passed; nil without one

	mu      sync.Mutex
	holder  string
	renewed time.Time // last heartbeat, monotonic
}

func newClaim(lease time.Duration, holder string) *claim {
	c := &claim{lease: lease, holder: holder, renewed: time.Now()}
	if lease > 0 {
		c.timer = time.NewTimer(lease)
	}
	return c
}

// passed is sent to when the lease has passed.
func (c *claim) passed() <-chan time.Time {
	if c.timer == nil {
		return nil
	}
	return c.timer.C
}

// renew begins the lease anew. With an id it also takes the claim, and reports
// false and changes nothing unless that is free, id's already, or from's.
func (c *claim) renew(id, from string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if id != "" {
		if c.holder != "" && c.holder != id && c.holder != from {
			return false
		}
		c.holder = id
	}
	c.renewed = time.Now()
	if c.timer != nil {
		c.timer.Reset(c.lease)
	}
	return true
}

// String is what the status role prints: a line each for the holder, the
// lease (0s: none) and the time since the last heartbeat.
func (c *claim) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return "claim " + c.holder + "\nlease " + c.lease.String() + "\nrenewed " + time.Since(c.renewed).Round(time.Millisecond).String() + "\n"
}

// maxClaim is the longest id of a holder, in bytes.
const maxClaim = 128

// validClaim reports whether id can be that of a holder: printable ASCII without a space.
func validClaim(id string) bool {
	return id != "" && len(id) <= maxClaim && strings.IndexFunc(id, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
}
