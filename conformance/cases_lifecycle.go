package conformance

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/caisson-dev/caisson/core"
)

// How sandboxes begin and end.
func lifecycleCases() []Case {
	return []Case{
		{ID: "lifecycle/ready", Title: "a sandbox that was started is ready, and starting it again does nothing", Level: Core, Run: func(e *Env) {
			d := &counting{Driver: e.Driver()}
			sb := e.ownOn(d)
			want(e, "starting it again", sb.Start(e.Context()), nil)
			want(e, "the first command", e.sh(sb, "echo ready"), "ready\n")
			want(e, "starts", d.starts(), 1)
		}},
		{ID: "lifecycle/lazy", Title: "a lazy sandbox starts with its first use, once, however many come at the same time", Level: Core, Run: lazy},
		{ID: "lifecycle/lazy-unused", Title: "a lazy sandbox that is never used makes no call of the driver", Level: Core, Run: func(e *Env) {
			d := &counting{Driver: e.Driver()}
			sb := e.ownOn(d, func(s *core.Spec) { s.Lazy = true })
			want(e, "stop", sb.Stop(e.Context()), nil)
			want(e, "calls of the driver", d.calls(), 0)
			_, err := sb.Execute(e.Context(), core.Shell("true"))
			wantCode(e, "execute after it", err, core.ErrStopped)
		}},
		{ID: "lifecycle/separate", Title: "sandboxes have work directories of their own", Level: Core, Run: func(e *Env) {
			a, b := e.Own(), e.Sandbox()
			e.upload(a, "only-"+e.Marker, []byte("a"))
			_, err := readAll(e.Context(), b, "only-"+e.Marker, nil)
			wantCode(e, "another sandbox reads it", err, core.ErrNotFound)
			want(e, "another sandbox lists it", strings.Contains(e.sh(b, "ls"), e.Marker), false)
		}},
		{ID: "lifecycle/stop-again", Title: "a driver's backend may be stopped again and again, and by many at once", Level: Core, Run: func(e *Env) {
			b := e.Own().Unwrap()
			var all sync.WaitGroup
			e.within(30*time.Second, "stop, 16 at once", func() {
				for range 16 {
					all.Go(func() { want(e, "stop", b.Stop(e.Context()), nil) })
				}
				all.Wait()
			})
			want(e, "stop once more", b.Stop(e.Context()), nil)
		}},
		{ID: "lifecycle/stop-canceled", Title: "a sandbox is stopped even by a caller whose context has ended", Level: Core, Run: func(e *Env) {
			sb := e.Own()
			b := sb.Unwrap()
			ctx, cancel := context.WithCancel(e.Context())
			cancel()
			want(e, "stop", sb.Stop(ctx), nil)
			_, err := b.Execute(e.Context(), core.Shell("true"))
			wantCode(e, "the driver's backend after it", err, core.ErrStopped)
		}},
		{ID: "lifecycle/after-stop", Title: "every call after Stop is ErrStopped", Level: Core, Run: afterStop},
		{ID: "lifecycle/stop-during-execute", Title: "Stop ends a running Execute with ErrStopped", Level: Core, Run: func(e *Env) {
			sb := e.Own()
			b := sb.Unwrap()
			run := e.execute(e.Context(), b, core.Shell("echo up > up; sleep 300"))
			e.started(sb, "up", "up\n")
			e.within(10*time.Second, "stop while a command runs", func() { want(e, "stop", sb.Stop(e.Context()), nil) })
			if e.ended(run, 3*time.Second, "Execute after Stop") {
				wantCode(e, "the running Execute", run.err, core.ErrStopped)
			}
		}},
		{ID: "lifecycle/stop-during-upload", Title: "Stop ends a running Upload with ErrStopped", Level: Core, Run: func(e *Env) {
			sb := e.Own()
			_, ended := overwrite(e, e.Context(), sb.Unwrap(), "file", nil)
			want(e, "stop", sb.Stop(e.Context()), nil)
			wantCode(e, "the running Upload", e.outcome(ended, "Upload after Stop"), core.ErrStopped)
		}},
		{ID: "lifecycle/stop-during-read", Title: "Stop ends a reader with ErrStopped", Level: Core, Run: func(e *Env) {
			sb := e.Own()
			e.sh(sb, "head -c 67108864 /dev/zero > file")
			r, _ := e.opened(e.Context(), sb.Unwrap(), "file", new(core.ReadOptions))
			want(e, "stop", sb.Stop(e.Context()), nil)
			e.within(3*time.Second, "the reader after Stop", func() {
				_, err := io.Copy(io.Discard, r)
				wantCode(e, "the reader", err, core.ErrStopped)
			})
		}},
		{ID: "lifecycle/start-canceled", Title: "a start whose context has ended returns its error", Level: Core, Run: func(e *Env) {
			ctx, cancel := context.WithCancel(e.Context())
			cancel()
			_, err := e.run.start(ctx, e.Driver(), e.Spec())
			wantError(e, "start with a context that has ended", err, context.Canceled)
			wantError(e, "start with a context that ends as the driver begins", e.startCut(0, e.Spec()), context.Canceled)
		}},
		{ID: "lifecycle/spec-unchanged", Title: "Start does not change the specification", Level: Core, Run: func(e *Env) {
			spec := e.Spec()
			spec.Runtime.Env = map[string]string{"A": "b"}
			spec.Labels = map[string]string{"label": "value"}
			sb, err := e.run.start(e.Context(), e.Driver(), spec)
			if err != nil {
				e.broken("start a sandbox", err)
			}
			want(e, "stop", sb.Stop(e.Context()), nil)
			want(e, "fields that were filled in", spec.Runtime.WorkDir+string(spec.Profile)+string(spec.Network), e.Spec().Runtime.WorkDir+string(e.Spec().Profile)+string(e.Spec().Network))
			want(e, "variables and labels", len(spec.Runtime.Env)+len(spec.Labels), 2)
		}},
		{ID: "lifecycle/nothing-left", Title: "nothing is left of a sandbox that was stopped, its background processes included", Level: Extended, Run: func(e *Env) {
			sb, owner := e.counted()
			e.upload(sb, "dir/file", []byte("x"))
			e.sh(sb, "sleep 300 & setsid sleep 300 & nohup sleep 300 >/dev/null 2>&1 & true")
			want(e, "stop", sb.Stop(e.Context()), nil)
			e.census(owner)
		}},
		{ID: "lifecycle/failed-start", Title: "nothing is left of a start that failed or was cancelled", Level: Extended, Run: failedStart},
		{ID: "lifecycle/cycles", Title: "sandboxes come and go, and leave nothing in the caller's process or on the engine", Level: Gold, Serial: true, Timeout: 2 * time.Minute, Run: func(e *Env) {
			cycle := func() {
				sb := e.Own()
				e.upload(sb, "file", []byte("x"))
				want(e, "cat", e.sh(sb, "cat file"), "x")
				want(e, "stop", sb.Stop(e.Context()), nil)
			}
			cycle()
			e.baseline("20 sandboxes", func() {
				for range 20 {
					cycle()
				}
			})
		}},
		{ID: "lifecycle/lost", Title: "a sandbox that ends behind the driver's back is lost, at once, and can be stopped", Level: Extended, Run: lost},
	}
}

