package sessions

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/caisson-dev/caisson/core"
)

// Adopt takes over the sandboxes that another process of this Owner has left
// running, with their files, as sessions of this manager, as far as MaxSessions
// allows. A process that still holds one loses it. Sandboxes that were started
// from something else than this manager starts them from are left: their leases
// end them, or GetOrCreate does, which keeps their files. It returns how many
// sessions it has adopted. StartCleanup calls it first; without it GetOrCreate
// adopts one at a time.
func (m *Manager) Adopt(ctx context.Context) (int, error) {
	attacher, ok := core.AsDriver[core.Attacher](m.driver)
	if !ok || m.files == nil || m.anonymous || m.options.DefaultRuntime == nil {
		return 0, nil
	}
	records, err := attacher.Sandboxes(ctx, m.owner)
	if err != nil {
		return 0, err
	}
	claims, err := m.claims(ctx)
	if err != nil {
		return 0, err
	}
	var flights []*flight
	var unclaimed []string
	for i := range records {
		r := &records[i]
		id, link := claims[r.Workspace], ""
		if id != "" {
			link = workspaceOf(id)
		} else if id, ok = idOf(r.Workspace); !ok {
			if strings.HasPrefix(r.Workspace, poolPrefix) && !m.ownWarm(r.Workspace) {
				unclaimed = append(unclaimed, r.ID) // nobody knows what has happened to them
			}
			continue
		}
		if !r.Running {
			continue
		}
		if f := m.adopt(ctx, id, link, r); f != nil {
			flights = append(flights, f)
		}
	}
	n := 0
	failed := []error{m.remove(ctx, unclaimed...)}
	for _, f := range flights {
		select {
		case <-f.done:
		case <-ctx.Done():
			return n, errors.Join(append(failed, core.Complete(core.Ended(ctx), core.Error{Op: "adopt"}))...)
		}
		if f.err == nil {
			n++
		} else if !final(f.err) {
			failed = append(failed, f.err)
		}
	}
	return n, errors.Join(failed...)
}

// claims returns whose the workspaces of sandboxes that were claimed warm are.
func (m *Manager) claims(ctx context.Context) (map[string]string, error) {
	claims := make(map[string]string)
	if m.linker == nil {
		return claims, nil
	}
	links, err := m.linker.Links(ctx, m.owner)
	if err != nil {
		return nil, err
	}
	for name, target := range links {
		if id, ok := idOf(name); ok {
			claims[target] = id
		}
	}
	return claims, nil
}

// adopt starts to take over a sandbox. It returns nil if its session is there already or there is no room.
func (m *Manager) adopt(ctx context.Context, id, link string, r *core.Record) *flight {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed || m.slots[id] != nil || m.full() {
		return nil
	}
	sl := m.place(id, true)
	return m.fly(ctx, sl, func(ctx context.Context, _ *flight) error {
		ctx, cancel := m.untilClosing(ctx)
		defer cancel()
		began := time.Now()
		want := &request{runtime: m.options.DefaultRuntime}
		ctx, span := m.telemetry.start(ctx, "sessions.adopt", id)
		sb, err := core.Attach(ctx, m.driver, r.ID, m.spec(want.runtime, r.Workspace, r.Labels))
		if err == nil {
			if err = m.syncIn(ctx, id, sb, true); err != nil {
				err = joinError(err, sb.Stop(ctx))
			}
		}
		took := time.Since(began)
		from := origin{adopted: true, link: link}
		m.telemetry.created(ctx, span, from, err, took)
		if err != nil {
			m.log.DebugContext(ctx, "sandbox not adopted", "session", id, "sandbox", r.ID, "error", err)
			return err
		}
		s := m.newSession(ctx, id, sb, from, want, took)
		return m.settle(ctx, sl, s)
	})
}

// ownWarm reports whether a workspace was made warm by this manager.
func (m *Manager) ownWarm(workspace string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.warmed[workspace]
}
