package conformance

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/caisson-dev/caisson/core"
)

// Schema names the form of a Report as JSON. Fields may be added to it; none is renamed or given another meaning.
const Schema = "conformance/v1"

// Status is how a case went.
type Status string

// The statuses.
const (
	Pass         Status = "pass"
	Fail         Status = "fail"           // the driver is wrong
	Broken       Status = "error"          // the case could not do its work
	Skip         Status = "skip"           // it does not apply; Reason says why
	KnownFailing Status = "known_failing"  // it fails, as the harness says
	KnownPasses  Status = "known_but_pass" // it passes, though the harness says that it fails; fails the run
)

// Result is how one case went.
type Result struct {
	ID       string          `json:"id"`
	Title    string          `json:"title"`
	Area     string          `json:"area"`
	Level    Level           `json:"level"`
	Requires core.Capability `json:"requires,omitempty"`
	Status   Status          `json:"status"`
	Reason   string          `json:"reason,omitempty"`
	Failures []string        `json:"failures,omitempty"` // each: what was done, expected, got
	Log      []string        `json:"log,omitempty"`
	Seconds  float64         `json:"seconds"`

	excused bool // the skip
}

// Bad reports whether the result fails the run.
func (r *Result) Bad() bool { return r.Status == Fail || r.Status == Broken || r.Status == KnownPasses }

// String is the result in a line for people, and a further line for each failure.
func (r *Result) String() string {
	text := strings.TrimRight(fmt.Sprintf("%-14s %-40s %6.2f s  %s", r.Status, r.ID, r.Seconds, r.Reason), " ")
	for _, f := range r.Failures {
		text += "\n               " + f
	}
	return text
}

// Engine is what the driver said about itself.
type Engine struct {
	Driver       string            `json:"driver"`
	Engine       string            `json:"engine"`
	Version      string            `json:"version"`
	APIVersion   string            `json:"api_version,omitempty"`
	OS           string            `json:"os,omitempty"`
	Arch         string            `json:"arch,omitempty"`
	Isolation    string            `json:"isolation"`
	Rootless     bool              `json:"rootless"`
	Capabilities []core.Capability `json:"capabilities"`
}

// Report is the outcome of a run.
type Report struct {
	Schema  string    `json:"schema"`
	Name    string    `json:"name"`
	Engine  Engine    `json:"engine"`
	Started time.Time `json:"started"`
	Seconds float64   `json:"seconds"`
	// Level is the highest that was reached; None if a case of Core failed or was skipped.
	Level Level `json:"level"`
	// Asked is the highest level whose cases were run.
	Asked Level `json:"asked"`
	// Partial reports that cases were left out by a filter; no level is reached then.
	Partial bool `json:"partial"`
	// Conformant reports that the asked level was reached, or with a filter that nothing failed, and that nothing is left behind.
	Conformant bool           `json:"conformant"`
	Counts     map[Status]int `json:"counts"`
	Results    []Result       `json:"results"` // by ID
	// Notes are findings that fail nothing, such as a capability that works but is not declared.
	Notes []string `json:"notes,omitempty"`
	// Leftovers is the census after the run.
	Leftovers []string `json:"leftovers,omitempty"`
	// Saboteurs is how this suite was proven: broken drivers caught of all.
	Saboteurs Proof `json:"saboteurs"`
}

func (r *run) report(opts *Options, started time.Time, results []Result) *Report {
	rep := &Report{
		Schema: Schema, Name: r.harness.Name, Started: started.UTC(), Seconds: time.Since(started).Seconds(),
		Asked: opts.level(), Partial: opts.Run != nil, Results: results, Counts: map[Status]int{}, Saboteurs: proof(),
		Engine: engineOf(r.info),
	}
	if rep.Name == "" {
		rep.Name = r.info.Driver
	}
	for i := range results {
		rep.Counts[results[i].Status]++
	}
	rep.Level = reached(rep)
	return rep
}

func engineOf(info *core.Info) Engine {
	return Engine{
		Driver: info.Driver, Engine: info.Engine, Version: info.Version, APIVersion: info.APIVersion, OS: info.OS, Arch: info.Arch,
		Isolation: info.Isolation.Level, Rootless: info.Isolation.Rootless, Capabilities: info.Capabilities,
	}
}

// reached returns the highest level of which no case failed. Core allows no
// skip, nor does a declared capability, and no known failure counts as a pass.
func reached(rep *Report) Level {
	if rep.Partial {
		return None
	}
	top := rep.Asked.rank()
	for i := range rep.Results {
		res := &rep.Results[i]
		miss := res.Bad() || res.Status == KnownFailing || res.Status == Skip && res.mandatory(rep.Engine.Capabilities)
		if miss {
			top = min(top, res.Level.rank()-1)
		}
	}
	return levels[max(top, 0)]
}

// mandatory reports whether a case may not be skipped. One of a declared
// capability may if the image does not have what it needs.
func (r *Result) mandatory(declared []core.Capability) bool {
	return r.Level == Core || !r.excused && r.Requires != "" && slices.Contains(declared, r.Requires)
}

// conclude sets Conformant once everything else is known.
func (rep *Report) conclude() {
	bad := rep.Counts[Fail] + rep.Counts[Broken] + rep.Counts[KnownPasses]
	enough := rep.Partial || rep.Level == rep.Asked || rep.Counts[KnownFailing] > 0
	rep.Conformant = bad == 0 && enough && len(rep.Leftovers) == 0
}

// Summary is the report in one line for people.
func (rep *Report) Summary() string {
	var b strings.Builder
	level := "level " + string(rep.Level)
	if rep.Partial {
		level = "a part of the suite"
	}
	fmt.Fprintf(&b, "%s on %s %s: %s; ", rep.Name, rep.Engine.Engine, rep.Engine.Version, level)
	for _, s := range []Status{Pass, Fail, Broken, Skip, KnownFailing, KnownPasses} {
		if n := rep.Counts[s]; n > 0 || s == Pass || s == Fail {
			fmt.Fprintf(&b, "%d %s, ", n, s)
		}
	}
	fmt.Fprintf(&b, "%d left behind, %.1f s; saboteurs caught %s", len(rep.Leftovers), rep.Seconds, rep.Saboteurs)
	return b.String()
}

// WriteJSON writes the report in the form that Schema names.
func (rep *Report) WriteJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(rep)
}