func lazy(e *Env) {
	d := &counting{Driver: e.Driver()}
	sb := e.ownOn(d, func(s *core.Spec) { s.Lazy = true })
	want(e, "starts before its use", d.starts(), 0)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			res, err := sb.Execute(e.Context(), core.Shell("echo up"))
			if err != nil || !res.Success() {
				e.Errorf("the first use: expected a success, got error %v", err)
			}
		})
	}
	all.Wait()
	want(e, "starts after 8 uses at once", d.starts(), 1)
}

func afterStop(e *Env) {
	sb := e.Own()
	e.upload(sb, "file", []byte("x"))
	want(e, "stop", sb.Stop(e.Context()), nil)
	for name, b := range map[string]core.Backend{"sandbox": sb, "the driver's backend": sb.Unwrap()} {
		e.within(5*time.Second, "calls after Stop", func() {
			res, err := b.Execute(e.Context(), core.Shell("true"))
			wantCode(e, name+": execute", err, core.ErrStopped)
			want(e, name+": no result", res == nil, true)
			wantCode(e, name+": upload", b.Upload(e.Context(), "file", strings.NewReader("x"), new(core.UploadOptions)), core.ErrStopped)
			_, err = b.Read(e.Context(), "file", new(core.ReadOptions))
			wantCode(e, name+": read", err, core.ErrStopped)
			if l, ok := core.As[core.Lister](b, core.CapList); ok {
				_, err = l.List(e.Context(), ".")
				wantCode(e, name+": list", err, core.ErrStopped)
			}
		})
	}
}

func failedStart(e *Env) {
	spec := e.Spec()
	spec.Owner = e.owner()
	e.needCensus()
	if e.has(core.CapImages) {
		spec.Runtime.Image, spec.Runtime.BaseImage = e.missingImage(), ""
		spec.Runtime.Packages, spec.Runtime.SetupCommands = nil, nil
		_, err := e.run.start(e.Context(), e.Driver(), spec)
		want(e, "start from an image that does not exist: an error", err != nil, true)
		spec.Runtime = e.Spec().Runtime
	}
	for _, after := range []time.Duration{0, time.Millisecond, 20 * time.Millisecond, 100 * time.Millisecond, 300 * time.Millisecond} {
		if err := e.startCut(after, spec); err != nil {
			wantError(e, fmt.Sprintf("a start cut off after %v", after), err, context.Canceled)
		}
	}
	e.census(spec.Owner)
}

func lost(e *Env) {
	lose := e.loser()
	sb := e.Own()
	id := e.describe(sb).ID
	run := e.execute(e.Context(), sb, core.Shell("echo up > up; sleep 300"))
	e.started(sb, "up", "up\n")
	lose(id)
	if e.ended(run, 5*time.Second, "the running Execute") {
		wantCode(e, "the running Execute", run.err, core.ErrLost, core.ErrIndeterminate)
	}
	e.within(5*time.Second, "calls of a lost sandbox", func() {
		_, err := sb.Execute(e.Context(), core.Shell("true"))
		wantCode(e, "the next Execute", err, core.ErrLost)
		wantCode(e, "upload", sb.Upload(e.Context(), "file", strings.NewReader("x"), nil), core.ErrLost)
	})
	want(e, "stop", sb.Stop(e.Context()), nil)
}

// describe returns what a sandbox says of itself, or skips the case.
func (e *Env) describe(sb core.Backend) *core.SandboxInfo {
	e.Helper()
	informer, ok := core.As[core.Informer](sb, core.CapInfo)
	if !ok {
		e.Skipf("the driver does not declare %s", core.CapInfo)
	}
	info, err := informer.Info(e.Context())
	if err != nil {
		e.Fatalf("info: %v", err)
	}
	return info
}
