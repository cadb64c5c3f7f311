package drivertest

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/internal/enginetest"
)

// workspaces keep their files from sandbox to sandbox, of which one at a time has them.
func (s *suite) workspaces(t *testing.T) {
	keeper, ok := core.AsDriver[core.Workspacer](s.driver)
	require.True(t, ok)
	shared := func(spec *core.Spec) { spec.Workspace = "ws/ü \n../x" }
	first := s.start(t, shared)
	sh(t, first, "echo kept > file; echo lost > /tmp/file")
	_, err := core.Start(t.Context(), s.driver, s.spec(shared))
	require.ErrorIs(t, err, core.ErrConflict)
	require.ErrorContains(t, err, "the workspace is in use by the sandbox "+name(t, first))
	require.Equal(t, "kept\n", sh(t, first, "cat file"), "a start that was refused took the sandbox along")
	cut, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = core.Start(cut, s.driver, s.spec(shared))
	require.ErrorIs(t, err, context.Canceled)
	_, err = core.Start(t.Context(), s.driver, s.spec(shared, func(spec *core.Spec) { spec.Network = "no-such-network" }))
	require.Error(t, err)
	require.Equal(t, "kept\n", sh(t, first, "cat file"), "a start that failed took the sandbox along")
	require.ErrorIs(t, keeper.RemoveWorkspace(t.Context(), s.owner, "ws/ü \n../x"), core.ErrConflict)
	other := s.start(t, func(spec *core.Spec) { spec.Workspace = "ws/ü \n../X" })
	require.Equal(t, "none\n", sh(t, other, "cat file 2>/dev/null || echo none"))
	require.NoError(t, first.Stop(t.Context()))

	second := s.start(t, shared)
	require.Equal(t, "kept\nnone\n", sh(t, second, "cat file; cat /tmp/file 2>/dev/null || echo none"))
	enginetest.Container(t, s.scheme, http.MethodPost, name(t, second), "kill")
	require.Eventually(t, func() bool {
		_, err := second.Execute(t.Context(), core.Program("true"))
		return core.CodeOf(err) == core.ErrLost
	}, 5*time.Second, 50*time.Millisecond)
	third := s.start(t, shared) // replaces the dead one
	require.Equal(t, "kept\n", sh(t, third, "cat file"))
	for _, sb := range []*core.Sandbox{third, other} {
		require.NoError(t, sb.Stop(t.Context()))
	}
	require.NoError(t, keeper.RemoveWorkspace(t.Context(), s.owner, "ws/ü \n../x"))
	require.NoError(t, keeper.RemoveWorkspace(t.Context(), s.owner, "ws/ü \n../X"))
	require.NoError(t, keeper.RemoveWorkspace(t.Context(), s.owner, "ws/ü \n../X"), "there is none")
}

// named are volumes that have the name of a workspace and are something else.
func (s *suite) named(t *testing.T) {
	keeper, ok := core.AsDriver[core.Workspacer](s.driver)
	require.True(t, ok)
	linker, ok := core.AsDriver[core.Linker](s.driver)
	require.True(t, ok)
	spec := s.spec(func(spec *core.Spec) { spec.Workspace = "a link" })
	require.NoError(t, linker.Link(t.Context(), s.owner, spec.Workspace, "target"))
	require.ErrorIs(t, linker.Link(t.Context(), s.owner, spec.Workspace, "target"), core.ErrConflict)
	_, err := core.Start(t.Context(), s.driver, spec)
	require.ErrorIs(t, err, core.ErrConflict)
	links, err := linker.Links(t.Context(), s.owner)
	require.NoError(t, err)
	require.Equal(t, map[string]string{spec.Workspace: "target"}, links)
	left := s.census(t)
	require.Len(t, left, 1, "the link alone")
	require.NoError(t, keeper.RemoveWorkspace(t.Context(), s.owner, spec.Workspace))

	volume := strings.TrimPrefix(left[0], "volume ")
	for owner, labels := range map[string]map[string]string{
		"nobody":       nil,
		"another":      {core.LabelPrefix: "workspace", core.LabelPrefix + ".owner": s.owner + "-neighbour", core.LabelPrefix + ".workspace": spec.Workspace},
		"another kind": {core.LabelPrefix: "sandbox", core.LabelPrefix + ".owner": s.owner, core.LabelPrefix + ".workspace": spec.Workspace},
	} {
		enginetest.CreateVolume(t, s.scheme, volume, labels)
		_, err = core.Start(t.Context(), s.driver, spec)
		require.ErrorIs(t, err, core.ErrConflict, owner)
		require.ErrorIs(t, keeper.RemoveWorkspace(t.Context(), s.owner, spec.Workspace), core.ErrConflict, owner)
		require.True(t, enginetest.HasVolume(t, s.scheme, volume), owner)
		enginetest.RemoveVolume(t, s.scheme, volume)
	}
}

