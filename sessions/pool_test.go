package sessions_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/drivers/fake"
	"github.com/caisson-dev/caisson/sessions"
)

// openPool returns a pool that is closed at the end of the test.
func openPool(t *testing.T, d core.Driver, o *sessions.PoolOptions) *sessions.Pool {
	t.Helper()
	p, err := sessions.NewPool(d, &core.Spec{Runtime: debian, Owner: "pool"}, o)
	require.NoError(t, err)
	t.Cleanup(func() {
		_, err := p.Close(context.Background())
		require.NoError(t, err)
	})
	return p
}

func claimOne(t *testing.T, p *sessions.Pool) *core.Sandbox {
	t.Helper()
	sb, err := p.Claim(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, sb.Stop(context.Background())) })
	return sb
}

func TestPoolKeepsSandboxesWarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &slow{Driver: fake.New(nil), takes: time.Second}
		p := openPool(t, d, &sessions.PoolOptions{Min: 3})
		time.Sleep(time.Second)
		synctest.Wait()
		require.Equal(t, 3, p.Ready())
		began := time.Now()
		require.Equal(t, "hi\n", sh(t, claimOne(t, p), "echo hi"))
		require.Zero(t, time.Since(began), "a claim is no start")
		require.Equal(t, 2, p.Ready())
		time.Sleep(time.Second)
		synctest.Wait()
		require.Equal(t, 3, p.Ready(), "it is filled again")
		require.Len(t, d.Owned("pool"), 4)
		n, err := p.Close(t.Context())
		require.NoError(t, err)
		require.Equal(t, 3, n)
		require.Len(t, d.Owned("pool"), 1, "what was claimed is the caller's")
		_, err = p.Claim(t.Context())
		require.ErrorIs(t, err, core.ErrStopped)
	})
}

// TestPoolFillsItselfAfterTheClaim: a start takes the engine's time, which whoever claims would have to wait for.
func TestPoolFillsItselfAfterTheClaim(t *testing.T) {
	claims := map[string]func(*testing.T, core.Driver) func() error{
		"pool": func(t *testing.T, d core.Driver) func() error {
			p := openPool(t, d, &sessions.PoolOptions{Min: 1})
			return func() error {
				sb, err := p.Claim(t.Context())
				if err != nil {
					return err
				}
				return sb.Stop(t.Context())
			}
		},
		"manager": func(t *testing.T, d core.Driver) func() error {
			m := manageOn(t, d, &sessions.Options{Pool: &sessions.PoolOptions{Min: 1}})
			return func() error {
				_, err := m.GetOrCreate(t.Context(), "user", nil)
				return err
			}
		},
	}
	for name, open := range claims {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &slow{Driver: fake.New(nil)}
				claim := open(t, d)
				synctest.Wait()
				require.EqualValues(t, 1, d.starts.Load())
				d.Inject(fake.SlowStream)
				done := make(chan error)
				go func() { done <- claim() }()
				synctest.Wait()
				require.EqualValues(t, 1, d.starts.Load(), "it starts another one during the claim")
				require.NoError(t, <-done)
				d.Clear(fake.SlowStream)
				synctest.Wait()
				require.EqualValues(t, 2, d.starts.Load())
			})
		})
	}
}

func TestPoolExhausted(t *testing.T) {
	tests := []struct {
		name  string
		how   sessions.Exhausted
		err   error
		takes time.Duration // the claim that finds nothing
	}{
		{"start", sessions.ExhaustedStart, nil, time.Second},
		{"wait", sessions.ExhaustedWait, nil, 500 * time.Millisecond}, // one is being started already
		{"fail", sessions.ExhaustedFail, core.ErrLimit, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &slow{Driver: fake.New(nil), takes: time.Second}
				p := openPool(t, d, &sessions.PoolOptions{Min: 1, Max: 2, Exhausted: tt.how})
				time.Sleep(time.Second)
				synctest.Wait()
				claimOne(t, p)
				time.Sleep(500 * time.Millisecond)
				began := time.Now()
				sb, err := p.Claim(t.Context())
				require.ErrorIs(t, err, tt.err)
				require.Equal(t, tt.takes, time.Since(began))
				if sb != nil {
					require.NoError(t, sb.Stop(t.Context()))
				}
			})
		})
	}
}

func TestPoolStartsMoreWhileManyWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &slow{Driver: fake.New(nil), takes: time.Second}
		p := openPool(t, d, &sessions.PoolOptions{Min: 1, Max: 4, Exhausted: sessions.ExhaustedWait})
		began := time.Now()
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				sb, err := p.Claim(t.Context())
				require.NoError(t, err)
				require.NoError(t, sb.Stop(t.Context()))
			})
		}
		synctest.Wait()
		require.EqualValues(t, 4, d.starts.Load())
		all.Wait()
		require.Equal(t, 2*time.Second, time.Since(began))
	})
}

func TestWaitingClaimGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &slow{Driver: fake.New(nil), takes: time.Hour}
		p := openPool(t, d, &sessions.PoolOptions{Min: 1, Max: 1, Exhausted: sessions.ExhaustedWait})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := p.Claim(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		time.Sleep(time.Hour)
		synctest.Wait()
		require.Equal(t, 1, p.Ready(), "nobody has taken it")
	})
}

func TestPoolReplacesTheDeadAndTheOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &slow{Driver: fake.New(nil)}
		p := openPool(t, d, &sessions.PoolOptions{Min: 2, MaxAge: time.Hour, CheckInterval: time.Minute})
		synctest.Wait()
		first := d.Owned("pool")
		require.Len(t, first, 2)
		d.Lose(first[0])
		time.Sleep(time.Minute)
		synctest.Wait()
		second := d.Owned("pool")
		require.Len(t, second, 2)
		require.NotContains(t, second, first[0])
		require.Contains(t, second, first[1])
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		third := d.Owned("pool")
		require.Len(t, third, 2)
		require.NotContains(t, third, first[1])

		d.Lose(third[0])
		d.Lose(third[1])
		require.Equal(t, "hi\n", sh(t, claimOne(t, p), "echo hi"), "a claim never gets a dead one")
	})
}

func TestPoolOfAFailingEngineRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &slow{Driver: fake.New(nil)}
		d.Inject(fake.StartFails)
		p := openPool(t, d, &sessions.PoolOptions{Min: 1, Exhausted: sessions.ExhaustedWait})
		_, err := p.Claim(t.Context())
		require.ErrorIs(t, err, core.ErrResource, "who waits is told")
		time.Sleep(time.Hour)
		require.Less(t, d.starts.Load(), int32(80))
		d.Clear(fake.StartFails)
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Equal(t, 1, p.Ready())
	})
}

func TestPoolIsChecked(t *testing.T) {
	for _, spec := range []*core.Spec{{}, {Runtime: debian, Owner: "a", Workspace: "b"}} {
		_, err := sessions.NewPool(fake.New(nil), spec, nil)
		require.ErrorIs(t, err, core.ErrInvalid)
	}
	_, err := sessions.NewPool(fake.New(nil), &core.Spec{Runtime: debian}, &sessions.PoolOptions{Exhausted: "x"})
	require.ErrorIs(t, err, core.ErrInvalid)
	_, err = sessions.NewPool(nil, &core.Spec{Runtime: debian}, nil)
	require.ErrorIs(t, err, core.ErrInvalid)
}

func pooled(o *sessions.Options) { o.Pool = &sessions.PoolOptions{Min: 2} }

func TestSessionFromThePool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &slow{Driver: fake.New(nil), takes: time.Second}
		var created []sessions.Event
		o := &sessions.Options{Owner: "app"}
		pooled(o)
		o.Hooks.Created = func(_ context.Context, e sessions.Event) { created = append(created, e) }
		m := manageOn(t, d, o)
		time.Sleep(time.Second)
		synctest.Wait()
		require.Equal(t, 2, m.Warm())

		began := time.Now()
		s := get(t, m, "alice")
		require.Zero(t, time.Since(began))
		require.Len(t, created, 1)
		require.True(t, created[0].Warm)
		put(t, s, "file", "text")

		require.NoError(t, m.Hibernate(t.Context(), "alice"))
		require.Equal(t, "text", read(t, get(t, m, "alice"), "file"), "hibernated")
		time.Sleep(time.Minute)
		require.Equal(t, 2, m.Warm(), "a session that wakes takes none of the warm ones")

		d.Lose(get(t, m, "alice").Sandbox())
		synctest.Wait()
		require.Equal(t, "text", read(t, get(t, m, "alice"), "file"), "lost")

		_, err := m.Release(t.Context(), "alice")
		require.NoError(t, err)
		missing(t, get(t, m, "alice"), "file")
	})
}

