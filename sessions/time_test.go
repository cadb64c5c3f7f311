package sessions_test

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/drivers/fake"
	"github.com/caisson-dev/caisson/sessions"
)

// slow is a driver whose starts take a time and are counted.
type slow struct {
	*fake.Driver
	takes  time.Duration
	starts atomic.Int32
	before func(context.Context) // each start
}

func (d *slow) Start(ctx context.Context, spec *core.Spec) (core.Backend, error) {
	d.starts.Add(1)
	if d.before != nil {
		d.before(ctx)
	}
	select {
	case <-time.After(d.takes):
	case <-ctx.Done():
		return nil, core.Errorf(core.ErrCanceled, "start", "%w", ctx.Err())
	}
	return d.Driver.Start(ctx, spec)
}

func manageOn(t *testing.T, d core.Driver, o *sessions.Options) *sessions.Manager {
	t.Helper()
	if o.DefaultRuntime == nil {
		o.DefaultRuntime = debian
	}
	m, err := sessions.New(d, o)
	require.NoError(t, err)
	t.Cleanup(func() {
		_, err := m.Shutdown(context.Background())
		require.NoError(t, err)
	})
	return m
}

func TestManyAskForOneSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &slow{Driver: fake.New(nil), takes: time.Second}
		m := manageOn(t, d, &sessions.Options{Owner: "app"})
		var got [64]*sessions.Session
		var all sync.WaitGroup
		for i := range got {
			all.Go(func() { got[i], _ = m.GetOrCreate(t.Context(), "alice", nil) })
		}
		all.Wait()
		for _, s := range got {
			require.NotNil(t, s)
			require.Same(t, got[0], s)
		}
		require.EqualValues(t, 1, d.starts.Load())
		require.Len(t, d.Owned("app"), 1)
	})
}

func TestWhoGivesUpEndsNoCreation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &slow{Driver: fake.New(nil), takes: time.Minute}
		m := manageOn(t, d, &sessions.Options{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		_, err := m.GetOrCreate(ctx, "alice", nil)
		require.ErrorIs(t, err, core.ErrCanceled)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, time.Second, time.Since(began))
		get(t, m, "alice")
		require.Equal(t, time.Minute, time.Since(began))
		require.EqualValues(t, 1, d.starts.Load())
	})
}

func TestIDsDoNotWaitForEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &slow{Driver: fake.New(nil), takes: time.Minute}
		m := manageOn(t, d, &sessions.Options{})
		began := time.Now()
		var all sync.WaitGroup
		for _, id := range []string{"alice", "bob", "carol"} {
			all.Go(func() { _, _ = m.GetOrCreate(t.Context(), id, nil) })
		}
		synctest.Wait()
		require.Zero(t, m.Len())
		all.Wait()
		require.Equal(t, time.Minute, time.Since(began))
		require.Equal(t, 3, m.Len())
	})
}

func TestCreatingCountsAgainstTheMaximum(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &slow{Driver: fake.New(nil), takes: time.Minute}
		m := manageOn(t, d, &sessions.Options{MaxSessions: 3})
		var made, refused atomic.Int32
		var all sync.WaitGroup
		for i := range 20 {
			all.Go(func() {
				_, err := m.GetOrCreate(t.Context(), string(rune('a'+i)), nil)
				if errors.Is(err, core.ErrLimit) {
					refused.Add(1)
				} else if err == nil {
					made.Add(1)
				}
			})
		}
		all.Wait()
		require.EqualValues(t, 3, made.Load())
		require.EqualValues(t, 17, refused.Load())
	})
}

func TestCleanupEndsWhatIsIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := fake.New(nil)
		var idle []sessions.Event
		m := manage(t, d, func(o *sessions.Options) {
			o.IdleTimeout = time.Hour
			o.Hooks.Idle = func(_ context.Context, e sessions.Event) { idle = append(idle, e) }
		})
		s := get(t, m, "alice")
		put(t, s, "file", "text")
		time.Sleep(time.Hour)
		n, err := m.CleanupIdle(t.Context(), 0)
		require.NoError(t, err)
		require.Zero(t, n, "exactly the limit is not longer than it")
		time.Sleep(time.Nanosecond)
		n, err = m.CleanupIdle(t.Context(), 0)
		require.NoError(t, err)
		require.Equal(t, 1, n)
		require.Empty(t, d.Owned("app"))
		require.Len(t, idle, 1)
		require.True(t, idle[0].Kept)
		require.Equal(t, "text", read(t, get(t, m, "alice"), "file"), "its files are kept")
	})
}

func TestEphemeralSessionsKeepNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := manage(t, fake.New(nil), func(o *sessions.Options) { o.Ephemeral = true })
		put(t, get(t, m, "alice"), "file", "text")
		require.ErrorIs(t, m.Hibernate(t.Context(), "alice"), core.ErrUnsupported)
		time.Sleep(2 * time.Hour)
		n, err := m.CleanupIdle(t.Context(), 0)
		require.NoError(t, err)
		require.Equal(t, 1, n)
		missing(t, get(t, m, "alice"), "file")
	})
}