// oneOfMany starts one workspace from several processes at once: one of them has it.
func (s *suite) oneOfMany(t *testing.T) {
	const processes, rounds = 4, 4
	keeper, ok := core.AsDriver[core.Workspacer](s.driver)
	require.True(t, ok)
	spec := s.spec(func(spec *core.Spec) { spec.Workspace = "contended" })
	var drivers [processes]core.Driver
	for i := range drivers {
		drivers[i] = enginetest.Open(t, s.scheme)
		_, err := drivers[i].Prepare(t.Context(), spec.Runtime, nil)
		require.NoError(t, err)
	}
	for range rounds {
		var sandboxes [processes]*core.Sandbox
		var errs [processes]error
		var all sync.WaitGroup
		for i, drv := range drivers {
			all.Go(func() { sandboxes[i], errs[i] = core.Start(t.Context(), drv, spec) })
		}
		all.Wait()
		won := -1
		for i, err := range errs {
			if err == nil {
				require.Equal(t, -1, won, "two have it")
				won = i
				continue
			}
			require.ErrorIs(t, err, core.ErrConflict)
		}
		require.NotEqual(t, -1, won, "nobody has it")
		require.Equal(t, "mine\n", sh(t, sandboxes[won], "echo mine"))
		require.NoError(t, sandboxes[won].Stop(t.Context()))
	}
	require.NoError(t, keeper.RemoveWorkspace(t.Context(), s.owner, "contended"))
}

// halfMade is a sandbox that another process has made and not yet started: it has the workspace all the same.
func (s *suite) halfMade(t *testing.T) {
	keeper, ok := core.AsDriver[core.Workspacer](s.driver)
	require.True(t, ok)
	spec := s.spec(func(spec *core.Spec) { spec.Workspace = "half made" })
	var once sync.Once
	made := make(chan struct{})
	isStart := request("/containers/", "/start")
	first, release := s.held(t, func(r *http.Request) bool {
		if isStart(r) {
			once.Do(func() { close(made) })
		}
		return isStart(r)
	})
	var sb *core.Sandbox
	var err error
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		sb, err = core.Start(t.Context(), first, spec)
	}()
	select {
	case <-made:
	case <-ended:
		require.NoError(t, err)
	}
	_, second := core.Start(t.Context(), s.driver, spec)
	release()
	<-ended
	require.ErrorIs(t, second, core.ErrConflict)
	require.NoError(t, err)
	require.Equal(t, "mine\n", sh(t, sb, "echo mine"))
	require.NoError(t, sb.Stop(t.Context()))
	require.NoError(t, keeper.RemoveWorkspace(t.Context(), s.owner, "half made"))
}

