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

// crash makes a manager on a process of its own and sessions in it, and kills the process.
func crash(t *testing.T, d *fake.Driver, change func(*sessions.Options), ids ...string) {
	t.Helper()
	dead := d.Sibling()
	o := &sessions.Options{DefaultRuntime: debian, Owner: "app"}
	if change != nil {
		change(o)
	}
	m, err := sessions.New(dead, o)
	require.NoError(t, err)
	synctest.Wait() // for the pool
	for _, id := range ids {
		put(t, get(t, m, id), "file", "of "+id)
	}
	synctest.Wait()
	dead.Crash()
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_, _ = m.Shutdown(ctx) // only its goroutines are left
	})
}

func TestAdoptTakesOverWhatACrashHasLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := fake.New(nil)
		crash(t, d, nil, "alice", "bob", "a/../b\x00")
		crash(t, d, func(o *sessions.Options) { o.Owner = "another" }, "alice")
		before := d.Owned("app")

		var mu sync.Mutex
		var adopted []string
		m := manage(t, d, func(o *sessions.Options) {
			o.Hooks.Adopted = func(_ context.Context, e sessions.Event) {
				mu.Lock()
				defer mu.Unlock()
				adopted = append(adopted, e.Session)
			}
		})
		n, err := m.Adopt(t.Context())
		require.NoError(t, err)
		require.Equal(t, 3, n)
		require.ElementsMatch(t, []string{"alice", "bob", "a/../b\x00"}, adopted)
		require.Equal(t, 3, m.Len())
		require.Equal(t, "of alice", read(t, get(t, m, "alice"), "file"))
		require.Equal(t, before, d.Owned("app"), "no sandbox is new")

		n, err = m.Adopt(t.Context())
		require.NoError(t, err)
		require.Zero(t, n)
		time.Sleep(3 * time.Minute)
		require.Equal(t, "of bob", read(t, get(t, m, "bob"), "file"), "its lease is renewed again")
		require.Empty(t, d.Owned("another"), "its lease has ended it")
	})
}

func TestGetOrCreateAdopts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := fake.New(nil)
		crash(t, d, nil, "alice")
		before := d.Owned("app")
		m := manage(t, d)
		require.Equal(t, "of alice", read(t, get(t, m, "alice"), "file"))
		require.Equal(t, before, d.Owned("app"))
	})
}

func TestFilesAreThereAfterTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := fake.New(nil)
		crash(t, d, nil, "alice")
		time.Sleep(sessions.DefaultLease + time.Second)
		require.Empty(t, d.Owned("app"))
		require.Equal(t, "of alice", read(t, get(t, manage(t, d), "alice"), "file"))
	})
}

func TestAnotherSpecIsNotAdopted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := fake.New(nil)
		crash(t, d, nil, "alice", "bob")
		before := d.Owned("app")
		m := manage(t, d, func(o *sessions.Options) { o.Spec.Limits.Memory = 64 << 20 })
		n, err := m.Adopt(t.Context())
		require.NoError(t, err)
		require.Zero(t, n)
		require.Zero(t, m.Len())
		require.Equal(t, "of alice", read(t, get(t, m, "alice"), "file"), "its files are")
		require.NotEqual(t, before, d.Owned("app"))
		require.Len(t, d.Owned("app"), 2)
		time.Sleep(sessions.DefaultLease + time.Second)
		require.Len(t, d.Owned("app"), 1, "the lease ends the other")
	})
}

// slowAttach takes an hour to attach, unless its context ends.
type slowAttach struct{ *fake.Driver }

func (d slowAttach) Attach(ctx context.Context, id string, spec *core.Spec) (core.Backend, error) {
	select {
	case <-time.After(time.Hour):
		return d.Driver.Attach(ctx, id, spec)
	case <-ctx.Done():
		return nil, core.Ended(ctx)
	}
}

