package conformance

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"
)

// The elements of JUnit's report, as far as its readers agree on them.
type (
	junitSuites struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Name     string       `xml:"name,attr"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Errors   int          `xml:"errors,attr"`
		Skipped  int          `xml:"skipped,attr"`
		Time     string       `xml:"time,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name       string          `xml:"name,attr"`
		Tests      int             `xml:"tests,attr"`
		Failures   int             `xml:"failures,attr"`
		Errors     int             `xml:"errors,attr"`
		Skipped    int             `xml:"skipped,attr"`
		Time       string          `xml:"time,attr"`
		Timestamp  string          `xml:"timestamp,attr"`
		Properties []junitProperty `xml:"properties>property"`
		Cases      []junitCase     `xml:"testcase"`
	}
	junitProperty struct {
		Name  string `xml:"name,attr"`
		Value string `xml:"value,attr"`
	}
	junitCase struct {
		Class   string        `xml:"classname,attr"`
		Name    string        `xml:"name,attr"`
		Time    string        `xml:"time,attr"`
		Failure *junitMessage `xml:"failure,omitempty"`
		Error   *junitMessage `xml:"error,omitempty"`
		Skipped *junitMessage `xml:"skipped,omitempty"`
		Output  string        `xml:"system-out,omitempty"`
	}
	junitMessage struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

// WriteJUnit writes the report as JUnit XML: a test suite for each area, and
// the level, the engine and the proof as properties. A case that is known to
// fail counts as skipped. What was left behind is a test that fails.
func (rep *Report) WriteJUnit(w io.Writer) error {
	all := junitSuites{Name: "conformance " + rep.Name, Time: seconds(rep.Seconds)}
	for _, area := range rep.Areas() {
		suite := junitSuite{Name: area.Name, Timestamp: rep.Started.Format(time.RFC3339), Properties: rep.properties()}
		total := 0.0
		for _, res := range area.Results {
			suite.add(junitOf(res))
			total += res.Seconds
		}
		suite.Time = seconds(total)
		all.add(&suite)
	}
	if len(rep.Leftovers) > 0 {
		suite := junitSuite{Name: "census", Timestamp: rep.Started.Format(time.RFC3339), Properties: rep.properties(), Time: seconds(0)}
		suite.add(junitCase{Class: "conformance.census", Name: "nothing is left behind", Time: seconds(0), Failure: message("left behind", rep.Leftovers)})
		all.add(&suite)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(all); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func (s *junitSuite) add(c junitCase) {
	s.Cases = append(s.Cases, c)
	s.Tests++
	switch {
	case c.Failure != nil:
		s.Failures++
	case c.Error != nil:
		s.Errors++
	case c.Skipped != nil:
		s.Skipped++
	}
}

func (all *junitSuites) add(s *junitSuite) {
	all.Suites = append(all.Suites, *s)
	all.Tests += s.Tests
	all.Failures += s.Failures
	all.Errors += s.Errors
	all.Skipped += s.Skipped
}

func junitOf(res *Result) junitCase {
	c := junitCase{Class: "conformance." + res.Area, Name: res.ID, Time: seconds(res.Seconds), Output: printable(strings.Join(res.Log, "\n"))}
	switch res.Status {
	case Fail, KnownPasses:
		c.Failure = message(res.Title, append([]string{res.Reason}, res.Failures...))
	case Broken:
		c.Error = message(res.Title, res.Failures)
	case Skip:
		c.Skipped = message(res.Reason, nil)
	case KnownFailing:
		c.Skipped = message("known failing", res.Failures)
	case Pass:
	}
	return c
}

func (rep *Report) properties() []junitProperty {
	return []junitProperty{
		{"schema", rep.Schema}, {"driver", rep.Engine.Driver}, {"engine", rep.Engine.Engine}, {"version", rep.Engine.Version},
		{"level", string(rep.Level)}, {"saboteurs", rep.Saboteurs.String()},
	}
}

func message(text string, lines []string) *junitMessage {
	return &junitMessage{Message: printable(text), Text: printable(strings.TrimSpace(strings.Join(lines, "\n")))}
}

func seconds(s float64) string { return fmt.Sprintf("%.3f", s) }

// printable replaces what XML cannot hold.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r == '\ufffe' || r == '\uffff' {
			return '\ufffd'
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
}
