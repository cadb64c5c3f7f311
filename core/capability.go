package core

import "slices"

// Capability names something that not every driver can do. The set is open: a
// driver may declare names of its own, and unknown ones are ignored. What
// every driver must do has no capability.
type Capability string

// The capabilities known to this module.
const (
	CapList   Capability = "files.list"
	CapStat   Capability = "files.stat"
	CapRemove Capability = "files.remove"
	CapMkdir  Capability = "files.mkdir"
	CapRename Capability = "files.rename"
	CapGlob   Capability = "files.glob"
	CapGrep   Capability = "files.grep"
	CapEdit   Capability = "files.edit"
	CapInfo   Capability = "sandbox.info"

	CapImages      Capability = "images.pull"     // ready-made images
	CapBuild       Capability = "images.build"    // images with packages and set-up commands
	CapNetwork     Capability = "network.default" // sandboxes can reach a network
	CapLimitMemory Capability = "limits.memory"
	CapLimitCPU    Capability = "limits.cpu"
	CapLimitPIDs   Capability = "limits.pids"
	CapIsolation   Capability = "isolation.kernel" // the kernel keeps sandboxes apart
)

// FileCapabilities are the capabilities of the optional file verbs.
func FileCapabilities() []Capability {
	return []Capability{CapEdit, CapGlob, CapGrep, CapList, CapMkdir, CapRemove, CapRename, CapStat}
}

// Declarer is implemented by a Backend that knows what its driver declared. [*Sandbox] is one.
type Declarer interface {
	Capabilities() []Capability
}

// As returns b as a T, which is an optional interface, if the driver has
// declared the capability c and b, or a Backend that it wraps, implements T. A
// wrapper shows what it wraps with a method Unwrap() Backend. A type assertion
// alone does not do: a wrapper or a proxy implements everything.
func As[T any](b Backend, c Capability) (T, bool) {
	var none T
	declared := false
	for b != nil {
		if d, ok := b.(Declarer); ok && !declared {
			if !slices.Contains(d.Capabilities(), c) {
				return none, false
			}
			declared = true
		}
		if t, ok := b.(T); ok && declared {
			return t, true
		}
		w, ok := b.(interface{ Unwrap() Backend })
		if !ok {
			break
		}
		b = w.Unwrap()
	}
	return none, false
}
