package sessions

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/caisson-dev/caisson/core"
)

// CleanupIdle ends the sessions that have gone without a call for longer than
// maxIdle; if that is 0, than their own IdleTimeout, or else the manager's. A
// session with a call under way is not idle. It keeps files unless sessions are
// Ephemeral. What could not be ended before is ended now, in the way that was
// wanted then. It returns how many it has ended, and the errors of the others
// joined. After Shutdown, which waits for calls, it does nothing.
func (m *Manager) CleanupIdle(ctx context.Context, maxIdle time.Duration) (int, error) {
	var flights []*flight
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return 0, nil
	}
	for _, sl := range m.slots {
		// Decided with both locks held, so no call begins and nobody is given the session in between.
		if sl.flight == nil && (sl.doomed || sl.session.expire(maxIdle, m.options.IdleTimeout)) {
			flights = append(flights, m.endFlight(ctx, sl, ReasonIdle))
		}
	}
	m.mu.Unlock()
	n := 0
	var failed []error
	for _, f := range flights {
		select {
		case <-f.done:
		case <-ctx.Done():
			return n, errors.Join(append(failed, core.Complete(core.Ended(ctx), core.Error{Op: "cleanup"}))...)
		}
		if f.ended {
			n++
		}
		failed = append(failed, f.err)
	}
	return n, errors.Join(failed...)
}

// cleanup is the clean-up in the background.
type cleanup struct {
	cancel context.CancelFunc
	done   chan struct{}
}

// StartCleanup adopts what another process of this Owner has left, and then
// ends idle sessions and removes leftovers, at once and every interval; 0 means
// DefaultCleanupInterval. A pass that fails is logged, and the next one tries
// again. It does nothing if the clean-up runs already or the manager is shut down.
func (m *Manager) StartCleanup(interval time.Duration) {
	if interval <= 0 {
		interval = DefaultCleanupInterval
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.cleanup != nil || m.closed {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	c := &cleanup{cancel: cancel, done: make(chan struct{})}
	m.cleanup = c
	go func() { // StopCleanup waits for it
		defer close(c.done)
		m.keepClean(ctx, interval)
	}()
}

// StopCleanup ends what StartCleanup has started and waits for it. It may be called again and again.
func (m *Manager) StopCleanup() {
	m.mu.Lock()
	c := m.cleanup
	m.cleanup = nil
	m.mu.Unlock()
	if c != nil {
		c.cancel()
		<-c.done
	}
}

func (m *Manager) keepClean(ctx context.Context, interval time.Duration) {
	if _, err := m.Adopt(ctx); err != nil && ctx.Err() == nil {
		m.log.WarnContext(ctx, "sandboxes not adopted", "error", err)
	}
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for ctx.Err() == nil {
		n, idleErr := m.CleanupIdle(ctx, 0)
		collectErr := m.collect(ctx)
		if err := errors.Join(idleErr, collectErr); err != nil && ctx.Err() == nil {
			m.log.WarnContext(ctx, "cleanup failed", "ended", n, "error", err)
		} else if n > 0 {
			m.log.DebugContext(ctx, "cleanup", "ended", n)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// collect removes what nobody will: of every owner what has outlived its lease,
// and of this one the files of warm sandboxes that nobody has claimed.
func (m *Manager) collect(ctx context.Context) error {
	collector, ok := core.AsDriver[core.Collector](m.driver)
	if !ok {
		return nil
	}
	_, err := collector.Collect(ctx, &core.CollectOptions{Keep: m.holds})
	pooled := m.linker != nil && (!m.anonymous || len(m.pools) > 0)
	if m.files == nil || !pooled && !m.options.Ephemeral {
		return err
	}
	_, unclaimedErr := collector.Collect(ctx, &core.CollectOptions{Owner: m.owner, Workspaces: true, Keep: m.keepsUnlessUnclaimed(ctx)})
	return errors.Join(err, unclaimedErr)
}

// holds reports whether a leftover is a session's: one whose sandbox has died is
// ended by who next asks for it, or by idle clean-up.
func (m *Manager) holds(l core.Leftover) bool {
	if l.Owner != m.owner {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, sl := range m.slots {
		if sl.flight != nil && l.Workspace == workspaceOf(id) || sl.session != nil && sl.session.sandboxID == l.ID {
			return true
		}
	}
	return false
}

// keepsUnlessUnclaimed returns what saves all but the workspaces of warm
// sandboxes that are gone and that no session has claimed, and those of sessions
// whose files were to end with sandboxes that are gone. Links are looked up
// only when something unused was found: from then on nobody can claim it.
func (m *Manager) keepsUnlessUnclaimed(ctx context.Context) func(core.Leftover) bool {
	claims := sync.OnceValues(func() (map[string]string, error) { return m.claims(ctx) })
	return func(l core.Leftover) bool {
		warm, ephemeral := strings.HasPrefix(l.Workspace, poolPrefix), m.options.Ephemeral
		_, session := idOf(l.Workspace)
		if l.Kind != core.LeftoverWorkspace || !warm && (!session || !ephemeral) {
			return true
		}
		claimed, err := claims()
		if err != nil {
			return true
		}
		if warm {
			return claimed[l.Workspace] != "" && !ephemeral
		}
		return m.holds(l) || linked(claimed)[l.Workspace]
	}
}
