package conformance_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/conformance"
	"github.com/caisson-dev/caisson/conformance/saboteur"
	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/drivers/fake"
)

// The record of the proof: a line "suite DIGEST", and a line "caught|missed SABOTEUR: CASES" each.
const proofFile = "testdata/proof.golden"

// proofMode is what CAISSON_PROOF says. Without it each saboteur is tried on the
// cases that the record names; with "full" on all of them, and "update" writes
// the record anew. CAISSON_SABOTEUR keeps either to those whose name it matches.
var proofMode, onlySaboteurs = os.Getenv("CAISSON_PROOF"), regexp.MustCompile(os.Getenv("CAISSON_SABOTEUR"))

// honest is the harness of a driver that keeps every promise: the fake, of
// which a second driver shares the engine of the first.
func honest() *conformance.Harness { return honestOn(fake.New(nil)) }

func honestOn(engine *fake.Driver) *conformance.Harness {
	return &conformance.Harness{
		Open:         func(context.Context) (core.Driver, error) { return declaring{engine}, nil },
		Spec:         core.Spec{Runtime: &core.Runtime{Image: "debian"}, Allow: unable},
		MissingImage: "missing/image",
		Another:      func(context.Context) (core.Driver, error) { return declaring{engine.Sibling()}, nil },
		Census:       func(_ context.Context, owner string) ([]string, error) { return engine.Owned(owner), nil },
		Lose: func(_ context.Context, id string) error {
			engine.Lose(id)
			return nil
		},
	}
}

var unable = []core.Weakening{core.WeakenSeccomp}

// declaring is the fake with what it imitates but does not claim, so that the
// cases of isolation can be proven as well. It has something to be allowed.
type declaring struct{ *fake.Driver }

func (d declaring) Info(ctx context.Context) (*core.Info, error) {
	info, err := d.Driver.Info(ctx)
	if err != nil {
		return nil, err
	}
	info.Capabilities = append(info.Capabilities, core.CapIsolation, core.CapNetwork)
	slices.Sort(info.Capabilities)
	info.Isolation.Level, info.Isolation.Seccomp, info.Isolation.Missing = "container", true, unable
	return info, nil
}

func (d declaring) Start(ctx context.Context, spec *core.Spec) (core.Backend, error) {
	for _, w := range unable {
		if !slices.Contains(spec.Allow, w) {
			return nil, core.Errorf(core.ErrUnsupported, "start", "it has no %s", w)
		}
	}
	return d.Driver.Start(ctx, spec)
}

// bubble runs cases on a sabotaged driver, or on the honest one for a nil, in a
// bubble of its own, where waiting takes no time and no load of the machine
// makes anything late.
func bubble(t *testing.T, s *saboteur.Saboteur, cases []conformance.Case) *conformance.Report {
	t.Helper()
	var rep *conformance.Report
	var err error
	synctest.Test(t, func(t *testing.T) {
		engine := fake.New(nil)
		h := honestOn(engine)
		if s != nil {
			h = s.Harness(h)
		}
		rep, err = conformance.Check(t.Context(), h, &conformance.Options{Cases: cases})
		left, listErr := engine.Sandboxes(t.Context(), "")
		require.NoError(t, listErr)
		for _, l := range left {
			engine.Lose(l.ID) // no bubble ends before all that runs in it
		}
		time.Sleep(time.Minute) // nor before what a saboteur has put off
	})
	require.NoError(t, err)
	return rep
}

func TestTheHonestPass(t *testing.T) {
	rep := bubble(t, nil, conformance.Cases())
	for _, res := range rep.Results {
		if res.Status != conformance.Pass {
			t.Errorf("%s: %s %s %q", res.ID, res.Status, res.Reason, res.Failures)
		}
	}
	require.Equal(t, conformance.Gold, rep.Level, rep.Summary())
	require.True(t, rep.Conformant)
}

// alone is held for reading by bubbles, and for writing by those whose cases
// count the goroutines of the process or its memory.
var alone sync.RWMutex

var countsAll = []string{"concurrency/no-leak", "files/bounded", "lifecycle/cycles", "streams/bounded"}

// catches reports whether a case fails on a saboteur.
func catches(t *testing.T, s *saboteur.Saboteur, c conformance.Case) bool {
	t.Helper()
	if slices.Contains(countsAll, c.ID) {
		alone.Lock()
		defer alone.Unlock()
	} else {
		alone.RLock()
		defer alone.RUnlock()
	}
	return bubble(t, s, []conformance.Case{c}).Results[0].Bad()
}

