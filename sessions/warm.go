package sessions

import (
	"context"
	"errors"
	"slices"

	"github.com/caisson-dev/caisson/core"
)

// openPools opens a pool for each runtime that is to have one.
func (m *Manager) openPools() error {
	o := m.options.Pool
	if o == nil {
		return nil
	}
	if m.files != nil && m.linker == nil {
		return core.Errorf(core.ErrUnsupported, "sessions", "a pool needs a driver that keeps links of workspaces")
	}
	runtimes := o.Runtimes
	if len(runtimes) == 0 && m.options.DefaultRuntime != nil {
		runtimes = []*core.Runtime{m.options.DefaultRuntime}
	}
	if len(runtimes) == 0 {
		return invalidf("options: Pool: set Runtimes or DefaultRuntime")
	}
	for _, rt := range runtimes {
		if err := rt.Validate(); err != nil {
			return joinError(err, m.closePools(context.Background()))
		}
		p, err := newPool(o, func(ctx context.Context) (*core.Sandbox, error) { return m.startWarm(ctx, rt) }, m.discard)
		if err != nil {
			return joinError(err, m.closePools(context.Background()))
		}
		m.pools = append(m.pools, runtimePool{rt, p})
	}
	return nil
}

// runtimePool is the pool of a runtime.
type runtimePool struct {
	runtime *core.Runtime
	pool    *Pool
}

// startWarm starts a sandbox whose workspace will be found by a link to it.
func (m *Manager) startWarm(ctx context.Context, rt *core.Runtime) (*core.Sandbox, error) {
	workspace := newPoolWorkspace()
	m.mu.Lock()
	m.warmed[workspace] = true
	m.mu.Unlock()
	sb, err := core.Start(ctx, m.driver, m.spec(rt, workspace, map[string]string{LabelPool: "1"}))
	if err != nil {
		return nil, joinError(err, m.removeFiles(context.WithoutCancel(ctx), "", workspace))
	}
	return sb, nil
}

// discard ends a warm sandbox and removes its workspace.
func (m *Manager) discard(ctx context.Context, sb *core.Sandbox) error {
	if err := sb.Stop(ctx); err != nil {
		return err
	}
	return m.removeFiles(ctx, "", sb.Spec().Workspace)
}

func (m *Manager) closePools(ctx context.Context) error {
	var failed []error
	for _, p := range m.pools {
		_, err := p.pool.Close(ctx)
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}

// Warm returns how many sandboxes are ready for sessions to come.
func (m *Manager) Warm() int {
	n := 0
	for _, p := range m.pools {
		n += p.pool.Ready()
	}
	return n
}

// claimWarm gives a session a sandbox of the pool. It returns nil if there is no
// pool for the runtime, if no sandbox is ready and the pool has none started
// instead, or if the session has files from an earlier time, which only a
// sandbox of its own can have. When it returns a sandbox the engine knows whose
// that is, so that no other session is ever given it.
func (m *Manager) claimWarm(ctx context.Context, id string, want *request) (*core.Sandbox, error) {
	p := m.poolOf(want.runtime)
	m.mu.Lock()
	kept := m.kept[id]
	m.mu.Unlock()
	if p == nil || kept {
		return nil, nil
	}
	defer p.poke()
	if p.options.Exhausted == ExhaustedWait && p.Ready() == 0 { // in vain, perhaps
		if known, err := m.known(ctx, id); known || err != nil {
			return nil, err
		}
	}
	sb, err := p.claim(ctx)
	if core.CodeOf(err) == core.ErrLimit {
		if known, _ := m.known(ctx, id); known {
			return nil, nil
		}
	}
	if sb == nil || m.files == nil {
		return sb, err
	}
	err = m.linker.Link(ctx, m.owner, workspaceOf(id), sb.Spec().Workspace)
	switch {
	case err == nil:
		return sb, nil
	case core.CodeOf(err) == core.ErrConflict:
		p.giveBack(sb)
		return nil, nil
	default: // the engine may have written it down
		return nil, joinError(err, m.discard(context.WithoutCancel(ctx), sb))
	}
}

// known reports whether the engine has a session of that id, from another
// process or an earlier time. An engine that cannot list sessions has none.
func (m *Manager) known(ctx context.Context, id string) (bool, error) {
	if m.files == nil || m.anonymous {
		return false, nil
	}
	list, err := List(ctx, m.driver, m.owner)
	if core.CodeOf(err) == core.ErrUnsupported {
		return false, nil
	}
	return slices.ContainsFunc(list, func(i Info) bool { return i.ID == id }), err
}

func (m *Manager) poolOf(rt *core.Runtime) *Pool {
	for _, p := range m.pools {
		if sameRuntime(p.runtime, rt) {
			return p.pool
		}
	}
	return nil
}

// joinError adds what went wrong while err was cleared up after.
func joinError(err, more error) error {
	if more == nil {
		return err
	}
	return errors.Join(err, more)
}