func TestWhichIdleTimeoutCounts(t *testing.T) {
	tests := []struct {
		name               string
		explicit, own, all time.Duration
		after              time.Duration
		want               int
	}{
		{"managers", 0, 0, time.Minute, 2 * time.Minute, 1},
		{"managers-default", 0, 0, 0, 59 * time.Minute, 0},
		{"own-over-managers", 0, time.Hour, time.Minute, 2 * time.Minute, 0},
		{"own-never", 0, sessions.NoIdleTimeout, time.Minute, 50 * time.Hour, 0},
		{"explicit-over-own", time.Second, time.Hour, time.Hour, 2 * time.Second, 1},
		{"explicit-over-never", time.Second, sessions.NoIdleTimeout, 0, 2 * time.Second, 1},
		{"managers-never", 0, 0, sessions.NoIdleTimeout, 50 * time.Hour, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := manage(t, fake.New(nil), func(o *sessions.Options) { o.IdleTimeout = tt.all })
				_, err := m.GetOrCreate(t.Context(), "alice", &sessions.GetOptions{IdleTimeout: tt.own})
				require.NoError(t, err)
				time.Sleep(tt.after)
				n, err := m.CleanupIdle(t.Context(), tt.explicit)
				require.NoError(t, err)
				require.Equal(t, tt.want, n)
			})
		})
	}
}

func TestBusyIsNotIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := manage(t, fake.New(nil))
		s := get(t, m, "alice")
		var all sync.WaitGroup
		all.Go(func() { sh(t, s, "sleep 7200") }) // twice as long as the timeout
		time.Sleep(90 * time.Minute)
		n, err := m.CleanupIdle(t.Context(), time.Nanosecond)
		require.NoError(t, err)
		require.Zero(t, n)
		all.Wait()
		time.Sleep(30 * time.Minute) // idle counts from the end of the call, not from its beginning
		n, err = m.CleanupIdle(t.Context(), 0)
		require.NoError(t, err)
		require.Zero(t, n)

		put(t, s, "file", "text")
		r, err := s.Read(t.Context(), "file", nil)
		require.NoError(t, err)
		time.Sleep(2 * time.Hour)
		n, err = m.CleanupIdle(t.Context(), 0)
		require.NoError(t, err)
		require.Zero(t, n, "an open reader is a call under way")
		_, err = io.ReadAll(r)
		require.NoError(t, err)
		require.NoError(t, r.Close())
		time.Sleep(2 * time.Hour)
		n, err = m.CleanupIdle(t.Context(), 0)
		require.NoError(t, err)
		require.Equal(t, 1, n)
	})
}

func TestAskingForASessionIsUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := manage(t, fake.New(nil))
		s := get(t, m, "alice")
		for range 5 {
			time.Sleep(45 * time.Minute)
			require.Same(t, s, get(t, m, "alice"))
			n, err := m.CleanupIdle(t.Context(), 0)
			require.NoError(t, err)
			require.Zero(t, n)
		}
	})
}

func TestCleanupSurvivesAFailingPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := fake.New(nil)
		m := manage(t, d, func(o *sessions.Options) { o.IdleTimeout = time.Minute })
		m.StartCleanup(time.Minute)
		m.StartCleanup(time.Second) // does nothing
		get(t, m, "alice")
		get(t, m, "bob")
		d.Inject(fake.RemoveFails)
		time.Sleep(5*time.Minute + time.Second)
		require.Zero(t, m.Len())
		require.Len(t, d.Owned("app"), 2, "which cannot be removed")
		d.Clear(fake.RemoveFails)
		time.Sleep(time.Minute)
		require.Empty(t, d.Owned("app"), "and is tried again")
		m.StopCleanup()
		m.StopCleanup()
		get(t, m, "alice")
		time.Sleep(time.Hour)
		require.Equal(t, 1, m.Len())
		m.StartCleanup(0)
		synctest.Wait()
		require.Zero(t, m.Len(), "the first pass is made at once")
	})
}

func TestWhatCouldNotBeEndedIsNotForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := fake.New(nil)
		m := manage(t, d, func(o *sessions.Options) { o.MaxSessions = 1 })
		put(t, get(t, m, "alice"), "file", "text")
		d.Inject(fake.RemoveFails)
		require.Error(t, m.Hibernate(t.Context(), "alice"))
		_, err := m.GetOrCreate(t.Context(), "bob", nil)
		require.ErrorIs(t, err, core.ErrLimit, "its sandbox is still there")
		_, err = m.GetOrCreate(t.Context(), "alice", nil)
		require.ErrorIs(t, err, core.ErrUnavailable, "two sandboxes for an id")
		d.Clear(fake.RemoveFails)
		require.Equal(t, "text", read(t, get(t, m, "alice"), "file"))
		require.Len(t, d.Owned("app"), 1)
	})
}

