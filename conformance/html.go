package conformance

import (
	_ "embed"
	"html/template"
	"io"
	"slices"
	"strings"
)

//go:embed report.html.tmpl
var pageText string

// WriteHTML writes the report as one page that needs nothing else: the verdict,
// the areas as a grid, each failure with what was done, expected and got, and every case.
func (rep *Report) WriteHTML(w io.Writer) error {
	page, err := template.New("report").Parse(pageText)
	if err != nil {
		return err
	}
	return page.Execute(w, rep)
}

// Area is the results of one area.
type Area struct {
	Name    string
	Results []*Result // by ID
}

// Areas returns the results by area, sorted.
func (rep *Report) Areas() []Area {
	var areas []Area
	for i := range rep.Results {
		res := &rep.Results[i]
		at := slices.IndexFunc(areas, func(a Area) bool { return a.Name == res.Area })
		if at < 0 {
			at = len(areas)
			areas = append(areas, Area{Name: res.Area})
		}
		areas[at].Results = append(areas[at].Results, res)
	}
	slices.SortFunc(areas, func(a, b Area) int { return strings.Compare(a.Name, b.Name) })
	return areas
}

// LevelCount is how the cases of one level went.
type LevelCount struct {
	Level   Level
	Reached bool // this level and those before it
	Passed  int
	Cases   int // without those that did not apply
}

// Levels returns the counts of each level that was asked for.
func (rep *Report) Levels() []LevelCount {
	var list []LevelCount
	for _, l := range levels[1 : rep.Asked.rank()+1] {
		count := LevelCount{Level: l, Reached: l.rank() <= rep.Level.rank()}
		for i := range rep.Results {
			res := &rep.Results[i]
			if res.Level != l || res.Status == Skip {
				continue
			}
			count.Cases++
			if res.Status == Pass {
				count.Passed++
			}
		}
		list = append(list, count)
	}
	return list
}

// Finding is a failure in its parts. Expected and Got are empty where the failure is not about a value.
type Finding struct{ Done, Expected, Got string }

// Findings returns the failures of a result in their parts, as the cases write them: "what was done: expected X, got Y".
func (r *Result) Findings() []Finding {
	list := make([]Finding, len(r.Failures))
	for i, text := range r.Failures {
		list[i].Done = text
		done, rest, found := strings.Cut(text, ": expected ")
		if !found {
			continue
		}
		expected, got, found := strings.Cut(rest, ", got ")
		if !found {
			expected, got, found = strings.Cut(rest, ", still ")
			got = "still " + got
		}
		if found {
			list[i] = Finding{Done: done, Expected: expected, Got: got}
		}
	}
	return list
}

// Count returns how many of the area's cases have a status.
func (a Area) Count(s Status) int {
	n := 0
	for _, res := range a.Results {
		if res.Status == s {
			n++
		}
	}
	return n
}

// Bad returns how many of the area's cases fail the run.
func (a Area) Bad() int {
	n := 0
	for _, res := range a.Results {
		if res.Bad() {
			n++
		}
	}
	return n
}

// Count returns how many cases have a status.
func (rep *Report) Count(s Status) int { return rep.Counts[s] }

// Failed returns the results that fail the run.
func (rep *Report) Failed() []*Result {
	var bad []*Result
	for i := range rep.Results {
		if rep.Results[i].Bad() {
			bad = append(bad, &rep.Results[i])
		}
	}
	return bad
}

// Skipped returns the results of cases that did not apply, or are known to fail.
func (rep *Report) Skipped() []*Result {
	var list []*Result
	for i := range rep.Results {
		if s := rep.Results[i].Status; s == Skip || s == KnownFailing {
			list = append(list, &rep.Results[i])
		}
	}
	return list
}
