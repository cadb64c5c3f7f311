package sessions_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/drivers/fake"
	"github.com/caisson-dev/caisson/sessions"
)

// sticky is a driver that cannot remove files while it is stuck.
type sticky struct {
	*fake.Driver
	stuck atomic.Bool
}

func (d *sticky) RemoveWorkspace(ctx context.Context, owner, name string) error {
	if d.stuck.Load() {
		return core.Errorf(core.ErrUnavailable, "remove workspace", "stuck")
	}
	return d.Driver.RemoveWorkspace(ctx, owner, name)
}

// workspaces returns the names of those that an owner has on the engine.
func workspaces(t *testing.T, d *fake.Driver, owner string) (names []string) {
	t.Helper()
	all, err := d.Collect(t.Context(), &core.CollectOptions{Owner: owner, Workspaces: true, MinAge: -1, DryRun: true})
	require.NoError(t, err)
	for _, l := range all {
		names = append(names, l.Workspace)
	}
	return names
}

// removals are the ways in which a removal can fail for a moment.
var removals = map[string]func(d *sticky, fails bool){
	"sandbox": func(d *sticky, fails bool) {
		if fails {
			d.Inject(fake.RemoveFails)
		} else {
			d.Clear(fake.RemoveFails)
		}
	},
	"files": func(d *sticky, fails bool) { d.stuck.Store(fails) },
}

// afterwards is what can come next for a session that could not be ended.
var afterwards = map[string]func(t *testing.T, m *sessions.Manager){
	"clean-up": func(t *testing.T, m *sessions.Manager) {
		_, err := m.CleanupIdle(t.Context(), 0)
		require.NoError(t, err)
	},
	"get": func(t *testing.T, m *sessions.Manager) {
		missing(t, get(t, m, "alice"), "file")
		require.NoError(t, get(t, m, "alice").Stop(t.Context()))
	},
	"release": func(t *testing.T, m *sessions.Manager) {
		_, err := m.Release(t.Context(), "alice")
		require.NoError(t, err)
	},
	"hibernate": func(t *testing.T, m *sessions.Manager) { require.NoError(t, m.Hibernate(t.Context(), "alice")) },
	"shutdown": func(t *testing.T, m *sessions.Manager) {
		_, err := m.Shutdown(t.Context())
		require.NoError(t, err)
	},
}

// TestReleaseThatFailedStaysARelease holds whatever ends the session at last to
// what the caller wanted: that nothing is left, and nobody gets the files.
func TestReleaseThatFailedStaysARelease(t *testing.T) {
	before := map[string]func(t *testing.T, m *sessions.Manager){
		"live":        func(*testing.T, *sessions.Manager) {},
		"hibernating": func(t *testing.T, m *sessions.Manager) { require.NoError(t, m.Hibernate(t.Context(), "alice")) },
	}
	for state, prepare := range before {
		for fault, fails := range removals {
			if state == "hibernating" && fault == "sandbox" {
				continue // it has none
			}
			for next, then := range afterwards {
				t.Run(state+"/"+fault+"/"+next, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						d := &sticky{Driver: fake.New(nil)}
						m := manageOn(t, d, &sessions.Options{Owner: "app", MaxSessions: 1})
						put(t, get(t, m, "alice"), "file", "text")
						prepare(t, m)
						fails(d, true)
						_, err := m.Release(t.Context(), "alice")
						require.ErrorIs(t, err, core.ErrUnavailable)
						_, err = m.GetOrCreate(t.Context(), "alice", nil)
						require.ErrorIs(t, err, core.ErrUnavailable, "with what it had")
						fails(d, false)
						then(t, m)
						require.Empty(t, workspaces(t, d.Driver, "app"))
						require.Empty(t, d.Owned("app"))
						require.Zero(t, m.Len())
						if next != "shutdown" {
							get(t, m, "bob") // the place is free
						}
					})
				})
			}
		}
	}
}

func TestReleaseWinsOverWhatFailedBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &sticky{Driver: fake.New(nil)}
		m := manageOn(t, d, &sessions.Options{Owner: "app"})
		put(t, get(t, m, "alice"), "file", "text")
		d.Inject(fake.RemoveFails)
		require.ErrorIs(t, m.Hibernate(t.Context(), "alice"), core.ErrUnavailable)
		_, err := m.Release(t.Context(), "alice")
		require.ErrorIs(t, err, core.ErrUnavailable)
		d.Clear(fake.RemoveFails)
		_, err = m.CleanupIdle(t.Context(), 0)
		require.NoError(t, err)
		require.Empty(t, workspaces(t, d.Driver, "app"))
	})
}