// attach hands a sandbox from one process to the next; two drivers stand for them.
func (s *suite) attach(t *testing.T) {
	owned := func(spec *core.Spec) { spec.Labels = map[string]string{"purpose": "a = b, \"c\""} }
	before := s.start(t, owned)
	sh(t, before, "echo kept > /tmp/file; setsid sleep 77 >/dev/null 2>&1 &")
	id := name(t, before)

	next := enginetest.Open(t, s.scheme)
	attacher, ok := core.AsDriver[core.Attacher](next)
	require.True(t, ok)
	records, err := attacher.Sandboxes(t.Context(), s.owner)
	require.NoError(t, err)
	at := slices.IndexFunc(records, func(r core.Record) bool { return r.ID == id })
	require.GreaterOrEqual(t, at, 0)
	require.True(t, records[at].Running)
	require.Equal(t, map[string]string{"purpose": "a = b, \"c\""}, records[at].Labels)
	require.WithinDuration(t, time.Now(), records[at].Created, time.Minute)

	_, err = core.Attach(t.Context(), next, id, s.spec(owned, func(spec *core.Spec) { spec.Limits.PIDs = 99 }))
	require.ErrorIs(t, err, core.ErrConflict, "another spec")
	_, err = core.Attach(t.Context(), next, id, s.spec(owned, func(spec *core.Spec) { spec.Owner = "somebody else" }))
	require.ErrorIs(t, err, core.ErrConflict, "another owner")
	_, err = core.Attach(t.Context(), next, "caisson-none", s.spec(owned))
	require.ErrorIs(t, err, core.ErrLost)

	after, err := core.Attach(t.Context(), next, id, s.spec(owned))
	require.NoError(t, err)
	require.Equal(t, "kept\n", sh(t, after, "cat /tmp/file"))
	_, err = before.Execute(t.Context(), core.Program("true"))
	if core.CodeOf(err) == core.ErrIndeterminate { // sent before it was known that the runner is another's
		_, err = before.Execute(t.Context(), core.Program("true"))
	}
	require.ErrorIs(t, err, core.ErrConflict, "the process that had it before")
	require.Equal(t, "still\n", sh(t, after, "echo still"))
	require.NoError(t, after.Stop(t.Context()))
}

// join finds the sandbox as it was asked for, without its spec.
func (s *suite) join(t *testing.T) {
	sb := s.start(t, func(spec *core.Spec) {
		spec.Profile, spec.Network = core.Standard, core.NetworkDefault
		spec.Limits = core.Limits{FileSize: 10 << 30, OpenFiles: 555, Tmp: 24 << 20}
	})
	joined, err := core.Join(t.Context(), enginetest.Open(t, s.scheme), s.owner, name(t, sb))
	require.NoError(t, err)
	defer func() { require.NoError(t, joined.Stop(t.Context())) }()
	const limits = "ulimit -n; ulimit -f; head -c 1 /dev/zero | dd of=far bs=1 seek=2G status=none && stat -c %s far && rm far"
	require.Equal(t, sh(t, sb, limits), sh(t, joined, limits))
	want, got := info(t, sb), info(t, joined)
	require.WithinDuration(t, want.Created, got.Created, time.Minute)
	want.Created = got.Created // one is by the engine's clock
	require.Equal(t, want, got)

	// A visitor whose runner does not end a command takes nothing from the owner, and gets another runner.
	res, err := joined.Execute(t.Context(), &core.Command{Shell: stopAll("/.caisson/guest runner ") + "; sleep 60", Timeout: time.Second})
	require.ErrorIs(t, err, core.ErrResource)
	require.Equal(t, core.TimedOut, res.Reason)
	require.Equal(t, "visitor\n", sh(t, joined, "echo visitor"))
	require.Equal(t, "owner\n", sh(t, sb, "echo owner"))
}

// stopAll is a script that stops every process with the given command line.
func stopAll(line string) string {
	return `for p in /proc/[0-9]*; do [ "$(tr '\0' ' ' < $p/cmdline)" = "` + line + `" ] && kill -STOP ${p#/proc/}; done`
}

