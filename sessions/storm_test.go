package sessions_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/drivers/fake"
	"github.com/caisson-dev/caisson/internal/enginetest"
	"github.com/caisson-dev/caisson/sessions"
)

// storm is many users who do anything at any time.
type storm struct {
	*testing.T
	driver  core.Driver
	loses   func(sandbox string) // makes a sandbox disappear
	manager *sessions.Manager
	max     int

	mu   sync.Mutex
	ends map[string]end // by id
	seen map[string]int // outcomes
}

// end is what else happens to a session that ends a call of it rightly.
type end struct {
	underWay int       // calls of Release and Hibernate
	last     time.Time // when such a call, or a loss, was last over
}

const (
	stormUsers = 50
	stormIDs   = 12
	stormFake  = 10 * time.Minute // how long one lasts in a bubble
	stormReal  = 10 * time.Second // and on an engine
	// stormVariable says for how long there are to be storms, of each kind.
	stormVariable = "CAISSON_SESSIONS_STORM"
)

// stormTime returns how long storms are to last, or what is usual.
func stormTime(t *testing.T, usual time.Duration) time.Duration {
	t.Helper()
	s := os.Getenv(stormVariable)
	if s == "" {
		return usual
	}
	d, err := time.ParseDuration(s)
	require.NoError(t, err)
	return d
}

// TestStorm runs random calls of 50 users for ten minutes: nobody is given a
// session that has ended, or another's files, there is one sandbox for an id at
// most, and no more than MaxSessions altogether.
func TestStorm(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*sessions.Options)
	}{
		{"plain", func(*sessions.Options) {}},
		{"pool", func(o *sessions.Options) { o.Pool = &sessions.PoolOptions{Min: 3, MaxAge: time.Minute} }},
		{"ephemeral", func(o *sessions.Options) { o.Ephemeral = true }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			// One after the other, until so much time has passed outside of the bubbles.
			for began, lasts := time.Now(), stormTime(t, 0); ; {
				synctest.Test(t, func(t *testing.T) {
					d := fake.New(nil)
					s := newStorm(t, d, manage(t, d, stormy, tt.change))
					s.loses = d.Lose
					s.run(stormFake)
					for _, what := range []string{"worked", "limit", "released", "hibernated", "lost"} {
						require.Positive(s, s.seen[what], what)
					}
				})
				if time.Since(began) >= lasts {
					return
				}
			}
		})
	}
}

// storm is TestStorm on an engine.
func (e *engine) storm(t *testing.T) {
	if testing.Short() {
		t.Skip("a minute on an engine; run without -short")
	}
	m := e.manage(t, stormy, func(o *sessions.Options) { o.Pool = &sessions.PoolOptions{Min: 2} })
	s := newStorm(t, e.driver, m)
	s.loses = func(sandbox string) { enginetest.Kill(t, e.scheme, sandbox) }
	s.run(stormTime(t, stormReal))
	require.Positive(t, s.seen["worked"])
	for id := range stormIDs {
		_, err := m.Release(context.Background(), stormID(id))
		require.NoError(t, err)
	}
	_, err := m.Shutdown(context.Background())
	require.NoError(t, err)
	e.collected(t) // links of warm sandboxes that were lost before anybody used them
}

func stormy(o *sessions.Options) {
	o.MaxSessions, o.IdleTimeout, o.Lease = stormMax, 20*time.Second, 10*time.Second
}

const stormMax = 8

func stormID(n int) string { return fmt.Sprintf("user/%d", n) }

func newStorm(t *testing.T, d core.Driver, m *sessions.Manager) *storm {
	m.StartCleanup(5 * time.Second)
	return &storm{T: t, driver: d, manager: m, max: stormMax, ends: make(map[string]end), seen: make(map[string]int)}
}

func (s *storm) run(lasts time.Duration) {
	seed := rand.Uint64()
	s.Logf("seed %d", seed)
	ctx, cancel := context.WithTimeout(s.Context(), lasts)
	defer cancel()
	var all sync.WaitGroup
	for user := range stormUsers {
		all.Go(func() { s.user(ctx, rand.New(rand.NewPCG(seed, uint64(user)))) })
	}
	all.Go(func() { s.census(ctx) })
	all.Wait()
	s.Log(s.seen)
}