// prove returns what is wrong with the record of a saboteur: cases that should
// catch it and do not, or, of those that are tried, the other way round.
func prove(t *testing.T, s *saboteur.Saboteur, recorded []string, try []conformance.Case) (by, wrong []string) {
	t.Helper()
	if !slices.Contains(recorded, s.Target) {
		wrong = append(wrong, s.Target+" is made to catch it and does not")
	}
	for _, c := range try {
		caught := catches(t, s, c)
		if caught {
			by = append(by, c.ID)
		}
		if caught != slices.Contains(recorded, c.ID) {
			wrong = append(wrong, fmt.Sprintf("%s catches it: %v", c.ID, caught))
		}
	}
	return by, wrong
}

// tried returns the cases that a saboteur is tried on; with -short the one that is made for it.
func tried(s *saboteur.Saboteur, recorded []string, mode string) []conformance.Case {
	return slices.DeleteFunc(conformance.Cases(), func(c conformance.Case) bool {
		named := c.ID == s.Target || slices.Contains(recorded, c.ID) && (proofMode != "" || !testing.Short())
		return !named && (mode == "" || c.Level == conformance.Gold) // gold cases are heavy, and each has saboteurs of its own
	})
}

func TestProof(t *testing.T) {
	suite, record := readProof(t)
	update := proofMode == "update"
	if !update {
		require.Equal(t, conformance.SuiteDigest(), suite, "the cases have changed since they were proven: run with CAISSON_PROOF=update")
	}
	var mu sync.Mutex
	found := maps.Clone(record)
	t.Run("saboteurs", func(t *testing.T) {
		for _, s := range saboteur.All() {
			mode, meant := proofMode, onlySaboteurs.MatchString(s.Name)
			switch {
			case !meant && !update:
				continue
			case !meant:
				mode = "" // the record is written anew only if what it says of the others is still true
			}
			t.Run(s.Name, func(t *testing.T) {
				t.Parallel()
				by, wrong := prove(t, &s, record[s.Name], tried(&s, record[s.Name], mode))
				if mode != "update" && len(wrong) > 0 {
					t.Errorf("%s; the record differs: %q", s.Breaks, wrong)
				}
				if update && !slices.Contains(by, s.Target) {
					t.Errorf("%s; not caught by %s, only by %q", s.Breaks, s.Target, by)
				}
				mu.Lock()
				defer mu.Unlock()
				found[s.Name] = by
			})
		}
	})
	if update {
		writeProof(t, found)
	}
}

// TestEverySaboteurIsRecorded and every case is named by one.
func TestEverySaboteurIsRecorded(t *testing.T) {
	_, record := readProof(t)
	proven := map[string]bool{}
	for _, s := range saboteur.All() {
		require.Contains(t, record, s.Name, "prove it with CAISSON_PROOF=update CAISSON_SABOTEUR=%s", s.Name)
		for _, id := range record[s.Name] {
			proven[id] = true
		}
		delete(record, s.Name)
	}
	require.Empty(t, record, "the record names saboteurs that there are not")
	for _, c := range conformance.Cases() {
		require.True(t, proven[c.ID], "no saboteur is caught by %s: write one", c.ID)
	}
}

// TestMutants makes one case after the other always pass. The proof must notice each.
func TestMutants(t *testing.T) {
	_, record := readProof(t)
	for _, c := range conformance.Cases() {
		t.Run(c.ID, func(t *testing.T) {
			t.Parallel()
			mutant, noticed := c, false
			mutant.Run = func(*conformance.Env) {}
			for _, s := range saboteur.All() {
				if recorded := record[s.Name]; slices.Contains(recorded, c.ID) {
					_, wrong := prove(t, &s, recorded, []conformance.Case{mutant})
					noticed = noticed || len(wrong) > 0
				}
			}
			require.True(t, noticed, "%s always passes, and the proof does not notice", c.ID)
		})
	}
}

func readProof(t *testing.T) (suite string, record map[string][]string) {
	t.Helper()
	data, err := os.ReadFile(proofFile)
	require.NoError(t, err)
	record = map[string][]string{}
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, "suite "); ok {
			suite = strings.TrimSpace(rest)
			continue
		}
		what, cases, ok := strings.Cut(strings.TrimSpace(line), ":")
		_, name, spaced := strings.Cut(what, " ")
		require.True(t, ok && spaced, "line %q", line)
		record[name] = strings.Fields(cases)
	}
	return suite, record
}

func writeProof(t *testing.T, record map[string][]string) {
	t.Helper()
	var text strings.Builder
	fmt.Fprintf(&text, "suite %s\n", conformance.SuiteDigest())
	for _, s := range saboteur.All() {
		word := "missed"
		if slices.Contains(record[s.Name], s.Target) {
			word = "caught"
		}
		fmt.Fprintf(&text, "%s %s: %s\n", word, s.Name, strings.Join(record[s.Name], " "))
	}
	require.NoError(t, os.WriteFile(proofFile, []byte(text.String()), 0o644)) //nolint:gosec // a file of the repository
}
