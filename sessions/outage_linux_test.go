package sessions_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/internal/enginetest"
	"github.com/caisson-dev/caisson/sessions"
)

// outage is an engine that ends under live sessions and comes back.
type outage struct {
	*testing.T
	engine  *enginetest.Private
	driver  core.Driver
	manager *sessions.Manager
	ids     []string

	mu        sync.Mutex
	succeeded map[string]bool   // commands that have said so
	failed    map[core.Code]int // how calls have failed
}

// TestOutage stops, kills and restarts an engine under live sessions: calls fail
// with typed errors, files are kept, sessions work again, and no command is run twice.
func TestOutage(t *testing.T) {
	if testing.Short() {
		t.Skip("two minutes with engines of its own; run without -short")
	}
	for _, scheme := range []string{"docker", "podman"} {
		t.Run(scheme, func(t *testing.T) {
			o := newOutage(t, scheme)
			for name, end := range map[string]func(){"stopped": o.engine.Stop, "killed": o.engine.Kill} {
				t.Run(name, func(t *testing.T) {
					part := &outage{
						T: t, engine: o.engine, driver: o.driver, manager: o.manager, ids: o.ids,
						succeeded: make(map[string]bool), failed: make(map[core.Code]int),
					}
					part.run(end)
				})
			}
			o.clear()
		})
	}
}

func newOutage(t *testing.T, scheme string) *outage {
	o := &outage{T: t, engine: enginetest.NewPrivate(t, scheme), ids: []string{"a", "b", "c"}}
	var err error
	o.driver, err = core.Open(t.Context(), o.engine.URL())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, o.driver.Close()) })
	o.manager, err = sessions.New(o.driver, &sessions.Options{
		Owner: "outage", DefaultRuntime: &core.Runtime{Image: enginetest.Image()}, Lease: time.Minute,
	})
	require.NoError(t, err)
	for _, id := range o.ids {
		put(t, get(t, o.manager, id), "file", "of "+id)
	}
	return o
}

// run ends the engine while commands run in each session, and starts it again.
func (o *outage) run(end func()) {
	ctx, cancel := context.WithCancel(o.Context())
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	for _, id := range o.ids {
		all.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				o.command(id, fmt.Sprintf("%s/%s-%d", o.Name(), id, n))
			}
		})
	}
	o.until("commands run", func() bool { return o.successes() >= 10 })
	end()
	_, err := o.manager.GetOrCreate(ctx, "new", nil)
	require.Equal(o, core.ErrUnavailable, core.CodeOf(err), "%v", err)
	o.until("calls fail", func() bool { return o.failures() >= 10 })
	o.engine.Start()
	before := o.successes()
	o.until("sessions work again", func() bool { return o.successes() >= before+10 })
	cancel()
	all.Wait()
	o.Logf("%d commands have succeeded; calls have failed with %v", o.successes(), o.failed)
	for _, id := range o.ids {
		o.audit(id)
	}
}

// command runs a command that leaves a line, in whatever session the id has.
func (o *outage) command(id, line string) {
	err := func() error {
		s, err := o.manager.GetOrCreate(o.Context(), id, nil)
		if err != nil {
			return err
		}
		res, err := s.Execute(o.Context(), core.Shell("sleep .1; echo "+line+" >> runs"))
		if err == nil && !res.Success() {
			o.Errorf("%s: exit %d, signal %s: %s", line, res.ExitCode, res.Signal, res.Stderr.String())
		}
		return err
	}()
	o.mu.Lock()
	defer o.mu.Unlock()
	if err == nil {
		o.succeeded[line] = true
		return
	}
	switch code := core.CodeOf(err); code {
	case core.ErrUnavailable, core.ErrIndeterminate, core.ErrLost, core.ErrStopped, core.ErrTimeout:
		o.failed[code]++
	default:
		o.Errorf("%s: %v", line, err)
	}
	if core.CodeOf(err) == core.ErrUnavailable {
		time.Sleep(50 * time.Millisecond) // this is a test of what fails, not of how often it can
	}
}

// audit compares what has run with what the callers were told.
func (o *outage) audit(id string) {
	s := get(o.T, o.manager, id)
	require.Equal(o, "of "+id, read(o.T, s, "file"))
	var runs []string
	for _, line := range strings.Fields(sh(o.T, s, "cat runs")) {
		if strings.HasPrefix(line, o.Name()+"/"+id) {
			runs = append(runs, line)
		}
	}
	require.Len(o, slices.Compact(slices.Sorted(slices.Values(runs))), len(runs), "a command has run twice")
	for line := range o.succeeded {
		if strings.HasPrefix(line, o.Name()+"/"+id) {
			require.Contains(o, runs, line, "a command that has not run")
		}
	}
}

const allOfOutage = core.LabelPrefix + ".owner=outage"

func (o *outage) clear() {
	for _, id := range append(o.ids, "new") {
		_, err := o.manager.Release(context.Background(), id)
		if core.CodeOf(err) == core.ErrConflict && o.renewed() {
			_, err = o.manager.Release(context.Background(), id)
		}
		require.NoError(o, err)
	}
	_, err := o.manager.Shutdown(context.Background())
	require.NoError(o, err)
	o.until("nothing is left", func() bool {
		o.renewed()
		return len(o.engine.Objects(allOfOutage)) == 0
	})
}

// renewed starts the engine anew if it lists containers that it has removed, as a
// Docker may go on to do that was killed: they have no name, it does not know
// them when asked, and their volumes are in use, until then.
func (o *outage) renewed() bool {
	if !slices.Contains(o.engine.Objects(allOfOutage), "container ") {
		return false
	}
	o.Log("the engine lists what it has removed; it starts anew")
	o.engine.Stop()
	o.engine.Start()
	return true
}

func (o *outage) successes() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.succeeded)
}

func (o *outage) failures() (n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, count := range o.failed {
		n += count
	}
	return n
}

func (o *outage) until(what string, done func() bool) {
	o.Helper()
	for began := time.Now(); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Since(began) > 2*time.Minute {
			o.Fatalf("two minutes have passed before %s; calls have failed with %v", what, o.failed)
		}
	}
}