func TestAdoptEndsWithItsContextAndWithTheManager(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := fake.New(nil)
		before := manage(t, d)
		get(t, before, "alice")
		m := manageOn(t, slowAttach{d.Sibling()}, &sessions.Options{Owner: "app"})
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := m.Adopt(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, time.Second, time.Since(began))
		m.StartCleanup(0)
		synctest.Wait()
		_, err = m.Shutdown(t.Context())
		require.NoError(t, err)
		require.Equal(t, time.Second, time.Since(began))
	})
}

func TestAdoptKeepsToTheMaximum(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := fake.New(nil)
		crash(t, d, nil, "alice", "bob", "carol")
		m := manage(t, d, func(o *sessions.Options) { o.MaxSessions = 2 })
		n, err := m.Adopt(t.Context())
		require.NoError(t, err)
		require.Equal(t, 2, n)
		time.Sleep(sessions.DefaultLease + time.Second)
		require.Len(t, d.Owned("app"), 2)
	})
}

func TestTheProcessThatComesLaterTakesOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := fake.New(nil)
		first := manage(t, d)
		old := get(t, first, "alice")
		put(t, old, "file", "text")

		second := manageOn(t, d.Sibling(), &sessions.Options{Owner: "app"})
		n, err := second.Adopt(t.Context())
		require.NoError(t, err)
		require.Equal(t, 1, n)
		synctest.Wait()
		_, err = old.Execute(t.Context(), core.Shell("true"))
		require.ErrorIs(t, err, core.ErrConflict)
		require.Equal(t, "text", read(t, get(t, second, "alice"), "file"))
		require.Len(t, d.Owned("app"), 1)

		// The first may go on, and then has it again.
		require.Equal(t, "text", read(t, get(t, first, "alice"), "file"))
		require.Len(t, d.Owned("app"), 1)
		_, err = second.Shutdown(t.Context())
		require.NoError(t, err)
		require.Equal(t, "text", read(t, get(t, first, "alice"), "file"), "it leaves what it has lost")
	})
}

func TestManagersOfOtherOwnersDoNotMeet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := fake.New(nil)
		a := manage(t, d)
		b := manage(t, d.Sibling(), func(o *sessions.Options) { o.Owner = "other" })
		for _, m := range []*sessions.Manager{a, b} {
			m.StartCleanup(time.Second)
			put(t, get(t, m, "alice"), "file", m.Owner())
		}
		time.Sleep(10 * time.Minute)
		for _, m := range []*sessions.Manager{a, b} {
			require.Equal(t, m.Owner(), read(t, get(t, m, "alice"), "file"))
		}
		_, err := a.Release(t.Context(), "alice")
		require.NoError(t, err)
		require.Equal(t, "other", read(t, get(t, b, "alice"), "file"))
	})
}

func TestListShowsWhatIsOnTheEngine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := fake.New(nil)
		m := manage(t, d)
		get(t, m, "live")
		get(t, m, "resting")
		require.NoError(t, m.Hibernate(t.Context(), "resting"))
		list, err := sessions.List(t.Context(), d.Sibling(), "app")
		require.NoError(t, err)
		require.Len(t, list, 2)
		require.Equal(t, "live", list[0].ID)
		require.True(t, list[0].Running)
		require.Equal(t, d.Owned("app")[0], list[0].Sandbox)
		require.Equal(t, "resting", list[1].ID)
		require.Empty(t, list[1].Sandbox)
		_, err = sessions.List(t.Context(), d, "")
		require.ErrorIs(t, err, core.ErrInvalid)
	})
}

func TestReleaseOfWhatAnotherProcessHas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := fake.New(nil)
		first := manage(t, d)
		s := get(t, first, "alice")
		put(t, s, "file", "text")
		_, err := manageOn(t, d.Sibling(), &sessions.Options{Owner: "app"}).Release(t.Context(), "alice")
		require.NoError(t, err)
		require.Empty(t, d.Owned("app"))
		synctest.Wait()
		missing(t, get(t, first, "alice"), "file")
	})
}