// restarted is attach with a restart of the sandbox by who has taken it: that
// must not give it back to the process before, though process 1 has begun anew.
func (s *suite) restarted(t *testing.T) {
	before := s.start(t)
	id := name(t, before)
	after, err := core.Attach(t.Context(), enginetest.Open(t, s.scheme), id, s.spec())
	require.NoError(t, err)
	res, err := after.Execute(t.Context(), &core.Command{
		Shell: stopAll("/.caisson/guest runner -alone ") + "; sleep 60", Timeout: time.Second,
	})
	require.NoError(t, err)
	require.Equal(t, core.TimedOut, res.Reason)
	require.True(t, res.Restarted)
	for range 2 { // the first may find out only that its runner is gone
		_, err = before.Execute(t.Context(), core.Program("true"))
	}
	require.ErrorIs(t, err, core.ErrConflict, "the process that had it before")
	require.NoError(t, before.Stop(t.Context()))
	require.Equal(t, "mine\n", sh(t, after, "echo mine"))

	enginetest.Container(t, s.scheme, http.MethodPost, id, "restart?t=0") // of which nobody tells who has it
	require.NoError(t, after.Stop(t.Context()))
	require.NotContains(t, fmt.Sprint(enginetest.States(t, s.scheme, core.LabelPrefix+".owner="+s.owner)), id)
}

// ages are by the engine's clock, as that of whoever started a sandbox may be another.
func (s *suite) ages(t *testing.T) {
	collector, ok := core.AsDriver[core.Collector](s.driver)
	require.True(t, ok)
	volume := s.owner + "-volume"
	enginetest.CreateVolume(t, s.scheme, volume, map[string]string{
		core.LabelPrefix: "workspace", core.LabelPrefix + ".owner": s.owner, core.LabelPrefix + ".workspace": "w", core.LabelPrefix + ".created": "1970-01-01T00:00:00Z",
	})
	defer enginetest.RemoveVolume(t, s.scheme, volume)
	collect := func(opts *core.CollectOptions) []core.Leftover {
		found, err := collector.Collect(t.Context(), opts)
		require.NoError(t, err)
		return slices.DeleteFunc(found, func(l core.Leftover) bool { return l.Owner != s.owner }) // of others it finds what has expired
	}
	all := &core.CollectOptions{Owner: s.owner, Workspaces: true}
	require.Empty(t, collect(all), "all is too young")
	all.MinAge = time.Nanosecond
	found := collect(all)
	require.Len(t, found, 1)
	require.WithinDuration(t, time.Now(), found[0].Created, time.Minute, "the engine of the tests is on this host")
}

// collect removes exactly what it is asked to.
func (s *suite) collect(t *testing.T) {
	collector, ok := core.AsDriver[core.Collector](s.driver)
	require.True(t, ok)
	mine, others := s.start(t), s.start(t, func(spec *core.Spec) { spec.Owner += "-neighbour" })
	workspace := s.start(t, func(spec *core.Spec) { spec.Workspace = "kept" })
	require.NoError(t, workspace.Stop(t.Context()))
	collect := func(opts core.CollectOptions) []string {
		found, err := collector.Collect(context.Background(), &opts)
		require.NoError(t, err)
		var list []string
		for _, l := range found {
			if strings.HasPrefix(l.Owner, s.owner) {
				list = append(list, l.Kind+" "+l.ID)
			}
		}
		slices.Sort(list)
		return list
	}
	require.Empty(t, collect(core.CollectOptions{Owner: s.owner}), "all is too young")
	wanted := []string{"sandbox " + name(t, mine), "volume " + name(t, mine)}
	require.Equal(t, wanted, collect(core.CollectOptions{Owner: s.owner, MinAge: 1, DryRun: true}))
	require.Empty(t, collect(core.CollectOptions{Owner: s.owner, MinAge: 1, Keep: func(core.Leftover) bool { return true }}))
	require.Equal(t, "alive\n", sh(t, mine, "echo alive"))
	require.Equal(t, wanted, collect(core.CollectOptions{Owner: s.owner, MinAge: 1}))
	_, err := mine.Execute(t.Context(), core.Program("true"))
	require.ErrorIs(t, err, core.ErrLost)
	require.Len(t, collect(core.CollectOptions{Owner: s.owner, MinAge: 1, Workspaces: true}), 1)
	require.Empty(t, s.census(t))
	require.Equal(t, "alive\n", sh(t, others, "echo alive"), "a neighbour with a similar owner was collected")
}