func TestShutdownDrains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := fake.New(nil)
		m := manage(t, d)
		s := get(t, m, "alice")
		get(t, m, "bob")
		var all sync.WaitGroup
		all.Go(func() {
			res, err := s.Execute(t.Context(), core.Shell("sleep 60; echo done"))
			require.NoError(t, err)
			require.Equal(t, "done\n", res.Stdout.String())
		})
		synctest.Wait()
		began := time.Now()
		all.Go(func() {
			n, err := m.Shutdown(t.Context())
			require.NoError(t, err)
			require.Equal(t, 2, n)
			require.Equal(t, time.Minute, time.Since(began))
		})
		synctest.Wait()
		_, err := s.Execute(t.Context(), core.Shell("true"))
		require.ErrorIs(t, err, core.ErrStopped)
		_, err = m.GetOrCreate(t.Context(), "alice", nil)
		require.ErrorIs(t, err, core.ErrStopped)
		all.Wait()
		n, err := m.Shutdown(t.Context())
		require.NoError(t, err)
		require.Zero(t, n)
	})
}

// Idle clean-up does not end what Shutdown waits for, whoever calls it.
func TestShutdownDrainsBesideACleanup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := manage(t, fake.New(nil))
		said := background(t, get(t, m, "alice"), "sleep 60; echo done")
		synctest.Wait()
		down := make(chan int, 1)
		go func() {
			n, err := m.Shutdown(context.Background())
			if err != nil {
				t.Error(err)
			}
			down <- n
		}()
		synctest.Wait()
		n, err := m.CleanupIdle(t.Context(), 0)
		require.NoError(t, err)
		require.Zero(t, n)
		require.Equal(t, "done\n", <-said)
		require.Equal(t, 1, <-down)
	})
}

func TestShutdownCutsOffWhenItsContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := fake.New(nil)
		m := manage(t, d)
		s := get(t, m, "alice")
		var all sync.WaitGroup
		all.Go(func() {
			_, err := s.Execute(t.Context(), core.Shell("sleep 6000"))
			require.ErrorIs(t, err, core.ErrStopped)
		})
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		n, err := m.Shutdown(ctx)
		require.NoError(t, err)
		require.Equal(t, 1, n)
		require.Empty(t, d.Owned("app"))
		all.Wait()
	})
}

func TestShutdownEndsCreations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &slow{Driver: fake.New(nil), takes: time.Hour}
		m := manageOn(t, d, &sessions.Options{})
		var all sync.WaitGroup
		all.Go(func() {
			_, err := m.GetOrCreate(t.Context(), "alice", nil)
			if !errors.Is(err, core.ErrStopped) || errors.Is(err, context.Canceled) {
				t.Errorf("expected ErrStopped alone, got %v", err)
			}
		})
		synctest.Wait()
		began := time.Now()
		n, err := m.Shutdown(t.Context())
		require.NoError(t, err)
		require.Zero(t, n)
		require.Less(t, time.Since(began), time.Minute)
		all.Wait()
		require.Empty(t, d.Owned(""))
	})
}

func TestShutdownCountsOnlyWhatItHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := fake.New(nil)
		m := manage(t, d)
		get(t, m, "alice")
		get(t, m, "bob")
		d.Inject(fake.RemoveFails)
		n, err := m.Shutdown(t.Context())
		require.ErrorIs(t, err, core.ErrUnavailable)
		require.Zero(t, n)
		d.Clear(fake.RemoveFails)
		n, err = m.Shutdown(t.Context())
		require.NoError(t, err)
		require.Equal(t, 2, n)
	})
}

func TestFilesOutliveAShutdownOnlyWithAnOwner(t *testing.T) {
	d := fake.New(nil)
	for _, owner := range []string{"app", ""} {
		m, err := sessions.New(d, &sessions.Options{DefaultRuntime: debian, Owner: owner})
		require.NoError(t, err)
		put(t, get(t, m, "alice"), "file", "text")
		put(t, get(t, m, "bob"), "file", "text")
		require.NoError(t, m.Hibernate(t.Context(), "bob"))
		_, err = m.Shutdown(t.Context())
		require.NoError(t, err)
		left, err := d.Collect(t.Context(), &core.CollectOptions{Owner: m.Owner(), Workspaces: true, MinAge: -1, DryRun: true})
		require.NoError(t, err)
		if owner == "" {
			require.Empty(t, left)
		} else {
			require.Len(t, left, 2)
		}
	}
	require.Equal(t, "text", read(t, get(t, manage(t, d), "alice"), "file"))
}
