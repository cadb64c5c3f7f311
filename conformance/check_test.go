package conformance_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/joshdk/go-junit"
	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/conformance"
	"github.com/caisson-dev/caisson/core"
)

func passes(*conformance.Env) {}

func fails(e *conformance.Env) { e.Errorf("expected 1, got 2") }

func skips(e *conformance.Env) { e.Skipf("not today") }

// newCase returns a case of area test.
func newCase(id string, level conformance.Level, run func(*conformance.Env)) conformance.Case {
	return conformance.Case{ID: "test/" + id, Title: "a test of " + id, Level: level, Run: run, Timeout: 5 * time.Second}
}

func check(t *testing.T, h *conformance.Harness, opts *conformance.Options) *conformance.Report {
	t.Helper()
	rep, err := conformance.Check(t.Context(), h, opts)
	require.NoError(t, err)
	return rep
}

func TestLevels(t *testing.T) {
	core_, extended, gold := conformance.Core, conformance.Extended, conformance.Gold
	for _, c := range []struct {
		name                   string
		core, extended, gold   func(*conformance.Env)
		asked, level           conformance.Level
		conformant, conformAll bool
	}{
		{"all pass", passes, passes, passes, gold, gold, true, true},
		{"core fails", fails, passes, passes, gold, conformance.None, false, false},
		{"core is skipped", skips, passes, passes, gold, conformance.None, false, false},
		{"extended fails", passes, fails, passes, gold, core_, false, false},
		{"extended is skipped", passes, skips, passes, gold, gold, true, true},
		{"gold fails", passes, passes, fails, gold, extended, false, false},
		{"gold is not asked for", passes, passes, fails, extended, extended, true, true},
		{"only core is asked for", passes, fails, fails, core_, core_, true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			rep := check(t, honest(), &conformance.Options{Level: c.asked, Cases: []conformance.Case{
				newCase("a", core_, c.core), newCase("b", extended, c.extended), newCase("c", gold, c.gold),
			}})
			require.Equal(t, c.level, rep.Level)
			require.Equal(t, c.conformant, rep.Conformant)
			require.Equal(t, c.asked, rep.Asked)
		})
	}
	declared := newCase("b", extended, skips)
	declared.Requires = core.CapList
	rep := check(t, honest(), &conformance.Options{Cases: []conformance.Case{newCase("a", core_, passes), declared}})
	require.Equal(t, core_, rep.Level, "a declared capability may not be skipped")
	require.False(t, rep.Conformant)
	declared.Needs = []string{"no-such-program"}
	rep = check(t, honest(), &conformance.Options{Cases: []conformance.Case{newCase("a", core_, passes), declared}})
	require.Equal(t, gold, rep.Level, "but an image need not have everything")
	_, err := conformance.Check(t.Context(), honest(), &conformance.Options{Run: regexp.MustCompile("no such case")})
	require.ErrorIs(t, err, core.ErrInvalid)
	for _, name := range []string{"", "none", "Gold", "silver"} {
		_, err := conformance.ParseLevel(name)
		require.ErrorIs(t, err, core.ErrInvalid, name)
	}
}

func TestHowACaseCanEnd(t *testing.T) {
	h := honest()
	h.KnownFailing = []string{"execute/success", "execute/signals"}
	unsupported := newCase("unsupported", conformance.Extended, passes)
	unsupported.Requires = "x.unheard-of"
	needy := newCase("needy", conformance.Extended, passes)
	needy.Needs = []string{"no-such-program"}
	known, listed := newCase("", conformance.Core, fails), newCase("", conformance.Core, passes)
	known.ID, listed.ID = "execute/signals", "execute/success"
	hangs := newCase("hangs", conformance.Core, func(e *conformance.Env) { <-e.Context().Done(); e.Errorf("late: %v", e.Context().Err()) })
	hangs.Timeout = 50 * time.Millisecond
	rep := check(t, h, &conformance.Options{Cases: []conformance.Case{
		newCase("pass", conformance.Core, passes),
		newCase("fail", conformance.Core, fails),
		newCase("fatal", conformance.Core, func(e *conformance.Env) { e.Fatalf("the end"); e.Errorf("after it") }),
		newCase("panic", conformance.Core, func(*conformance.Env) { panic("oops") }),
		newCase("many", conformance.Core, func(e *conformance.Env) {
			for range 25 {
				e.Errorf("again")
			}
		}),
		newCase("cleanup", conformance.Core, func(e *conformance.Env) {
			e.Cleanup(func() { e.Logf("first") })
			e.Cleanup(func() { e.Logf("second"); e.Fatalf("in it") })
		}),
		hangs, unsupported, needy, known, listed,
	}})
	status, failures := map[string]conformance.Status{}, map[string][]string{}
	for _, res := range rep.Results {
		status[res.ID], failures[res.ID] = res.Status, res.Failures
	}
	require.Equal(t, map[string]conformance.Status{
		"test/pass": conformance.Pass, "test/fail": conformance.Fail, "test/fatal": conformance.Fail, "test/panic": conformance.Broken, "test/many": conformance.Fail,
		"test/cleanup": conformance.Fail, "test/hangs": conformance.Fail, "test/unsupported": conformance.Skip, "test/needy": conformance.Skip,
		"execute/signals": conformance.KnownFailing, "execute/success": conformance.KnownPasses,
	}, status)
	require.Equal(t, []string{"expected 1, got 2"}, failures["test/fail"])
	require.Equal(t, []string{"the end"}, failures["test/fatal"])
	require.Contains(t, failures["test/panic"][0], "oops")
	require.Equal(t, "and 15 more", failures["test/many"][10])
	require.Equal(t, []string{"in it"}, failures["test/cleanup"])
	require.Equal(t, []string{"late: context deadline exceeded"}, failures["test/hangs"])
	for _, res := range rep.Results {
		switch res.ID {
		case "test/unsupported":
			require.Contains(t, res.Reason, "x.unheard-of")
		case "test/needy":
			require.Contains(t, res.Reason, "no-such-program")
		case "test/cleanup":
			require.Equal(t, []string{"second", "first"}, res.Log)
		}
	}
	require.False(t, rep.Conformant)
	require.Len(t, rep.Failed(), 7)
	require.Len(t, rep.Skipped(), 3)
}

