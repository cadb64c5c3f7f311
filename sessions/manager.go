package sessions

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/caisson-dev/caisson/core"
)

// Manager gives out sessions. All its methods may be called from many
// goroutines at once; calls for different ids do not wait for each other.
type Manager struct {
	driver    core.Driver
	options   *Options
	owner     string
	anonymous bool            // the owner is of this process only
	files     core.Workspacer // nil if the driver keeps no workspaces
	linker    core.Linker     // nil if the driver keeps no links
	pools     []runtimePool
	log       *slog.Logger
	telemetry *telemetry

	closing context.Context // ends with Shutdown, and creations with it
	close   context.CancelFunc
	ending  chan struct{} // a slot for each sandbox that is being ended

	mu      sync.Mutex
	slots   map[string]*slot
	held    int // slots that count against MaxSessions
	closed  bool
	cleanup *cleanup
	kept    map[string]bool          // with pools: ids of sessions that have ended here and kept their files
	copying map[string]chan struct{} // by directory: closed when the copy that is being made is done
	warmed  map[string]bool          // workspaces of sandboxes that were started warm here, until they are removed
}

// endsAtOnce is how many sandboxes a manager ends at a time.
const endsAtOnce = 16

// slot is what a manager knows of one id, for as long as there is something. It is guarded by the manager's lock.
type slot struct {
	id      string
	held    bool
	doomed  bool     // the files of a session that hibernates are to be removed before anything else
	flight  *flight  // what is under way; nothing else happens to the slot meanwhile
	session *Session // nil until there is one, and once it has ended whole
}

// flight is something under way in a slot. It goes on whoever waits for it.
type flight struct {
	done chan struct{}
	// The following are set before done is closed.
	err     error
	creates bool // err is the error of who asked for a session
	ended   bool // a session has ended
}

// request is what a caller wants of a session.
type request struct {
	runtime  *core.Runtime
	explicit bool // the caller has named the runtime
	idle     time.Duration
	progress func(core.Progress)
}

// New returns a manager of sandboxes on driver, which stays the caller's and
// must outlive the manager. It makes no engine call. The caller must call Shutdown.
func New(driver core.Driver, o *Options) (*Manager, error) {
	if driver == nil {
		return nil, invalidf("driver is nil")
	}
	options, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	m := &Manager{
		driver: driver, options: options, owner: options.Owner, log: options.Logger,
		slots: make(map[string]*slot), kept: make(map[string]bool), warmed: make(map[string]bool), copying: make(map[string]chan struct{}),
		ending: make(chan struct{}, endsAtOnce),
	}
	if m.owner == "" {
		m.owner, m.anonymous = "anonymous-"+strings.ToLower(rand.Text()), true
	}
	m.files, _ = core.AsDriver[core.Workspacer](driver)
	m.linker, _ = core.AsDriver[core.Linker](driver)
	if m.telemetry, err = newTelemetry(options); err != nil {
		return nil, err
	}
	m.closing, m.close = context.WithCancel(context.Background())
	if err := m.openPools(); err != nil {
		m.close()
		return nil, err
	}
	return m, nil
}

// Owner returns the owner of the sandboxes, which is a random one if the options name none.
func (m *Manager) Owner() string { return m.owner }

// Len returns how many sessions live.
func (m *Manager) Len() int { return len(m.All()) }

// Has reports whether a session with the id lives.
func (m *Manager) Has(id string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	sl := m.slots[id]
	return sl != nil && sl.session.lives()
}

// All returns the sessions that live, sorted by id.
func (m *Manager) All() []*Session {
	m.mu.Lock()
	var all []*Session
	for _, sl := range m.slots {
		if sl.session.lives() {
			all = append(all, sl.session)
		}
	}
	m.mu.Unlock()
	slices.SortFunc(all, func(a, b *Session) int { return strings.Compare(a.id, b.id) })
	return all
}

func (s *Session) lives() bool {
	if s == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended == nil
}

// GetOrCreate returns the session with the id: the one that lives, the one that
// another process has left, one that wakes with the files it had, or a new one.
// Callers who ask for the same id at the same time get the same session, and one
// who gives up, because ctx ends, does not end the creation for the others.
//
// It returns ErrLimit when there are MaxSessions others, ErrConflict if the
// session lives with another runtime than opts names, ErrStopped after
// Shutdown, and the error of the driver if the sandbox cannot be started; then
// no sandbox is left behind. A pool that is exhausted can make it ErrLimit too.
// For a session that is known to live it makes no engine call.
func (m *Manager) GetOrCreate(ctx context.Context, id string, opts *GetOptions) (*Session, error) {
	want, err := m.request(id, opts)
	if err != nil {
		return nil, err
	}
	for {
		s, f, err := m.enter(ctx, id, want)
		if s != nil || err != nil {
			return s, err
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			return nil, core.Complete(core.Ended(ctx), core.Error{Op: "get"})
		}
		if f.creates && f.err != nil {
			return nil, f.err
		}
	}
}

