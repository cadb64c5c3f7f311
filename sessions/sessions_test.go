package sessions_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/drivers/fake"
	"github.com/caisson-dev/caisson/sessions"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var debian = &core.Runtime{Name: "debian", Image: "debian:bookworm"}

// manage returns a manager that is shut down at the end of the test, after which
// none of its sandboxes may be left.
func manage(t *testing.T, d *fake.Driver, change ...func(*sessions.Options)) *sessions.Manager {
	t.Helper()
	o := &sessions.Options{DefaultRuntime: debian, Owner: "app"}
	for _, f := range change {
		f(o)
	}
	m, err := sessions.New(d, o)
	require.NoError(t, err)
	t.Cleanup(func() {
		_, err := m.Shutdown(context.Background())
		require.NoError(t, err)
		require.Empty(t, d.Owned(m.Owner()), "sandboxes that Shutdown has left")
	})
	return m
}

func get(t *testing.T, m *sessions.Manager, id string) *sessions.Session {
	t.Helper()
	s, err := m.GetOrCreate(t.Context(), id, nil)
	require.NoError(t, err, "GetOrCreate(%q)", id)
	return s
}

func sh(t *testing.T, b core.Backend, script string) string {
	t.Helper()
	res, err := b.Execute(t.Context(), core.Shell(script))
	require.NoError(t, err, "Execute(%q)", script)
	require.True(t, res.Success(), "Execute(%q): exit %d: %s", script, res.ExitCode, res.Stderr.String())
	return res.Stdout.String()
}

// background runs a script meanwhile, and sends what it has said.
func background(t *testing.T, b core.Backend, script string) <-chan string {
	t.Helper()
	said := make(chan string, 1)
	go func() {
		res, err := b.Execute(t.Context(), core.Shell(script))
		if err != nil {
			t.Errorf("Execute(%q): %v", script, err)
			close(said)
			return
		}
		said <- res.Stdout.String()
	}()
	return said
}

func put(t *testing.T, b core.Backend, path, text string) {
	t.Helper()
	require.NoError(t, b.Upload(t.Context(), path, strings.NewReader(text), nil), "Upload(%q)", path)
}

func read(t *testing.T, b core.Backend, path string) string {
	t.Helper()
	r, err := b.Read(t.Context(), path, nil)
	require.NoError(t, err, "Read(%q)", path)
	text, err := io.ReadAll(r)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	return string(text)
}

func missing(t *testing.T, b core.Backend, path string) {
	t.Helper()
	r, err := b.Read(t.Context(), path, nil)
	if err == nil {
		err = r.Close() // else the session is in use for ever
	}
	require.ErrorIs(t, err, core.ErrNotFound, "Read(%q)", path)
}

func TestSessionStaysTheSame(t *testing.T) {
	m := manage(t, fake.New(nil))
	s := get(t, m, "alice")
	sh(t, s, "echo hello > greeting.txt; sleep 1000 &")
	again := get(t, m, "alice")
	require.Same(t, s, again)
	require.Equal(t, "hello\n", sh(t, again, "cat greeting.txt"))
	require.NotSame(t, s, get(t, m, "bob"))
	missing(t, get(t, m, "bob"), "greeting.txt")
	require.Equal(t, 2, m.Len())
	require.True(t, m.Has("alice"))
	require.False(t, m.Has("carol"))
	require.Equal(t, []string{"alice", "bob"}, ids(m))
}

func ids(m *sessions.Manager) []string {
	var list []string
	for _, s := range m.All() {
		list = append(list, s.ID())
	}
	return list
}

func TestReleaseRemovesEverything(t *testing.T) {
	d := fake.New(nil)
	m := manage(t, d)
	s := get(t, m, "alice")
	put(t, s, "file", "text")
	released, err := m.Release(t.Context(), "alice")
	require.NoError(t, err)
	require.True(t, released)
	require.Empty(t, d.Owned("app"))
	require.False(t, m.Has("alice"))
	_, err = s.Execute(t.Context(), core.Shell("true"))
	require.ErrorIs(t, err, core.ErrStopped)
	_, err = s.List(t.Context(), ".")
	require.ErrorIs(t, err, core.ErrStopped)
	missing(t, get(t, m, "alice"), "file")

	released, err = m.Release(t.Context(), "nobody")
	require.NoError(t, err)
	require.False(t, released)
}

