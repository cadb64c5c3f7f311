package conformance

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/caisson-dev/caisson/core"
)

// T is what a case reports to. *testing.T is one.
type T interface {
	Helper()
	Name() string
	Context() context.Context
	Cleanup(func())
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Skipf(format string, args ...any)
	Failed() bool
}

// Level is how much a driver promises. Each level includes those before it.
type Level string

// The levels.
const (
	None     Level = "none"     // not even core
	Core     Level = "core"     // what every driver must do; no case of it may be skipped
	Extended Level = "extended" // what the driver declares; a declared capability may not be skipped
	Gold     Level = "gold"     // hostile and heavy use
)

var levels = []Level{None, Core, Extended, Gold}

// ParseLevel returns the level of that name.
func ParseLevel(name string) (Level, error) {
	if l := Level(name); slices.Contains(levels[1:], l) {
		return l, nil
	}
	return None, core.Errorf(core.ErrInvalid, "conformance", "level %q: use core, extended or gold", name)
}

func (l Level) rank() int { return slices.Index(levels, l) }

// DefaultTimeout bounds a case that does not say otherwise.
const DefaultTimeout = time.Minute

// Case is one promise and the code that tests it.
type Case struct {
	// ID is "area/name". It is never changed or used again.
	ID string
	// Title is the promise, as one sentence.
	Title string
	Level Level
	// Requires names the capability without which the case does not apply; empty means that it always does.
	Requires core.Capability
	// Needs lists programs that the sandbox image must have beyond the core utilities.
	Needs []string
	// Timeout bounds the case; 0 means DefaultTimeout.
	Timeout time.Duration
	// Serial keeps every other case of the run, but for those that wait, from running beside it.
	Serial bool
	// Waits is for a case that does little but wait for seconds: it begins before
	// the others, and they do not wait for it.
	Waits bool
	// Run tests the promise.
	Run func(e *Env)
}

// Area is the part of the ID before the slash.
func (c *Case) Area() string {
	area, _, _ := strings.Cut(c.ID, "/")
	return area
}

// Cases returns every case, sorted by ID. The slice is the caller's.
func Cases() []Case {
	all := slices.Concat(executeCases(), commandCases(), backgroundCases(), streamCases(), killCases(), fileCases(), boundedCases(), lossCases(), readCases(), pathCases(),
		lifecycleCases(), limitCases(), isolationCases(), errorCases(), driverCases(), runtimeCases(), concurrencyCases(),
		listCases(), changeCases(), globCases(), grepCases(), editCases(), attachCases(), workspaceCases())
	slices.SortFunc(all, func(a, b Case) int { return cmp.Compare(a.ID, b.ID) })
	return all
}