func (m *Manager) request(id string, opts *GetOptions) (*request, error) {
	if err := checkID(id); err != nil {
		return nil, err
	}
	want := &request{runtime: m.options.DefaultRuntime, progress: m.options.Spec.Progress}
	if opts != nil {
		want.idle = opts.IdleTimeout
		if opts.Runtime != nil {
			want.runtime, want.explicit = opts.Runtime, true
		}
		if opts.Progress != nil {
			want.progress = opts.Progress
		}
	}
	if want.runtime == nil {
		return nil, invalidf("no runtime: set Options.DefaultRuntime or GetOptions.Runtime")
	}
	if want.explicit {
		if err := want.runtime.Validate(); err != nil {
			return nil, err
		}
	}
	return want, nil
}

// enter returns the live session with the id, or what has to end before one can be had.
func (m *Manager) enter(ctx context.Context, id string, want *request) (*Session, *flight, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, nil, errShutDown()
	}
	sl := m.slots[id]
	if sl == nil || sl.flight == nil && !sl.held {
		if m.full() {
			return nil, nil, core.Errorf(core.ErrLimit, "get", "there are %d sessions, which is the maximum", m.options.MaxSessions)
		}
		sl = m.place(id, true)
	}
	if sl.flight != nil {
		return nil, sl.flight, nil
	}
	if sl.session != nil {
		if ok, err := sl.session.claim(want); ok || err != nil {
			return sl.session, nil, err
		}
	}
	return nil, m.fly(ctx, sl, func(ctx context.Context, f *flight) error {
		f.creates = true
		ctx, cancel := m.untilClosing(ctx)
		defer cancel()
		err := m.renew(ctx, sl, want)
		if err != nil && m.closing.Err() != nil && core.CodeOf(err) == core.ErrCanceled {
			return errShutDown() // which has cut it off, and not who asks
		}
		return err
	}), nil
}

// untilClosing returns a context that ends with Shutdown as well.
func (m *Manager) untilClosing(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(m.closing, cancel)
	return ctx, func() {
		stop()
		cancel()
	}
}

func (m *Manager) full() bool { return m.options.MaxSessions > 0 && m.held >= m.options.MaxSessions }

// place returns the slot of an id, which is made if need be, and held if it is to be. The lock is held.
func (m *Manager) place(id string, held bool) *slot {
	sl := m.slots[id]
	if sl == nil {
		sl = &slot{id: id}
		m.slots[id] = sl
	}
	if held && !sl.held {
		sl.held = true
		m.held++
	}
	return sl
}

// fly starts what do does in a slot in which nothing is under way. It goes on
// when ctx has ended. The lock is held.
func (m *Manager) fly(ctx context.Context, sl *slot, do func(context.Context, *flight) error) *flight {
	f := &flight{done: make(chan struct{})}
	sl.flight = f
	ctx = context.WithoutCancel(ctx)
	go func() { // Shutdown waits for it
		f.err = do(ctx, f)
		m.mu.Lock()
		defer m.mu.Unlock()
		sl.flight = nil
		if sl.session == nil && sl.held {
			sl.held = false
			m.held--
		}
		if sl.session == nil && !sl.doomed {
			delete(m.slots, sl.id)
		}
		close(f.done)
	}()
	return f
}

// renew sees to it that the slot's session lives.
func (m *Manager) renew(ctx context.Context, sl *slot, want *request) error {
	m.mu.Lock()
	old, doomed := sl.session, sl.doomed
	m.mu.Unlock()
	if doomed {
		if err := m.forget(ctx, sl); err != nil {
			return err
		}
	}
	if old != nil {
		err := old.check(ctx)
		if err == nil {
			return nil
		}
		if !final(err) {
			return err
		}
		if err := m.retire(ctx, sl, old.close(core.ErrLost, ReasonLost)); err != nil {
			return err
		}
	}
	s, err := m.create(ctx, sl.id, want)
	if err != nil {
		return err
	}
	return m.settle(ctx, sl, s)
}

// settle puts a session into its slot, unless the manager was shut down meanwhile.
func (m *Manager) settle(ctx context.Context, sl *slot, s *Session) error {
	m.mu.Lock()
	sl.session = s
	closed := m.closed
	m.mu.Unlock()
	if !closed {
		return nil
	}
	why := s.close(core.ErrStopped, ReasonShutdown)
	return errors.Join(errShutDown(), m.retire(context.WithoutCancel(ctx), sl, why))
}

func errShutDown() error { return core.Errorf(core.ErrStopped, "get", "the manager is shut down") }

// final reports whether an error says that a sandbox will not come back to this process.
func final(err error) bool {
	switch core.CodeOf(err) {
	case core.ErrLost, core.ErrStopped, core.ErrConflict:
		return true
	default:
		return false
	}
}
