package sessions

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/caisson-dev/caisson/core"
)

// Release ends the session with the id, its running calls with ErrStopped, and
// removes its files, also those of a session that hibernates. It reports whether
// a session was live; releasing what is not there is no error. If it fails, the
// session is released all the same by whatever comes next: Release again, a
// clean-up, Shutdown, or GetOrCreate, which gives nobody the files.
func (m *Manager) Release(ctx context.Context, id string) (bool, error) {
	if err := checkID(id); err != nil {
		return false, err
	}
	return m.end(ctx, id, nil, ReasonReleased)
}

// Hibernate ends the session with the id, its running calls with ErrStopped,
// and keeps its files; processes and what is not in the work directory end. The
// next GetOrCreate finds the files. It does nothing if no such session lives. It
// returns ErrUnsupported if files are not kept.
func (m *Manager) Hibernate(ctx context.Context, id string) error {
	if err := checkID(id); err != nil {
		return err
	}
	if !m.keeps() {
		return core.Errorf(core.ErrUnsupported, "hibernate", "files end with their sandboxes: the options or the driver say so")
	}
	_, err := m.end(ctx, id, nil, ReasonHibernated)
	return err
}

// keeps reports whether files outlive sandboxes.
func (m *Manager) keeps() bool { return m.files != nil && !m.options.Ephemeral }

