package conformance

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/caisson-dev/caisson/core"
)

// What a driver says of itself, and how it makes runtimes ready.
func driverCases() []Case {
	return []Case{
		{ID: "driver/info", Title: "Info names the driver, the engine and what they can do", Level: Core, Run: driverInfo},
		{ID: "driver/missing", Title: "what the engine cannot enforce is named, and refused unless it is allowed by name", Level: Core, Run: driverMissing},
		{ID: "driver/info-steady", Title: "Info says the same each time, to many at once", Level: Core, Run: func(e *Env) {
			var all sync.WaitGroup
			for range 8 {
				all.Go(func() {
					info, err := e.Driver().Info(e.Context())
					if err != nil {
						e.Errorf("info: %v", err)
						return
					}
					want(e, "engine", info.Engine+" "+info.Version, e.run.info.Engine+" "+e.run.info.Version)
					want(e, "the same capabilities", slices.Equal(info.Capabilities, e.run.info.Capabilities), true)
				})
			}
			all.Wait()
		}},
		{ID: "driver/prepare", Title: "Prepare names the image that sandboxes start from, the same each time, and tells when it is done", Level: Core, Run: driverPrepare},
		{ID: "driver/prepare-canceled", Title: "Prepare with a context that has ended returns its error", Level: Core, Run: func(e *Env) {
			ctx, cancel := context.WithCancel(e.Context())
			cancel()
			_, err := e.Driver().Prepare(ctx, e.Spec().Runtime.WithDefaults(), new(core.PrepareOptions))
			wantError(e, "prepare", err, context.Canceled)
		}},
		{ID: "driver/second", Title: "a second driver on the same engine works beside the first, and closing it disturbs nobody", Level: Core, Run: func(e *Env) {
			second, err := e.run.harness.Open(e.Context())
			if err != nil {
				e.Fatalf("open a second driver: %v", err)
			}
			sb := e.Sandbox()
			spec := e.Spec()
			other, err := e.run.start(e.Context(), second, spec)
			if err != nil {
				e.Errorf("start on the second driver: %v", err)
			} else {
				want(e, "a command there", e.sh(other, "echo second"), "second\n")
				want(e, "stop there", other.Stop(e.Context()), nil)
			}
			want(e, "close the second driver", second.Close(), nil)
			want(e, "a command here", e.sh(sb, "echo first"), "first\n")
		}},
		{ID: "driver/isolation", Title: "what Info says of the filter of system calls is what the kernel says", Level: Extended, Requires: core.CapIsolation, Run: func(e *Env) {
			want(e, "Info.Isolation.Seccomp", e.run.info.Isolation.Seccomp, e.status(e.Sandbox(), "Seccomp") == "2")
		}},
		{ID: "driver/sandbox-info", Title: "a sandbox describes itself truly", Level: Extended, Requires: core.CapInfo, Run: sandboxInfo},
	}
}

func driverInfo(e *Env) {
	info := e.run.info
	for field, value := range map[string]string{"Driver": info.Driver, "Engine": info.Engine, "Version": info.Version, "OS": info.OS, "Arch": info.Arch} {
		want(e, "Info."+field+" is set", value != "", true)
	}
	want(e, "Info.Capabilities are sorted", slices.IsSorted(info.Capabilities), true)
	want(e, "Info.Capabilities repeats nothing", len(slices.Compact(slices.Clone(info.Capabilities))), len(info.Capabilities))
	want(e, "Info.Isolation.Level is container, gvisor, vm or none", slices.Contains([]string{"container", "gvisor", "vm", "none"}, info.Isolation.Level), true)
	want(e, "a driver that isolates says by what", e.has(core.CapIsolation), info.Isolation.Level != "none")
}

func driverMissing(e *Env) {
	info := e.run.info
	for w, c := range map[core.Weakening]core.Capability{core.WeakenMemory: core.CapLimitMemory, core.WeakenCPU: core.CapLimitCPU, core.WeakenPIDs: core.CapLimitPIDs} {
		missing := slices.Contains(info.Isolation.Missing, w)
		if !e.has(c) && !missing && info.Isolation.Level == "none" {
			continue // which says that nothing is enforced
		}
		want(e, "either it enforces "+string(w)+" or says that it does not", e.has(c), !missing)
	}
	for _, w := range info.Isolation.Missing {
		spec := e.Spec()
		spec.Allow = slices.DeleteFunc(slices.Clone(info.Isolation.Missing), func(a core.Weakening) bool { return a == w })
		sb, err := e.run.start(e.Context(), e.Driver(), spec)
		wantCode(e, "start without allowing "+string(w), err, core.ErrUnsupported)
		if err == nil {
			_ = sb.Stop(e.Context())
		}
	}
}

func driverPrepare(e *Env) {
	rt := e.Spec().Runtime.WithDefaults()
	var calls, events atomic.Int64
	var last atomic.Value
	opts := &core.PrepareOptions{Progress: func(p core.Progress) {
		if calls.Add(1) != 1 {
			e.Errorf("Progress: expected calls one after the other, got two at once")
		}
		events.Add(1)
		last.Store(p.Kind)
		calls.Add(-1)
	}}
	first, err := e.Driver().Prepare(e.Context(), rt, opts)
	if err != nil || first == nil {
		e.Fatalf("prepare: expected an image, got %v and error %v", first, err)
	}
	want(e, "Prepared.Image is set", first.Image != "", true)
	want(e, "the last event", last.Load(), any(core.ProgressDone))
	second, err := e.Driver().Prepare(e.Context(), rt, new(core.PrepareOptions))
	if err != nil {
		e.Fatalf("prepare again: %v", err)
	}
	want(e, "the second image", second.Image+" "+second.ID, first.Image+" "+first.ID)
	want(e, "the second time it is built", second.Built, rt.NoCache && rt.BaseImage != "")
}

func sandboxInfo(e *Env) {
	sb := e.Sandbox()
	informer, ok := core.As[core.Informer](sb, core.CapInfo)
	if !ok {
		e.Fatalf("the backend: expected a core.Informer, as the driver declares")
	}
	info, err := informer.Info(e.Context())
	if err != nil {
		e.Fatalf("info: %v", err)
	}
	want(e, "ID is set", info.ID != "", true)
	want(e, "WorkDir", info.WorkDir+"\n", e.sh(sb, "pwd"))
	want(e, "Profile", info.Profile, sb.Spec().Profile)
	want(e, "Network", info.Network, sb.Spec().Network)
	want(e, "UID and GID", short(info.UID)+":"+short(info.GID)+"\n", e.sh(sb, "echo $(id -u):$(id -g)"))
	limits := sb.Spec().Limits
	if e.has(core.CapLimitMemory) {
		want(e, "Limits.Memory", info.Limits.Memory, limits.Memory)
	}
	if e.has(core.CapLimitCPU) {
		want(e, "Limits.CPUs", info.Limits.CPUs, limits.CPUs)
	}
	if e.has(core.CapLimitPIDs) {
		want(e, "Limits.PIDs", info.Limits.PIDs, limits.PIDs)
	}
	if e.has(core.CapIsolation) {
		want(e, "Seccomp", info.Seccomp, true)
		want(e, "NoNewPrivs", info.NoNewPrivs, true)
		want(e, "Capabilities", info.Capabilities, 0)
	}
}
