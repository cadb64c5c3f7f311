package sessions_test

import (
	"context"
	"crypto/rand"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/internal/enginetest"
	"github.com/caisson-dev/caisson/runtimes"
	"github.com/caisson-dev/caisson/sessions"
)

const (
	// victimVariable makes the child one that never rests. It holds the phase to begin with.
	victimVariable = "CAISSON_SESSIONS_VICTIM"
	// pointsVariable says how often a process is killed, on each engine.
	pointsVariable = "CAISSON_SESSIONS_KILLS"
	usualPoints    = 8 // one with a successor and one without for each phase
)

// phases are what the victim does, over and over.
var phases = []string{"create", "build", "exec", "stop"}

// victim does everything that a manager does, until it is killed.
func (e *engine) victim(t *testing.T, first string) {
	ctx := context.Background()
	m := e.manage(t, func(o *sessions.Options) { o.Pool = &sessions.PoolOptions{Min: 1} })
	m.StartCleanup(time.Second)
	runs := 0
	do := map[string]func(){
		"create": func() {
			for _, id := range []string{"a", "b"} {
				put(t, get(t, m, id), "file", "of "+id)
			}
		},
		"build": func() {
			s, err := m.GetOrCreate(ctx, "built", &sessions.GetOptions{Runtime: &core.Runtime{
				Name: e.owner, BaseImage: enginetest.Image(), SetupCommands: []string{"sleep .3; echo " + rand.Text() + " > /etc/round"},
			}})
			require.NoError(t, err)
			put(t, s, "file", "of built")
		},
		"exec": func() {
			for range 3 {
				runs++
				sh(t, get(t, m, "a"), fmt.Sprintf("echo %d >> runs; sleep .1", runs))
			}
		},
		"stop": func() {
			require.NoError(t, m.Hibernate(ctx, "a"))
			for _, id := range []string{"b", "built"} {
				_, err := m.Release(ctx, id)
				require.NoError(t, err)
			}
		},
	}
	for n := slices.Index(phases, first); ; n++ {
		phase := phases[n%len(phases)]
		if n < len(phases) && phase == "stop" { // it needs something to stop
			do["create"]()
		}
		_, _ = fmt.Println("\nphase " + phase)
		do[phase]()
	}
}

// killedAnywhere kills processes at random points of what they do. The next
// process has everything, and where there is none no sandbox is left once the lease is over.
func (e *engine) killedAnywhere(t *testing.T) {
	if testing.Short() {
		t.Skip("a minute on an engine; run without -short")
	}
	points := usualPoints
	if s := os.Getenv(pointsVariable); s != "" {
		var err error
		points, err = strconv.Atoi(s)
		require.NoError(t, err)
	}
	var adopted atomic.Int64
	all := make([]*engine, points)
	t.Run("points", func(t *testing.T) {
		for i := range points {
			phase, succeeded := phases[i%len(phases)], i/len(phases)%2 == 0
			t.Run(fmt.Sprintf("%s-%d", phase, i), func(t *testing.T) {
				t.Parallel()
				one := &engine{scheme: e.scheme, driver: e.driver, owner: fmt.Sprintf("%s-%d", e.owner, i)}
				all[i] = one
				one.kill(t, phase)
				if succeeded {
					adopted.Add(int64(one.succeed(t)))
					return
				}
				killed := time.Now()
				// Before that the engine may still be making one.
				until(t, "the sandboxes of a process without a successor are gone", func() bool {
					return time.Since(killed) > core.MinLease && len(enginetest.States(t, e.scheme, core.LabelPrefix+".owner="+one.owner)) == 0 &&
						len(enginetest.Untagged(t, e.scheme, runtimes.LabelRuntime+"="+one.owner)) == 0
				})
				require.Less(t, time.Since(killed), core.MinLease+30*time.Second)
				one.collected(t)
			})
		}
	})
	for _, one := range all { // what a busy engine has done later
		one.collected(t)
		one.prune(t)
	}
	enginetest.NoBuildContainers(t, e.scheme)
	t.Logf("%d kills: the next process has adopted %d sandboxes; without one, all were gone in time", points, adopted.Load())
}

// kill runs a victim until it has been in a phase for a moment, and kills it.
func (e *engine) kill(t *testing.T, phase string) {
	child := e.start(t, victimVariable+"="+phase)
	child.Until("phase " + phase)
	time.Sleep(time.Duration(mathrand.Int64N(int64(700 * time.Millisecond))))
	child.Kill()
}

// succeed is the next process: it adopts what runs, finds the files of all, and
// when it has released them nothing is left. It returns how many it has adopted.
func (e *engine) succeed(t *testing.T) int {
	m := e.manage(t)
	n, err := m.Adopt(t.Context())
	require.NoError(t, err)
	list, err := sessions.List(t.Context(), e.driver, e.owner)
	require.NoError(t, err)
	for _, info := range list {
		s := get(t, m, info.ID)
		text := sh(t, s, "cat file 2>/dev/null; :")
		require.Contains(t, []string{"", "of " + info.ID}, text, "the process was killed before it has uploaded the file, or after that")
		runs := strings.Fields(sh(t, s, "cat runs 2>/dev/null; :"))
		sorted := slices.Sorted(slices.Values(runs))
		require.Len(t, slices.Compact(sorted), len(runs), "a command has run twice: %v", runs)
		_, err := m.Release(t.Context(), info.ID)
		require.NoError(t, err)
	}
	_, err = m.Shutdown(t.Context())
	require.NoError(t, err)
	e.collected(t)
	return n
}

// collected removes what is left of this owner, as caisson gc does. The engine
// may still be doing what it was asked for by the process that was killed, so
// that takes more than one pass.
func (e *engine) collected(t *testing.T) {
	collector, _ := core.AsDriver[core.Collector](e.driver)
	until(t, "all is collected", func() bool {
		_, err := collector.Collect(t.Context(), &core.CollectOptions{
			Owner: e.owner, Workspaces: true, MinAge: -time.Hour, Keep: func(l core.Leftover) bool { return l.Owner != e.owner },
		})
		return err == nil && len(e.objects(t)) == 0
	})
}

// prune removes the images that were built for this owner.
func (e *engine) prune(t *testing.T) {
	pruner, _ := core.AsDriver[core.Pruner](e.driver)
	_, err := pruner.Prune(context.Background(), &core.PruneOptions{Runtime: e.owner, All: true})
	require.NoError(t, err)
}