func (s *storm) user(ctx context.Context, r *rand.Rand) {
	for ctx.Err() == nil {
		time.Sleep(time.Duration(r.Int64N(int64(4 * time.Second))))
		id := stormID(r.IntN(stormIDs))
		switch n := r.IntN(100); {
		case n < 80:
			s.work(ctx, r, id)
		case n < 88:
			s.end(id, "released", func() error { _, err := s.manager.Release(context.WithoutCancel(ctx), id); return err })
		case n < 96:
			s.end(id, "hibernated", func() error { return s.manager.Hibernate(context.WithoutCancel(ctx), id) })
		default:
			s.lose(id)
		}
	}
}

// work asks for a session and uses it.
func (s *storm) work(ctx context.Context, r *rand.Rand, id string) {
	began := time.Now()
	if r.IntN(10) == 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(r.IntN(3)))
		defer cancel()
	}
	sn, err := s.manager.GetOrCreate(ctx, id, nil)
	if err == nil {
		err = s.use(ctx, r, sn, id)
	}
	switch code := core.CodeOf(err); {
	case err == nil:
		s.count("worked")
	case code == core.ErrLimit:
		s.count("limit")
	case ctx.Err() != nil:
		s.count("gave up")
	case (code == core.ErrStopped || code == core.ErrLost || code == core.ErrIndeterminate) && s.ended(id, began):
		s.count("cut off")
	default:
		s.Errorf("%s: %v", id, err)
	}
}

// use checks that the files are those of the id, which the first use writes into them.
func (s *storm) use(ctx context.Context, r *rand.Rand, sn *sessions.Session, id string) error {
	file, err := sn.Read(ctx, "owner", nil)
	switch {
	case errors.Is(err, core.ErrNotFound):
		if err := sn.Upload(ctx, "owner", strings.NewReader(id), nil); err != nil {
			return err
		}
	case err != nil:
		return err
	default:
		owner, err := io.ReadAll(file)
		_ = file.Close()
		if err != nil {
			return err
		}
		if string(owner) != id {
			s.Errorf("%s has the files of %s", id, owner)
		}
	}
	res, err := sn.Execute(ctx, core.Shell(fmt.Sprintf("sleep %d.%d; cat owner", r.IntN(3), r.IntN(10))))
	if err == nil && res.Stdout.String() != id {
		s.Errorf("%s: the command says %q", id, res.Stdout.String())
	}
	return err
}

func (s *storm) end(id, what string, do func() error) {
	s.note(id, 1)
	err := do()
	s.note(id, -1)
	switch {
	case err == nil:
		s.count(what)
	case errors.Is(err, core.ErrUnsupported): // nothing hibernates here
		s.count(what)
	default:
		s.Errorf("%s is not %s: %v", id, what, err)
	}
}

// lose makes a session's sandbox disappear.
func (s *storm) lose(id string) {
	for _, sn := range s.manager.All() {
		if sn.ID() == id {
			s.note(id, 1)
			s.loses(sn.Sandbox())
			s.note(id, -1)
			s.count("lost")
		}
	}
}

func (s *storm) note(id string, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ends[id] = end{s.ends[id].underWay + n, time.Now()}
}

// ended reports whether something has ended a session since then.
func (s *storm) ended(id string, since time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.ends[id]
	return e.underWay > 0 || !e.last.Before(since)
}

func (s *storm) count(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen[what]++
}

// census looks at the engine all the time.
func (s *storm) census(ctx context.Context) {
	attacher, _ := core.AsDriver[core.Attacher](s.driver)
	linker, _ := core.AsDriver[core.Linker](s.driver)
	for ctx.Err() == nil {
		time.Sleep(200 * time.Millisecond)
		// In this order, since what is gone from the list is not counted by a link that was made later.
		records, err := attacher.Sandboxes(s.Context(), s.manager.Owner())
		links, linksErr := linker.Links(s.Context(), s.manager.Owner())
		if err != nil || linksErr != nil {
			s.Errorf("census: %v, %v", err, linksErr)
			return
		}
		claimed := make(map[string]bool)
		for _, target := range links {
			claimed[target] = true
		}
		n := 0
		for i := range records {
			// An engine goes on listing what it is removing.
			if records[i].Running && (records[i].Labels[sessions.LabelPool] == "" || claimed[records[i].Workspace]) {
				n++
			}
		}
		if n > s.max {
			s.Errorf("%d sandboxes, more than %d", n, s.max)
		}
	}
}
