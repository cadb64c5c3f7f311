package sessions

import (
	"context"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/caisson-dev/caisson/core"
)

// spec returns what a sandbox is started from.
func (m *Manager) spec(rt *core.Runtime, workspace string, labels map[string]string) *core.Spec {
	spec := m.options.Spec
	spec.Runtime, spec.Owner, spec.Lease = rt, m.owner, m.options.Lease
	if m.files != nil {
		spec.Workspace = workspace
	}
	spec.Labels = withLabels(spec.Labels, labels)
	return &spec
}

// withLabels returns a copy of all with ours in it.
func withLabels(all, ours map[string]string) map[string]string {
	labels := make(map[string]string, len(all)+len(ours))
	maps.Copy(labels, all)
	maps.Copy(labels, ours)
	return labels
}

// origin says how a session came by its sandbox.
type origin struct {
	warm    bool   // from the pool
	adopted bool   // from another process
	link    string // the name on the engine by which the session finds its workspace, if that is not the workspace's own
}

// create makes a session and tells who wants to know.
func (m *Manager) create(ctx context.Context, id string, want *request) (*Session, error) {
	began := time.Now()
	ctx, span := m.telemetry.start(ctx, "sessions.create", id)
	sb, from, err := m.sandbox(ctx, id, want)
	if err == nil {
		err = m.syncIn(ctx, id, sb, from.adopted)
	}
	took := time.Since(began)
	m.telemetry.created(ctx, span, from, err, took)
	if err != nil {
		if sb != nil {
			err = joinError(err, sb.Stop(ctx))
		}
		m.log.WarnContext(ctx, "session not created", "session", id, "error", err)
		call(ctx, m.options.Hooks.Failed, Event{Session: id, Duration: took, Err: err})
		return nil, err
	}
	return m.newSession(ctx, id, sb, from, want, took), nil
}

func (m *Manager) newSession(ctx context.Context, id string, sb *core.Sandbox, from origin, want *request, took time.Duration) *Session {
	now := time.Now()
	s := &Session{
		id: id, manager: m, sandbox: sb, sandboxID: sandboxID(ctx, sb), runtime: want.runtime, workspace: sb.Spec().Workspace, link: from.link,
		connected: connection(sb), used: now, seen: now, idle: want.idle,
	}
	hook := m.options.Hooks.Created
	if from.adopted {
		hook = m.options.Hooks.Adopted
	}
	m.log.DebugContext(ctx, "session ready", "session", id, "sandbox", s.sandboxID, "warm", from.warm, "adopted", from.adopted, "took", took)
	call(ctx, hook, Event{Session: id, Sandbox: s.sandboxID, Warm: from.warm, Duration: took})
	return s
}

// sandbox finds or starts the sandbox of a session.
func (m *Manager) sandbox(ctx context.Context, id string, want *request) (*core.Sandbox, origin, error) {
	if sb, err := m.claimWarm(ctx, id, want); sb != nil || err != nil {
		return sb, origin{warm: true, link: workspaceOf(id)}, err
	}
	link, workspace, err := m.locate(ctx, id)
	from := origin{link: link}
	if err != nil {
		return nil, from, err
	}
	spec := m.spec(want.runtime, workspace, map[string]string{LabelSession: escape(id)})
	spec.Progress = want.progress
	sb, adopted, err := m.occupy(ctx, spec)
	from.adopted = adopted
	return sb, from, err
}

// attempts is how often a workspace is tried that something else uses.
const attempts = 4

// occupy starts a sandbox. If one has the workspace already, which no session
// of this process has, it is taken over, or removed if it is not what the spec asks for.
func (m *Manager) occupy(ctx context.Context, spec *core.Spec) (sb *core.Sandbox, adopted bool, err error) {
	for n := range attempts {
		if n > 0 {
			if err := pause(ctx, "get", time.Duration(n)*100*time.Millisecond); err != nil {
				return nil, false, err
			}
		}
		if err := m.clear(ctx, spec.Workspace); err != nil {
			return nil, false, err
		}
		sb, err = core.Start(ctx, m.driver, spec)
		if core.CodeOf(err) != core.ErrConflict || m.files == nil {
			return sb, false, err
		}
		sb, adoptErr := m.adoptOne(ctx, spec)
		if sb != nil || adoptErr != nil {
			return sb, adoptErr == nil, adoptErr
		}
	}
	return nil, false, err
}

// clear removes the files that a session whose files end with its sandbox has
// left, when its process died with it. What a sandbox has in use stays: that is taken over.
func (m *Manager) clear(ctx context.Context, workspace string) error {
	if !m.options.Ephemeral || workspace == "" {
		return nil
	}
	err := m.files.RemoveWorkspace(ctx, m.owner, workspace)
	if core.CodeOf(err) == core.ErrConflict {
		return nil
	}
	return err
}

// adoptOne takes over the sandbox that has the spec's workspace. It returns nil if it has removed it instead, or finds none.
func (m *Manager) adoptOne(ctx context.Context, spec *core.Spec) (*core.Sandbox, error) {
	r, err := m.find(ctx, spec.Workspace)
	if r == nil {
		return nil, err
	}
	if r.Running {
		sb, err := core.Attach(ctx, m.driver, r.ID, spec)
		if err == nil || !final(err) {
			return sb, err
		}
		m.log.DebugContext(ctx, "sandbox not adopted", "sandbox", r.ID, "error", err)
	}
	return nil, m.remove(ctx, r.ID)
}

// find returns the sandbox that has a workspace, or nil.
func (m *Manager) find(ctx context.Context, workspace string) (*core.Record, error) {
	attacher, ok := core.AsDriver[core.Attacher](m.driver)
	if !ok {
		return nil, nil
	}
	records, err := attacher.Sandboxes(ctx, m.owner)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(records, func(r core.Record) bool { return r.Workspace == workspace })
	if i < 0 {
		return nil, nil
	}
	return &records[i], nil
}

// anyAge is a MinAge that saves nothing, whatever the clocks say.
const anyAge time.Duration = math.MinInt64

// remove removes sandboxes of this owner that nobody holds. Their files stay.
func (m *Manager) remove(ctx context.Context, ids ...string) error {
	collector, ok := core.AsDriver[core.Collector](m.driver)
	if !ok || len(ids) == 0 {
		return nil
	}
	_, err := collector.Collect(ctx, &core.CollectOptions{
		Owner: m.owner, MinAge: anyAge,
		Keep: func(l core.Leftover) bool {
			return l.Kind != core.LeftoverSandbox || !slices.Contains(ids, l.ID)
		},
	})
	return err
}

// pause waits, as a part of what op is.
func pause(ctx context.Context, op string, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return core.Complete(core.Ended(ctx), core.Error{Op: op})
	}
}