func TestKnownFailuresMustBeCases(t *testing.T) {
	h := honest()
	h.KnownFailing = []string{"execute/no-such-case"}
	_, err := conformance.Check(t.Context(), h, nil)
	require.ErrorIs(t, err, core.ErrInvalid)
	require.ErrorContains(t, err, "execute/no-such-case")
}

// TestKnownFailuresDoNotFailTheRun: it goes on, but reaches no level that it should not.
func TestKnownFailuresDoNotFailTheRun(t *testing.T) {
	h := honest()
	h.KnownFailing = []string{"isolation/seccomp"}
	known := newCase("", conformance.Extended, fails)
	known.ID = "isolation/seccomp"
	rep := check(t, h, &conformance.Options{Cases: []conformance.Case{newCase("a", conformance.Core, passes), known}})
	require.Equal(t, conformance.Core, rep.Level)
	require.True(t, rep.Conformant)
}

func TestWhatIsLeftFailsTheRun(t *testing.T) {
	h := honest()
	h.Census = func(context.Context, string) ([]string, error) { return []string{"container x"}, nil }
	rep := check(t, h, &conformance.Options{Cases: []conformance.Case{newCase("a", conformance.Core, passes)}})
	require.Equal(t, []string{"container x"}, rep.Leftovers)
	require.False(t, rep.Conformant)
}

func TestPartOfTheSuiteReachesNoLevel(t *testing.T) {
	rep := check(t, honest(), &conformance.Options{Run: regexp.MustCompile("^execute/(success|signals)$")})
	require.Len(t, rep.Results, 2)
	require.True(t, rep.Partial)
	require.Equal(t, conformance.None, rep.Level)
	require.True(t, rep.Conformant)
}

func TestHarnessThatCannotBeUsed(t *testing.T) {
	for _, h := range []*conformance.Harness{nil, {}, {Open: honest().Open}} {
		_, err := conformance.Check(t.Context(), h, nil)
		require.ErrorIs(t, err, core.ErrInvalid)
	}
	broken := errors.New("no engine")
	h := honest()
	h.Open = func(context.Context) (core.Driver, error) { return nil, broken }
	_, err := conformance.Check(t.Context(), h, nil)
	require.ErrorIs(t, err, broken)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = conformance.Check(ctx, honest(), nil)
	require.ErrorIs(t, err, context.Canceled)
}

// TestOneFailureDoesNotFailOthers: a case that failed takes the shared sandbox with it, once the others have left it.
func TestOneFailureDoesNotFailOthers(t *testing.T) {
	var cases []conformance.Case
	used := make(chan string, 40)
	for i := range 20 {
		cases = append(cases, newCase(string(rune('a'+i)), conformance.Core, func(e *conformance.Env) {
			sb := e.Sandbox()
			res, err := sb.Execute(e.Context(), core.Shell("hostname; sleep 0.05"))
			if err != nil {
				e.Errorf("execute: %v", err)
				return
			}
			used <- res.Stdout.String()
			if i%5 == 0 {
				e.Errorf("on purpose")
			}
		}))
	}
	rep := check(t, honest(), &conformance.Options{Cases: cases, Parallel: 5})
	for _, res := range rep.Results {
		for _, f := range res.Failures {
			require.Equal(t, "on purpose", f, res.ID)
		}
	}
	require.Equal(t, 4, rep.Count(conformance.Fail))
	close(used)
	hosts := map[string]bool{}
	for h := range used {
		hosts[h] = true
	}
	require.Greater(t, len(hosts), 1, "the sandbox of a failed case was used on")
	require.Empty(t, rep.Leftovers)
}

