package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/conformance"
)

func TestSuiteShow(t *testing.T) {
	passed := &conformance.Result{ID: "area/good", Status: conformance.Pass, Seconds: 1}
	failed := &conformance.Result{ID: "area/bad", Status: conformance.Fail, Failures: []string{"mode: expected 1, got 2"}}
	events := []conformance.Event{
		{ID: "area/good", All: 2}, {ID: "area/bad", All: 2},
		{ID: "area/good", Result: passed, Ended: 1, All: 2}, {ID: "area/bad", Result: failed, Ended: 2, All: 2},
	}
	for _, test := range []struct {
		name  string
		width int // 0 without a terminal
		want  string
	}{
		{"file", 0, passed.String() + "\n" + failed.String() + "\n"},
		{"terminal", 80, clearLine + "0 of 2  area/good" + clearLine + "0 of 2  area/good area/bad" +
			clearLine + "1 of 2  area/bad" + clearLine + failed.String() + "\n2 of 2  " + clearLine},
		{"narrow", 15, clearLine + "0 of 2  are..." + clearLine + "0 of 2  are..." +
			clearLine + "1 of 2  are..." + clearLine + failed.String() + "\n2 of 2  " + clearLine},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out strings.Builder
			s := newSuiteShow(&out)
			if test.width > 0 {
				s.columns = func() int { return test.width }
			}
			for _, ev := range events {
				s.event(ev)
			}
			s.close()
			require.Equal(t, test.want, out.String())
		})
	}
	painted := (&suiteShow{color: true}).painted(failed)
	require.True(t, strings.HasPrefix(painted, "\x1b[31mfail\x1b[0m "), painted)
}
