package container

import (
	"fmt"
	"slices"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/guest/protocol"
)

// check returns a function that compares what the kernel enforces with what
// the spec asks for. Engines drop what they cannot do, some without a word.
func check(spec *core.Spec) func(*protocol.Facts) error {
	return func(f *protocol.Facts) error {
		for _, problem := range []error{
			unless(fmt.Sprintf("%d:%d", f.UID, f.GID) == user(spec),
				"the workload runs as %d:%d, not as %s", f.UID, f.GID, user(spec)),
			unless(spec.Profile == core.Relaxed || !slices.Contains(f.Groups, 0), "the workload is in group 0"),
			unless(f.Capabilities&^capabilityBits(spec.Profile) == 0, "the workload has capabilities %#x", f.Capabilities),
			unless(f.NoNewPrivs, "programs can gain privileges"),
			unless(spec.Profile != core.Strict || f.ReadOnlyRoot, "the root file system is writable"),
			weakened(spec, core.WeakenSeccomp, f.Seccomp == 2, "system calls are not filtered"),
			weakened(spec, core.WeakenSeccomp, f.OwnFilter, "system calls pass through another filter than ours"),
			weakened(spec, core.WeakenMemory, bounded(f.Memory, spec.Limits.Memory) && bounded(f.Swap, spec.Limits.Memory),
				"memory is not limited to %d bytes (limit %d, with swap %d; 0 is none)", spec.Limits.Memory, f.Memory, f.Swap),
			weakened(spec, core.WeakenCPU, f.CPUs > 0 && f.CPUs <= spec.Limits.CPUs*1.01,
				"processors are not limited to %v (limit %v; 0 is none)", spec.Limits.CPUs, f.CPUs),
			weakened(spec, core.WeakenPIDs, bounded(f.PIDs, spec.Limits.PIDs),
				"processes are not limited to %d (limit %d; 0 is none)", spec.Limits.PIDs, f.PIDs),
		} {
			if problem != nil {
				return problem
			}
		}
		return nil
	}
}

func bounded(limit, asked int64) bool { return limit > 0 && limit <= asked }

func unless(ok bool, format string, args ...any) error {
	if ok {
		return nil
	}
	return core.Errorf(core.ErrUnsupported, "", "the engine does not enforce what was asked for: "+format, args...)
}

// weakened is unless for a protection that the spec may do without.
func weakened(spec *core.Spec, w core.Weakening, ok bool, format string, args ...any) error {
	if ok || slices.Contains(spec.Allow, w) {
		return nil
	}
	return unless(false, format+"; Allow %q to do without", append(args, w)...)
}

func capabilityBits(p core.Profile) uint64 {
	var bits uint64
	if p == core.Relaxed {
		for _, bit := range relaxedCapabilities {
			bits |= 1 << bit
		}
	}
	return bits
}