func TestProgressIsTold(t *testing.T) {
	var log bytes.Buffer
	var seen []string
	watch := func(ev conformance.Event) {
		how := "begins"
		if ev.Result != nil {
			how = string(ev.Result.Status)
		}
		seen = append(seen, fmt.Sprintf("%s %s, %d of %d", ev.ID, how, ev.Ended, ev.All))
	}
	check(t, honest(), &conformance.Options{Log: &log, Watch: watch, Parallel: 1, Cases: []conformance.Case{newCase("a", conformance.Core, fails), newCase("b", conformance.Extended, skips)}})
	require.Equal(t, []string{"test/a begins, 0 of 2", "test/a fail, 1 of 2", "test/b begins, 1 of 2", "test/b skip, 2 of 2"}, seen)
	require.Contains(t, log.String(), "test/a")
	require.Contains(t, log.String(), "expected 1, got 2")
	require.Contains(t, log.String(), "not today")
}

// sample is a report with every status.
func sample(t *testing.T) *conformance.Report {
	t.Helper()
	h := honest()
	h.Name = "a <driver>"
	h.KnownFailing = []string{"execute/success", "execute/signals"}
	known, listed := newCase("", conformance.Core, fails), newCase("", conformance.Core, passes)
	known.ID, listed.ID = "execute/signals", "execute/success"
	h.Census = func(context.Context, string) ([]string, error) { return []string{"volume \x01y"}, nil }
	return check(t, h, &conformance.Options{Cases: []conformance.Case{
		newCase("pass", conformance.Core, passes),
		newCase("fail", conformance.Core, func(e *conformance.Env) {
			e.Logf("log <1>")
			e.Errorf("got \"\x00\" & <b>")
			e.Errorf("mode: expected 5, got <6>, got 7")
		}),
		newCase("broken", conformance.Core, func(*conformance.Env) { panic("oops") }),
		newCase("skip", conformance.Extended, skips), known, listed,
	}})
}

func TestJSON(t *testing.T) {
	var buf bytes.Buffer
	require.NoError(t, sample(t).WriteJSON(&buf))
	var got map[string]any
	require.NoError(t, json.Unmarshal(buf.Bytes(), &got))
	var keys []string
	for k := range got {
		keys = append(keys, k)
	}
	require.ElementsMatch(t, []string{"schema", "name", "engine", "started", "seconds", "level", "asked", "partial", "conformant", "counts", "results", "leftovers", "saboteurs"}, keys)
	require.Equal(t, "conformance/v1", got["schema"])
	require.Equal(t, map[string]any{"pass": 1.0, "fail": 1.0, "error": 1.0, "skip": 1.0, "known_failing": 1.0, "known_but_pass": 1.0}, got["counts"])
	var back conformance.Report
	require.NoError(t, json.Unmarshal(buf.Bytes(), &back))
	require.Equal(t, "a <driver>", back.Name)
	require.Len(t, back.Results, 6)
}

// TestJUnit reads the report as a reader of such files does.
func TestJUnit(t *testing.T) {
	var buf bytes.Buffer
	require.NoError(t, sample(t).WriteJUnit(&buf))
	suites, err := junit.Ingest(buf.Bytes())
	require.NoError(t, err)
	status, messages := map[string]junit.Status{}, map[string]string{}
	var total junit.Totals
	for _, suite := range suites {
		require.Equal(t, "conformance/v1", suite.Properties["schema"])
		require.NotEmpty(t, suite.Properties["saboteurs"])
		for _, test := range suite.Tests {
			status[test.Name], messages[test.Name] = test.Status, test.Message
		}
		total.Tests += suite.Totals.Tests
		total.Failed += suite.Totals.Failed
	}
	require.Equal(t, map[string]junit.Status{
		"test/pass": junit.StatusPassed, "test/fail": junit.StatusFailed, "test/broken": junit.StatusError, "test/skip": junit.StatusSkipped,
		"execute/signals": junit.StatusSkipped, "execute/success": junit.StatusFailed, "nothing is left behind": junit.StatusFailed,
	}, status)
	require.Equal(t, []int{7, 3}, []int{total.Tests, total.Failed}, "the census is one more test")
	require.Equal(t, "not today", messages["test/skip"])
	require.Contains(t, buf.String(), "got &#34;\ufffd&#34; &amp; &lt;b&gt;")
}

func TestPage(t *testing.T) {
	var buf bytes.Buffer
	require.NoError(t, sample(t).WriteHTML(&buf))
	page := buf.String()
	for _, text := range []string{"a &lt;driver&gt;", "level none", "not conformant", "test/fail", "log &lt;1&gt;", "not today", "known_but_pass", "Left behind",
		"<dt>expected</dt><dd>5</dd><dt>got</dt><dd class=\"got\">&lt;6&gt;, got 7</dd>", "core 1/5", "extended 0/0"} {
		require.Contains(t, page, text)
	}
	require.NotContains(t, page, "<b>\"")
	for _, elsewhere := range []string{"http://", "https://", "src=", "<script", "<link"} {
		require.False(t, strings.Contains(page, elsewhere), "the page needs %s", elsewhere)
	}
}
