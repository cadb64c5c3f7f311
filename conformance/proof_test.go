package conformance_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/conformance"
	"github.com/caisson-dev/caisson/conformance/saboteur"
	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/drivers/fake"
)

// The record of the proof, a line "caught|missed SABOTEUR: CASES" each.
const proofFile = "testdata/proof.golden"

// proofMode is what CAISSON_PROOF says: "quick" tries each saboteur on the cases that
// are to catch it, "full" on all of them, and "update" writes the record anew.
// With CAISSON_SABOTEUR only those whose name contains it are tried.
var proofMode, onlySaboteur = os.Getenv("CAISSON_PROOF"), os.Getenv("CAISSON_SABOTEUR")

// honest is the harness of a driver that keeps every promise: the fake, of
// which a second driver shares the engine of the first.
func honest() *conformance.Harness {
	engine := fake.New(nil)
	return &conformance.Harness{
		Open:         func(context.Context) (core.Driver, error) { return declaring{engine}, nil },
		Spec:         core.Spec{Runtime: &core.Runtime{Image: "debian"}, Allow: unable},
		MissingImage: "missing/image",
		InMemory:     true,
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
	info.Isolation.Level, info.Isolation.Missing = "container", unable
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

// wanted skips the proof, which takes minutes and a machine of its own, unless it is asked for.
func wanted(t *testing.T) {
	t.Helper()
	if proofMode == "" {
		t.Skip("the proof of the suite takes minutes: set CAISSON_PROOF to quick, full or update")
	}
}

func TestTheHonestPass(t *testing.T) {
	rep, err := conformance.Check(t.Context(), honest(), nil)
	require.NoError(t, err)
	for _, res := range rep.Results {
		if res.Status != conformance.Pass {
			t.Errorf("%s: %s %s %q", res.ID, res.Status, res.Reason, res.Failures)
		}
	}
	require.Equal(t, conformance.Gold, rep.Level, rep.Summary())
	require.True(t, rep.Conformant)
}

func TestProof(t *testing.T) {
	wanted(t)
	record := readProof(t)
	slots := make(chan struct{}, 8) // most of the time is waiting
	var all sync.WaitGroup
	var mu sync.Mutex
	lines := map[string]string{}
	for _, s := range saboteur.All() {
		if !strings.Contains(s.Name, onlySaboteur) {
			continue
		}
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			recorded, start := record[s.Name], time.Now()
			by, err := caughtBy(t.Context(), &s, recorded, conformance.Cases())
			if err != nil {
				t.Errorf("%s: %v", s.Name, err)
			}
			if !slices.Contains(by, s.Target) {
				t.Errorf("%s: not caught by %s, which is made to catch it; %s", s.Name, s.Target, s.Breaks)
			}
			if proofMode != "update" && !slices.Equal(by, recorded) {
				t.Errorf("%s: caught by %q, recorded %q", s.Name, by, recorded)
			}
			if testing.Verbose() {
				fmt.Printf("%6.1f s %s: caught by %d\n", time.Since(start).Seconds(), s.Name, len(by))
			}
			mu.Lock()
			defer mu.Unlock()
			word := "missed"
			if slices.Contains(by, s.Target) {
				word = "caught"
			}
			lines[s.Name] = fmt.Sprintf("%s %s: %s\n", word, s.Name, strings.Join(by, " "))
		})
	}
	all.Wait()
	if onlySaboteur != "" {
		return
	}
	require.GreaterOrEqual(t, len(lines), 40)
	if proofMode == "update" {
		var text strings.Builder
		for _, s := range saboteur.All() {
			text.WriteString(lines[s.Name])
		}
		require.NoError(t, os.WriteFile(proofFile, []byte(text.String()), 0o644)) //nolint:gosec // a file of the repository
		return
	}
	for name := range record {
		require.Contains(t, lines, name, "the record names a saboteur that there is not")
	}
}

// caughtBy returns the cases that fail on a saboteur. A case whose outcome is
// not the recorded one, or not recorded, gets a second chance alone: what the
// load of many runs at once does to it proves nothing.
func caughtBy(ctx context.Context, s *saboteur.Saboteur, recorded []string, cases []conformance.Case) ([]string, error) {
	cases = slices.DeleteFunc(slices.Clone(cases), func(c conformance.Case) bool {
		if proofMode == "" {
			return c.ID != s.Target && !slices.Contains(recorded, c.ID)
		}
		return c.Level == conformance.Gold && c.ID != s.Target // they are heavy, and each has a saboteur of its own
	})
	rep, err := conformance.Check(ctx, s.Harness(honest()), &conformance.Options{Cases: cases})
	if err != nil {
		return nil, err
	}
	var by []string
	for i, res := range rep.Results {
		bad := res.Bad()
		for try := 0; try < 2 && (proofMode == "update" && bad || proofMode != "update" && bad != slices.Contains(recorded, res.ID)); try++ {
			again, err := conformance.Check(ctx, s.Harness(honest()), &conformance.Options{Cases: cases[i : i+1]})
			if err != nil {
				return nil, err
			}
			bad = again.Results[0].Bad()
		}
		if bad {
			by = append(by, res.ID)
		}
	}
	return by, nil
}

func readProof(t *testing.T) map[string][]string {
	t.Helper()
	data, err := os.ReadFile(proofFile)
	require.NoError(t, err)
	record := map[string][]string{}
	for line := range strings.Lines(string(data)) {
		what, cases, ok := strings.Cut(strings.TrimSpace(line), ":")
		_, name, spaced := strings.Cut(what, " ")
		require.True(t, ok && spaced, "line %q", line)
		record[name] = strings.Fields(cases)
	}
	return record
}

func TestEveryCaseIsProven(t *testing.T) {
	wanted(t)
	proven := map[string]bool{}
	for _, cases := range readProof(t) {
		for _, id := range cases {
			proven[id] = true
		}
	}
	for _, c := range conformance.Cases() {
		require.True(t, proven[c.ID], "no saboteur is caught by %s: write one", c.ID)
	}
}

// TestMutants makes one case after the other always pass. The proof must notice.
func TestMutants(t *testing.T) {
	wanted(t)
	record := readProof(t)
	saboteurs := map[string]*saboteur.Saboteur{} // one that each case catches
	for _, s := range saboteur.All() {
		for _, id := range record[s.Name] {
			saboteurs[id] = &s
		}
	}
	for _, c := range conformance.Cases() {
		c.Run = func(*conformance.Env) {}
		s := saboteurs[c.ID]
		by, err := caughtBy(t.Context(), s, []string{c.ID}, []conformance.Case{c})
		require.NoError(t, err)
		require.NotContains(t, by, c.ID, "a case that always passes catches %s", s.Name)
	}
}