func TestHibernateKeepsFiles(t *testing.T) {
	d := fake.New(nil)
	m := manage(t, d)
	s := get(t, m, "alice")
	put(t, s, "dir/file", "text")
	require.NoError(t, m.Hibernate(t.Context(), "alice"))
	require.NoError(t, m.Hibernate(t.Context(), "alice"), "what hibernates already")
	require.Empty(t, d.Owned("app"))
	require.Zero(t, m.Len())
	require.ErrorIs(t, s.Upload(t.Context(), "x", strings.NewReader(""), nil), core.ErrStopped)
	require.Equal(t, "text", read(t, get(t, m, "alice"), "dir/file"))

	require.NoError(t, m.Hibernate(t.Context(), "alice"))
	released, err := m.Release(t.Context(), "alice")
	require.NoError(t, err)
	require.False(t, released, "it did not live")
	missing(t, get(t, m, "alice"), "dir/file")
}

func TestStopReleasesThisSessionOnly(t *testing.T) {
	m := manage(t, fake.New(nil))
	old := get(t, m, "alice")
	require.NoError(t, old.Stop(t.Context()))
	next := get(t, m, "alice")
	put(t, next, "file", "text")
	require.NoError(t, old.Stop(t.Context()))
	require.Equal(t, "text", read(t, next, "file"))
}

func TestLostSandboxIsReplacedWithItsFiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := fake.New(nil)
		var lost []sessions.Event
		m := manage(t, d, func(o *sessions.Options) {
			o.Hooks.Released = func(_ context.Context, e sessions.Event) { lost = append(lost, e) }
		})
		s := get(t, m, "alice")
		put(t, s, "file", "text")
		d.Lose(d.Owned("app")[0])
		synctest.Wait()
		next := get(t, m, "alice")
		require.NotSame(t, s, next, "that it is lost is known without a call")
		require.Equal(t, "text", read(t, next, "file"))
		_, err := s.Execute(t.Context(), core.Shell("true"))
		require.ErrorIs(t, err, core.ErrLost)
		require.NoError(t, s.Stop(t.Context()), "it leaves the session to its successor")
		require.Equal(t, "text", read(t, next, "file"))
		require.Len(t, lost, 1)
		require.Equal(t, sessions.ReasonLost, lost[0].Reason)
		require.True(t, lost[0].Kept)
	})
}

func TestDeadRunnerIsNoDeadSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := fake.New(nil)
		m := manage(t, d)
		s := get(t, m, "alice")
		d.Inject(fake.RunnerCrash)
		_, err := s.Execute(t.Context(), core.Shell("sleep 10"))
		require.ErrorIs(t, err, core.ErrIndeterminate)
		d.Clear(fake.RunnerCrash)
		require.Same(t, s, get(t, m, "alice"))
	})
}

func TestEngineGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := fake.New(nil)
		m := manage(t, d)
		s := get(t, m, "alice")
		put(t, s, "file", "text")
		d.Inject(fake.EngineGone)
		synctest.Wait()
		_, err := m.GetOrCreate(t.Context(), "alice", nil)
		require.ErrorIs(t, err, core.ErrUnavailable)
		_, err = m.GetOrCreate(t.Context(), "bob", nil)
		require.ErrorIs(t, err, core.ErrUnavailable)
		require.False(t, m.Has("bob"))
		_, err = m.Release(t.Context(), "alice")
		require.ErrorIs(t, err, core.ErrUnavailable)
		d.Clear(fake.EngineGone)
		missing(t, get(t, m, "alice"), "file") // a release that failed is made up for
	})
}

func TestAnotherRuntimeIsAConflict(t *testing.T) {
	m := manage(t, fake.New(nil))
	python := &core.Runtime{Name: "python", Image: "python:3.12"}
	s := get(t, m, "alice")
	_, err := m.GetOrCreate(t.Context(), "alice", &sessions.GetOptions{Runtime: python})
	require.ErrorIs(t, err, core.ErrConflict)
	require.ErrorContains(t, err, "another runtime")
	same := *debian
	same.Description = "described in other words"
	again, err := m.GetOrCreate(t.Context(), "alice", &sessions.GetOptions{Runtime: &same})
	require.NoError(t, err)
	require.Same(t, s, again)

	put(t, s, "file", "text")
	require.NoError(t, m.Hibernate(t.Context(), "alice"))
	other, err := m.GetOrCreate(t.Context(), "alice", &sessions.GetOptions{Runtime: python})
	require.NoError(t, err)
	require.Equal(t, "text", read(t, other, "file"))
	require.Same(t, other, get(t, m, "alice"), "no runtime is any runtime")
}

