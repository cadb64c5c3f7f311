package sessions_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
	_ "github.com/caisson-dev/caisson/drivers/docker"
	_ "github.com/caisson-dev/caisson/drivers/podman"
	"github.com/caisson-dev/caisson/internal/enginetest"
	"github.com/caisson-dev/caisson/sessions"
)

// engine is an engine on which the tests have an owner of their own.
type engine struct {
	scheme string
	driver core.Driver
	owner  string
}

// childVariable makes TestEngine a process that has sessions and waits to be killed.
const childVariable = "CAISSON_SESSIONS_CHILD"

func TestEngine(t *testing.T) {
	for _, scheme := range []string{"docker", "podman"} {
		t.Run(scheme, func(t *testing.T) {
			e := &engine{scheme: scheme, driver: enginetest.Open(t, scheme), owner: os.Getenv(childVariable)}
			if first := os.Getenv(victimVariable); first != "" {
				e.victim(t, first)
			} else if e.owner != "" {
				e.child(t)
			}
			e.owner = "sessions-test-" + strings.ToLower(rand.Text())
			t.Cleanup(func() { e.clear(t) })
			for name, test := range map[string]func(*testing.T){
				"guide": e.guide, "one-sandbox": e.oneSandbox, "loss": e.loss, "crash": e.crash, "takeover": e.takeover, "pool": e.pool, "archive": e.archive, "visit": e.visit, "live": e.live, "killed": e.killedAnywhere, "storm": e.storm,
			} {
				t.Run(name, test)
			}
		})
	}
}

// clear removes the files that sessions have kept, and finds fault with what should not be there.
func (e *engine) clear(t *testing.T) {
	collector, _ := core.AsDriver[core.Collector](e.driver)
	_, err := collector.Collect(context.Background(), &core.CollectOptions{
		Owner: e.owner, Workspaces: true, MinAge: -time.Hour,
		Keep: func(l core.Leftover) bool {
			// The process that was killed may have created a warm sandbox and not started it yet.
			if l.Owner == e.owner && l.Kind != core.LeftoverWorkspace && !strings.HasPrefix(l.Workspace, "pool/") {
				t.Errorf("%s %s is left", l.Kind, l.ID)
			}
			return l.Owner != e.owner
		},
	})
	require.NoError(t, err)
	require.Empty(t, e.objects(t))
}

func (e *engine) objects(t *testing.T) []string {
	return enginetest.Objects(t, e.scheme, core.LabelPrefix+".owner="+e.owner)
}

func (e *engine) manage(t *testing.T, change ...func(*sessions.Options)) *sessions.Manager {
	return e.manageOn(t, e.driver, change...)
}

func (e *engine) manageOn(t *testing.T, d core.Driver, change ...func(*sessions.Options)) *sessions.Manager {
	o := &sessions.Options{DefaultRuntime: &core.Runtime{Image: enginetest.Image()}, Owner: e.owner, Lease: core.MinLease}
	for _, f := range change {
		f(o)
	}
	m, err := sessions.New(d, o)
	require.NoError(t, err)
	t.Cleanup(func() {
		_, err := m.Shutdown(context.Background())
		require.NoError(t, err)
	})
	return m
}