func TestReleaseThatFailedCopiesFilesOnce(t *testing.T) {
	for fault, fails := range removals {
		t.Run(fault, func(t *testing.T) {
			root, option := mirrored(t)
			d := &sticky{Driver: fake.New(nil)}
			o := &sessions.Options{Owner: "app"}
			option(o)
			m := manageOn(t, d, o)
			put(t, get(t, m, "alice"), "file", "text")
			fails(d, true)
			_, err := m.Release(t.Context(), "alice")
			require.ErrorIs(t, err, core.ErrUnavailable)
			fails(d, false)
			_, err = m.CleanupIdle(t.Context(), 0)
			require.NoError(t, err)
			require.Empty(t, workspaces(t, d.Driver, "app"))
			require.Contains(t, tree(t, root), sessions.DirName("alice")+"/file")
		})
	}
}

func TestEphemeralFilesEndWithTheSandbox(t *testing.T) {
	ends := map[string]func(t *testing.T, d *sticky, m *sessions.Manager){
		"clean-up-that-failed": func(t *testing.T, d *sticky, m *sessions.Manager) {
			time.Sleep(2 * sessions.DefaultIdleTimeout)
			d.Inject(fake.RemoveFails)
			_, err := m.CleanupIdle(t.Context(), 0)
			require.ErrorIs(t, err, core.ErrUnavailable)
			d.Clear(fake.RemoveFails)
		},
		"lost": func(_ *testing.T, d *sticky, _ *sessions.Manager) {
			d.Lose(d.Owned("app")[0])
			synctest.Wait()
		},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &sticky{Driver: fake.New(nil)}
				m := manageOn(t, d, &sessions.Options{Owner: "app", Ephemeral: true})
				put(t, get(t, m, "alice"), "file", "text")
				end(t, d, m)
				missing(t, get(t, m, "alice"), "file")
			})
		})
	}
}

// Neither who comes back after a crash finds the files, nor does the engine keep those of who does not.
func TestEphemeralFilesEndWithACrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := fake.New(nil)
		before, err := sessions.New(d, &sessions.Options{DefaultRuntime: debian, Owner: "app", Ephemeral: true})
		require.NoError(t, err)
		for _, id := range []string{"alice", "carol"} {
			put(t, get(t, before, id), "file", "text")
		}
		d.Crash()
		time.Sleep(2 * core.DefaultMinAge)
		next := d.Sibling()
		left := func() (names []string) {
			found, err := next.Collect(t.Context(), &core.CollectOptions{Owner: "app", Workspaces: true, MinAge: -1, DryRun: true})
			require.NoError(t, err)
			for _, l := range found {
				names = append(names, l.Kind)
			}
			return names
		}
		require.Equal(t, []string{core.LeftoverWorkspace, core.LeftoverWorkspace}, left())
		m := manageOn(t, next, &sessions.Options{Owner: "app", Ephemeral: true, IdleTimeout: -1})
		missing(t, get(t, m, "alice"), "file")
		put(t, get(t, m, "alice"), "file", "text")
		time.Sleep(2 * core.DefaultMinAge)
		m.StartCleanup(0)
		synctest.Wait()
		require.Equal(t, "text", read(t, get(t, m, "alice"), "file"))
		require.Equal(t, []string{core.LeftoverSandbox, core.LeftoverWorkspace}, left(), "of who lives")
	})
}

func TestEphemeralSessionThatAnotherProcessTookIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := fake.New(nil)
		m := manageOn(t, d, &sessions.Options{Owner: "app", Ephemeral: true})
		put(t, get(t, m, "alice"), "file", "text")
		other := manageOn(t, d.Sibling(), &sessions.Options{Owner: "app", Ephemeral: true})
		n, err := other.Adopt(t.Context())
		require.NoError(t, err)
		require.Equal(t, 1, n)
		synctest.Wait()
		require.Equal(t, "text", read(t, get(t, m, "alice"), "file"), "it is taken back")
		n, err = other.Shutdown(t.Context())
		require.NoError(t, err)
		require.Equal(t, 1, n)
		require.Equal(t, "text", read(t, get(t, m, "alice"), "file"), "its files are not the other's any more")
	})
}