// Shutdown ends the manager: it refuses new calls, waits until those under way
// have ended or ctx has, and then ends every session. Files are kept for the
// next process with this Owner, if there is one. It returns how many sessions it
// has ended, and the errors of the others joined; called again, it tries those again.
func (m *Manager) Shutdown(ctx context.Context) (int, error) {
	m.mu.Lock()
	m.closed = true
	var ids []string
	var sessions []*Session
	for id, sl := range m.slots {
		ids = append(ids, id)
		if sl.session != nil {
			sl.session.close(core.ErrStopped, ReasonShutdown)
			sessions = append(sessions, sl.session)
		}
	}
	m.mu.Unlock()
	m.close() // ends creations
	m.StopCleanup()
	for _, s := range sessions {
		s.drain(ctx)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	var all sync.WaitGroup
	ended, failed := make([]bool, len(ids)), make([]error, len(ids))
	for i, id := range ids {
		all.Go(func() { ended[i], failed[i] = m.end(ctx, id, nil, ReasonShutdown) })
	}
	poolErr := m.closePools(ctx)
	all.Wait()
	failed = append(failed, poolErr, m.removeAnonymous(ctx))
	n := 0
	for _, yes := range ended {
		if yes {
			n++
		}
	}
	return n, errors.Join(failed...)
}

// removeAnonymous removes the files of every session if no process will ever have
// this owner again: also of those that were idle, or whose creation has failed.
func (m *Manager) removeAnonymous(ctx context.Context) error {
	collector, ok := core.AsDriver[core.Collector](m.driver)
	if !ok || !m.anonymous || m.files == nil {
		return nil
	}
	_, err := collector.Collect(ctx, &core.CollectOptions{
		Owner: m.owner, Workspaces: true, MinAge: anyAge,
		Keep: func(l core.Leftover) bool { return l.Kind != core.LeftoverWorkspace },
	})
	return err
}

// shutdownTimeout bounds what Shutdown does after it has waited for calls.
const shutdownTimeout = 2 * time.Minute

// end ends the session with the id, if it is only or only is nil, and waits for
// that; it goes on if ctx ends. It reports whether it has ended a session.
func (m *Manager) end(ctx context.Context, id string, only *Session, why Reason) (bool, error) {
	for {
		f, mine := m.endSlot(ctx, id, only, why)
		if f == nil {
			return false, nil
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			return false, core.Complete(core.Ended(ctx), core.Error{Op: "end"})
		}
		if mine {
			return f.ended, f.err
		}
	}
}

// endSlot starts to end what is in a slot, or returns what else is under way there. It returns nil if there is nothing to end.
func (m *Manager) endSlot(ctx context.Context, id string, only *Session, why Reason) (f *flight, mine bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	sl := m.slots[id]
	switch {
	case sl == nil && only == nil && why == ReasonReleased && m.files != nil:
		sl = m.place(id, false) // so that nobody wakes the session meanwhile
	case sl == nil:
		return nil, false
	case sl.flight != nil:
		return sl.flight, false
	case only != nil && sl.session != only:
		return nil, false
	}
	return m.endFlight(ctx, sl, why), true
}

// endFlight starts to end what is in a slot. The lock is held.
func (m *Manager) endFlight(ctx context.Context, sl *slot, why Reason) *flight {
	s := sl.session
	if s == nil {
		sl.doomed = true
		return m.fly(ctx, sl, func(ctx context.Context, _ *flight) error { return m.forget(ctx, sl) })
	}
	why = s.close(core.ErrStopped, why)
	return m.fly(ctx, sl, func(ctx context.Context, f *flight) error {
		err := m.retire(ctx, sl, why)
		f.ended = err == nil
		return err
	})
}

// retire ends the session of a slot, which is closed, and empties the slot. If
// that fails the session stays there, to be ended later.
func (m *Manager) retire(ctx context.Context, sl *slot, why Reason) error {
	m.mu.Lock()
	s := sl.session
	m.mu.Unlock()
	began := time.Now()
	ctx, span := m.telemetry.start(ctx, "sessions.end", s.id)
	m.ending <- struct{}{}
	kept, err := m.takeDown(ctx, s, why)
	<-m.ending
	m.telemetry.ended(ctx, span, why, err)
	e := Event{Session: s.id, Sandbox: s.sandboxID, Reason: why, Kept: kept, Duration: time.Since(began), Err: err}
	if err != nil {
		m.log.WarnContext(ctx, "session not ended", "session", s.id, "sandbox", s.sandboxID, "reason", why, "error", err)
		call(ctx, m.options.Hooks.Failed, e)
		return err
	}
	m.mu.Lock()
	sl.session = nil
	if kept && len(m.pools) > 0 { // nobody else asks
		m.kept[s.id] = true
	} else {
		delete(m.kept, s.id)
	}
	m.mu.Unlock()
	m.log.DebugContext(ctx, "session ended", "session", s.id, "sandbox", s.sandboxID, "reason", why, "kept", kept)
	if why == ReasonIdle {
		call(ctx, m.options.Hooks.Idle, e)
	}
	call(ctx, m.options.Hooks.Released, e)
	return nil
}

// takeDown copies the files out, if they are copied, stops the sandbox and
// removes the files, if they are not kept. Files that should have been copied
// and were not are kept.
func (m *Manager) takeDown(ctx context.Context, s *Session, why Reason) (kept bool, err error) {
	kept = m.keepsFiles(why)
	if why != ReasonLost && !s.copied { // a sandbox that could not be stopped is asked for nothing more
		if syncErr := m.syncOut(ctx, s); syncErr != nil {
			m.log.WarnContext(ctx, "files not copied", "session", s.id, "error", syncErr)
			kept = m.files != nil
		} else {
			s.copied = true
		}
	}
	if err := s.sandbox.Stop(ctx); err != nil {
		return false, err
	}
	if kept {
		return true, nil
	}
	err = m.removeFiles(ctx, s.link, s.workspace)
	if why != ReasonReleased && core.CodeOf(err) == core.ErrConflict {
		return true, nil // another process has the sandbox, and its files
	}
	return false, err
}

// keepsFiles reports whether the files of a session that ends are kept.
func (m *Manager) keepsFiles(why Reason) bool {
	switch why {
	case ReasonHibernated, ReasonLost, ReasonIdle:
		return m.keeps()
	case ReasonShutdown:
		return m.keeps() && !m.anonymous
	default:
		return false
	}
}

// removeFiles removes a workspace and the name by which it is found. Without
// that name nobody finds the workspace, so it goes first.
func (m *Manager) removeFiles(ctx context.Context, link, workspace string) error {
	for _, name := range []string{link, workspace} {
		if name == "" || m.files == nil {
			continue
		}
		if err := m.files.RemoveWorkspace(ctx, m.owner, name); err != nil {
			return err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.warmed, workspace)
	return nil
}

// forget removes the files of a session that this manager does not have, and its
// sandbox if another process has left one. If that fails the slot stays doomed.
func (m *Manager) forget(ctx context.Context, sl *slot) error {
	link, workspace, err := m.locate(ctx, sl.id)
	if err != nil {
		return err
	}
	err = m.removeFiles(ctx, link, workspace)
	if core.CodeOf(err) == core.ErrConflict {
		r, findErr := m.find(ctx, workspace)
		if r == nil {
			return joinError(err, findErr)
		}
		if err = m.remove(ctx, r.ID); err == nil {
			err = m.removeFiles(ctx, "", workspace)
		}
	}
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.kept, sl.id)
	sl.doomed = false
	return nil
}

// locate returns the name of a session's workspace, and the link that leads to it if there is one.
func (m *Manager) locate(ctx context.Context, id string) (link, workspace string, err error) {
	workspace = workspaceOf(id)
	if m.linker == nil {
		return "", workspace, nil
	}
	links, err := m.linker.Links(ctx, m.owner)
	if err != nil {
		return "", "", err
	}
	if target, ok := links[workspace]; ok {
		return workspace, target, nil
	}
	return "", workspace, nil
}