// until waits for what an engine does in its own time.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	began := time.Now()
	for !done() {
		if time.Since(began) > time.Minute {
			t.Fatalf("a minute has passed before %s", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// guide is the example of many users of the reference.
func (e *engine) guide(t *testing.T) {
	m := e.manage(t)
	for _, user := range []string{"alice", "bob", "charlie"} {
		s := get(t, m, "guide/"+user)
		put(t, s, "/uploads/data.csv", "name,value\n"+user+",3\n")
		require.Equal(t, user+",3\n", sh(t, s, "tail -n 1 /uploads/data.csv | tee summary"))
	}
	s := get(t, m, "guide/bob")
	require.Equal(t, "bob,3\n", sh(t, s, "cat summary"))
	require.Equal(t, 3, m.Len())
	_, err := m.GetOrCreate(t.Context(), "guide/alice", &sessions.GetOptions{IdleTimeout: time.Nanosecond})
	require.NoError(t, err)
	n, err := m.CleanupIdle(t.Context(), 0)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.Equal(t, "alice,3\n", sh(t, get(t, m, "guide/alice"), "cat summary; cat /uploads/data.csv >/dev/null"))
	n, err = m.Shutdown(t.Context())
	require.NoError(t, err)
	require.Equal(t, 3, n)
}

func (e *engine) oneSandbox(t *testing.T) {
	m := e.manage(t)
	var got [64]*sessions.Session
	var all sync.WaitGroup
	for i := range got {
		all.Go(func() { got[i], _ = m.GetOrCreate(t.Context(), "one", nil) })
	}
	all.Wait()
	for _, s := range got {
		require.NotNil(t, s)
		require.Same(t, got[0], s)
	}
	list, err := sessions.List(t.Context(), e.driver, e.owner)
	require.NoError(t, err)
	require.Len(t, slices.DeleteFunc(list, func(i sessions.Info) bool { return !i.Running }), 1)
	_, err = m.Release(t.Context(), "one")
	require.NoError(t, err)
}

// loss replaces a sandbox that was killed, and one that was removed, with its files.
func (e *engine) loss(t *testing.T) {
	m := e.manage(t)
	put(t, get(t, m, "loss"), "file", "text")
	for _, how := range []struct{ method, what string }{{http.MethodPost, "kill"}, {http.MethodDelete, "?force=true"}} {
		s := get(t, m, "loss")
		enginetest.Container(t, e.scheme, how.method, s.Sandbox(), how.what)
		until(t, "the loss is noticed", func() bool { return get(t, m, "loss") != s })
		require.Equal(t, "text", read(t, get(t, m, "loss"), "file"))
		_, err := s.Execute(t.Context(), core.Program("true"))
		require.ErrorIs(t, err, core.ErrLost)
	}
	require.NoError(t, m.Hibernate(t.Context(), "loss"))
	require.Equal(t, "text", read(t, get(t, m, "loss"), "file"))
	_, err := m.Release(t.Context(), "loss")
	require.NoError(t, err)
	missing(t, get(t, m, "loss"), "file")
}

// child has two sessions, one of them from a pool, until it is killed.
func (e *engine) child(t *testing.T) {
	m := e.manage(t, func(o *sessions.Options) { o.Pool = &sessions.PoolOptions{Min: 1, Exhausted: sessions.ExhaustedWait} })
	put(t, get(t, m, "crash/warm"), "file", "of warm")
	put(t, get(t, m, "crash/plain"), "file", "of plain")
	_, _ = os.Stdout.WriteString("\nready\n")
	select {}
}

// killed runs a child and kills it.
func (e *engine) killed(t *testing.T) {
	child := e.start(t)
	child.Until("ready")
	child.Kill()
}

// start starts a child.
func (e *engine) start(t *testing.T, env ...string) *enginetest.Child {
	return enginetest.StartChild(t, "^TestEngine$/^"+e.scheme+"$", append(env, childVariable+"="+e.owner)...)
}

// crash finds the sandboxes of a killed process, and after the lease its files.
func (e *engine) crash(t *testing.T) {
	e.killed(t)
	m := e.manage(t)
	n, err := m.Adopt(t.Context())
	require.NoError(t, err)
	require.Equal(t, 2, n)
	for _, id := range []string{"warm", "plain"} {
		require.Equal(t, "of "+id, read(t, get(t, m, "crash/"+id), "file"))
		_, err := m.Release(t.Context(), "crash/"+id)
		require.NoError(t, err)
	}
	_, err = m.Shutdown(t.Context())
	require.NoError(t, err)

	e.killed(t)
	killed := time.Now()
	attacher, _ := core.AsDriver[core.Attacher](e.driver)
	until(t, "the sandboxes are gone", func() bool {
		records, err := attacher.Sandboxes(t.Context(), e.owner)
		require.NoError(t, err)
		return !slices.ContainsFunc(records, func(r core.Record) bool { return r.Running })
	})
	require.Less(t, time.Since(killed), core.MinLease+30*time.Second)
	t.Logf("gone %v after the process, with a lease of %v", time.Since(killed).Round(100*time.Millisecond), core.MinLease)
	m = e.manage(t)
	for _, id := range []string{"warm", "plain"} {
		require.Equal(t, "of "+id, read(t, get(t, m, "crash/"+id), "file"))
	}
}

// takeover hands a session from one manager to another and back.
func (e *engine) takeover(t *testing.T) {
	first := e.manage(t)
	put(t, get(t, first, "takeover"), "file", "text")
	id := get(t, first, "takeover").Sandbox()
	second := e.manageOn(t, enginetest.Open(t, e.scheme))
	require.Equal(t, "text", read(t, get(t, second, "takeover"), "file"))
	require.Equal(t, id, get(t, second, "takeover").Sandbox())
	until(t, "the first has it again", func() bool {
		s, err := first.GetOrCreate(t.Context(), "takeover", nil)
		if err != nil {
			return false
		}
		_, err = s.Stat(t.Context(), "file", false) // can be indeterminate while the one before is being told
		return err == nil && s.Sandbox() == id
	})
	require.Equal(t, "text", read(t, get(t, first, "takeover"), "file"))
	// The one that has lost it leaves it, also if it has had no time to notice.
	_, err := second.Shutdown(t.Context())
	require.NoError(t, err)
	require.Equal(t, "text", read(t, get(t, first, "takeover"), "file"))
	third := e.manageOn(t, enginetest.Open(t, e.scheme))
	get(t, third, "takeover")
	_, err = first.Shutdown(t.Context())
	require.NoError(t, err)
	require.Equal(t, "text", read(t, get(t, third, "takeover"), "file"))
	require.Equal(t, id, get(t, third, "takeover").Sandbox())
}

// live asks for a live session again and again, of which the engine hears nothing.
func (e *engine) live(t *testing.T) {
	url, requests := enginetest.Proxy(t, e.scheme)
	d, err := core.Open(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	m := e.manageOn(t, d, func(o *sessions.Options) { o.Lease = sessions.NoLease })
	s := get(t, m, "live")
	before := requests()
	require.Positive(t, before)
	for range 1000 {
		require.Same(t, s, get(t, m, "live"))
	}
	require.Equal(t, "ok\n", sh(t, s, "echo ok"))
	require.Equal(t, before, requests())
	_, err = m.Release(t.Context(), "live")
	require.NoError(t, err)
	require.Greater(t, requests(), before)
}

// pool gives sessions sandboxes that ran before they were asked for.
func (e *engine) pool(t *testing.T) {
	const users = 6
	created := make(chan sessions.Event, users)
	m := e.manage(t, func(o *sessions.Options) {
		o.Pool = &sessions.PoolOptions{Min: 2, Exhausted: sessions.ExhaustedWait}
		o.Hooks.Created = func(_ context.Context, e sessions.Event) { created <- e }
	})
	attacher, _ := core.AsDriver[core.Attacher](e.driver)
	for i := range users {
		until(t, "the pool is full", func() bool { return m.Warm() == 2 })
		records, err := attacher.Sandboxes(t.Context(), e.owner)
		require.NoError(t, err)
		s := get(t, m, fmt.Sprintf("pool/%d", i))
		require.True(t, (<-created).Warm)
		require.True(t, slices.ContainsFunc(records, func(r core.Record) bool { return r.ID == s.Sandbox() }))
		require.Equal(t, "ok\n", sh(t, s, "echo ok"))
		_, err = m.Release(t.Context(), s.ID())
		require.NoError(t, err)
	}
}

// visit looks into a session of another process, which goes on.
func (e *engine) visit(t *testing.T) {
	m := e.manage(t)
	s := get(t, m, "visit")
	running := background(t, s, "echo began > state; while ! test -e visited; do sleep .1; done; echo ended")
	until(t, "the command runs", func() bool { _, err := s.Stat(t.Context(), "state", false); return err == nil })
	other := enginetest.Open(t, e.scheme)
	sb, err := sessions.Visit(t.Context(), other, e.owner, "visit", nil)
	require.NoError(t, err)
	require.Equal(t, "began\n", sh(t, sb, "cat state; id -u > visited; (while :; do echo >> ticks; sleep .1; done) >/dev/null 2>&1 &"))
	require.NoError(t, sb.Stop(t.Context()))
	require.Equal(t, "ended\n", <-running)
	require.Same(t, s, get(t, m, "visit"))
	require.Equal(t, sh(t, s, "id -u"), read(t, s, "visited"))
	until(t, "what the visit has started has ended with it", func() bool {
		return sh(t, s, "a=$(wc -l < ticks); sleep 1; b=$(wc -l < ticks); [ $a = $b ] && echo still; :") == "still\n"
	})

	require.NoError(t, m.Hibernate(t.Context(), "visit"))
	wake := &sessions.VisitOptions{Wake: &core.Spec{Runtime: &core.Runtime{Image: enginetest.Image()}}}
	sb, err = sessions.Visit(t.Context(), other, e.owner, "visit", wake)
	require.NoError(t, err)
	put(t, sb, "visited", "awake")
	require.Equal(t, "awake", read(t, get(t, m, "visit"), "visited"), "whoever has the session comes first")
	require.NoError(t, sb.Stop(t.Context()))
	require.Equal(t, "awake", read(t, get(t, m, "visit"), "visited"))
}

func (e *engine) archive(t *testing.T) {
	m := e.manage(t)
	a, b := get(t, m, "archive/a"), get(t, m, "archive/b")
	sh(t, a, "mkdir -p d/e shut; ln -s d/file link; echo text > d/file; chmod 750 d/file; head -c 3000000 /dev/urandom > large; chmod 700 shut")
	var out bytes.Buffer
	require.NoError(t, a.Export(t.Context(), &out))
	require.NoError(t, b.Import(t.Context(), &out))
	script := "cat link; stat -c '%n %a %F' d d/e d/file shut link; sha256sum large"
	require.Equal(t, sh(t, a, script), sh(t, b, script))
}