func TestFailedCreationLeavesNothing(t *testing.T) {
	d := fake.New(nil)
	var failed []string
	m := manage(t, d, func(o *sessions.Options) {
		o.MaxSessions = 1
		o.Hooks.Failed = func(_ context.Context, e sessions.Event) { failed = append(failed, e.Session) }
	})
	d.Inject(fake.StartFails)
	_, err := m.GetOrCreate(t.Context(), "alice", nil)
	require.ErrorIs(t, err, core.ErrResource)
	require.Zero(t, m.Len())
	require.Equal(t, []string{"alice"}, failed)
	d.Clear(fake.StartFails)
	get(t, m, "bob") // the place is free
}

func TestMaxSessions(t *testing.T) {
	m := manage(t, fake.New(nil), func(o *sessions.Options) { o.MaxSessions = 2 })
	get(t, m, "alice")
	get(t, m, "bob")
	_, err := m.GetOrCreate(t.Context(), "carol", nil)
	require.ErrorIs(t, err, core.ErrLimit)
	get(t, m, "alice")
	_, err = m.Release(t.Context(), "carol")
	require.NoError(t, err)
	_, err = m.Release(t.Context(), "bob")
	require.NoError(t, err)
	get(t, m, "carol")
}

func TestAnyIDIsSafe(t *testing.T) {
	d := fake.New(nil)
	m := manage(t, d, func(o *sessions.Options) { o.WorkspaceRoot = t.TempDir() })
	all := []string{
		"../../etc", "a/b", "a:b", "a b", "-rf", ".", "..", "\x00", "\xff\xfe", "💥", "a\nb", "%2e", "session/a", "CON",
		strings.Repeat("x", sessions.MaxIDBytes), strings.Repeat("\xff", sessions.MaxIDBytes),
	}
	for i, id := range all {
		put(t, get(t, m, id), "file", fmt.Sprint(i))
	}
	list, err := sessions.List(t.Context(), d, "app")
	require.NoError(t, err)
	var listed []string
	for _, info := range list {
		listed = append(listed, info.ID)
	}
	require.ElementsMatch(t, all, listed)
	for i, id := range all {
		require.NoError(t, m.Hibernate(t.Context(), id))
		require.Equal(t, fmt.Sprint(i), read(t, get(t, m, id), "file"))
	}
	for _, id := range []string{"", strings.Repeat("x", sessions.MaxIDBytes+1)} {
		_, err := m.GetOrCreate(t.Context(), id, nil)
		require.ErrorIs(t, err, core.ErrInvalid)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	d := fake.New(nil)
	for name, o := range map[string]*sessions.Options{
		"spec-workspace": {DefaultRuntime: debian, Spec: core.Spec{Workspace: "x"}},
		"spec-owner":     {DefaultRuntime: debian, Spec: core.Spec{Owner: "x"}},
		"spec-profile":   {DefaultRuntime: debian, Spec: core.Spec{Profile: "none"}},
		"runtime":        {DefaultRuntime: &core.Runtime{}},
		"max":            {DefaultRuntime: debian, MaxSessions: -1},
		"lease":          {DefaultRuntime: debian, Lease: 1},
		"pool":           {DefaultRuntime: debian, Pool: &sessions.PoolOptions{Min: 3, Max: 2}},
		"pool-runtime":   {Pool: &sessions.PoolOptions{}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := sessions.New(d, o)
			require.ErrorIs(t, err, core.ErrInvalid)
		})
	}
	_, err := sessions.New(nil, nil)
	require.ErrorIs(t, err, core.ErrInvalid)
	m, err := sessions.New(d, nil)
	require.NoError(t, err)
	_, err = m.GetOrCreate(t.Context(), "alice", nil)
	require.ErrorIs(t, err, core.ErrInvalid, "no runtime")
	n, err := m.Shutdown(t.Context())
	require.NoError(t, err)
	require.Zero(t, n)
}