func TestSessionFromThePoolAfterACrash(t *testing.T) {
	for _, tt := range []struct {
		name  string
		after time.Duration
		runs  bool
	}{{"adopted", 0, true}, {"after-the-lease", time.Hour, false}} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := fake.New(nil)
				crash(t, d, func(o *sessions.Options) { pooled(o) }, "alice", "bob")
				before := d.Owned("app")
				time.Sleep(tt.after)
				m := manage(t, d, pooled)
				n, err := m.Adopt(t.Context())
				require.NoError(t, err)
				if tt.runs {
					require.Equal(t, 2, n)
				}
				s := get(t, m, "alice")
				require.Equal(t, "of alice", read(t, s, "file"))
				require.Equal(t, tt.runs, contains(before, s.Sandbox()))
				require.Equal(t, "of bob", read(t, get(t, m, "bob"), "file"))
				synctest.Wait()
				time.Sleep(time.Second)
				require.Len(t, d.Owned("app"), 2+m.Warm(), "those of the dead process are gone")
			})
		})
	}
}

func contains(list []string, s string) bool {
	for _, e := range list {
		if e == s {
			return true
		}
	}
	return false
}

// A session that has files needs no warm sandbox, and is not refused or held up for want of one.
func TestSessionWithFilesDoesNotNeedThePool(t *testing.T) {
	for _, exhausted := range []sessions.Exhausted{sessions.ExhaustedFail, sessions.ExhaustedWait} {
		synctest.Test(t, func(t *testing.T) {
			d := fake.New(nil)
			before := manage(t, d)
			put(t, get(t, before, "alice"), "file", "text")
			_, err := before.Shutdown(t.Context())
			require.NoError(t, err)
			d.Inject(fake.StartFails) // so that the pool stays empty
			m := manage(t, d, func(o *sessions.Options) { o.Pool = &sessions.PoolOptions{Min: 1, Exhausted: exhausted} })
			synctest.Wait()
			_, err = m.GetOrCreate(t.Context(), "alice", nil)
			require.ErrorIs(t, err, core.ErrResource, "it is started on its own workspace")
			d.Clear(fake.StartFails)
			require.Equal(t, "text", read(t, get(t, m, "alice"), "file"))
			if exhausted == sessions.ExhaustedFail {
				_, err = m.GetOrCreate(t.Context(), "new", nil)
				require.ErrorIs(t, err, core.ErrLimit)
			}
		})
	}
}

func TestFilesOfUnclaimedSandboxesAreCollected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := fake.New(nil)
		crash(t, d, pooled, "alice")
		time.Sleep(time.Hour) // the leases have ended
		workspaces := func() (list []string) {
			left, err := d.Collect(t.Context(), &core.CollectOptions{Owner: "app", Workspaces: true, MinAge: -1, DryRun: true})
			require.NoError(t, err)
			for _, l := range left {
				list = append(list, l.Workspace)
			}
			return list
		}
		require.Greater(t, len(workspaces()), 2)
		m := manage(t, d)
		m.StartCleanup(time.Hour)
		synctest.Wait()
		require.Len(t, workspaces(), 2, "alice's, and the name by which it is found")
		require.Equal(t, "of alice", read(t, get(t, m, "alice"), "file"))
	})
}

func TestPooledSessionsAreListed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := fake.New(nil)
		m := manage(t, d, pooled)
		synctest.Wait()
		get(t, m, "alice")
		get(t, m, "bob")
		require.NoError(t, m.Hibernate(t.Context(), "bob"))
		list, err := sessions.List(t.Context(), d, "app")
		require.NoError(t, err)
		require.Len(t, list, 2)
		require.True(t, list[0].Running)
		require.Equal(t, "bob", list[1].ID)
		require.Empty(t, list[1].Sandbox)
		require.NotEqual(t, "session/bob", list[1].Workspace)
	})
}

func TestSessionsNeverShareAWarmSandbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := fake.New(nil)
		m := manage(t, d, pooled)
		used := make(map[string]string)
		var mu sync.Mutex
		var all sync.WaitGroup
		for i := range 40 {
			id := string(rune('a' + i))
			all.Go(func() {
				s, err := m.GetOrCreate(t.Context(), id, nil)
				if err != nil {
					t.Errorf("GetOrCreate(%q): %v", id, err)
					return
				}
				mu.Lock()
				defer mu.Unlock()
				if other := used[s.Sandbox()]; other != "" {
					t.Errorf("%q and %q have the same sandbox", id, other)
				}
				used[s.Sandbox()] = id
			})
		}
		all.Wait()
		require.Len(t, used, 40)
	})
}
