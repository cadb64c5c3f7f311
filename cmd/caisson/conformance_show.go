package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"golang.org/x/term"

	"github.com/caisson-dev/caisson/conformance"
)

// suiteShow shows how the suite goes on: a line for each case that has ended. On
// a terminal that is one for each that did not pass, and below them one that is
// written over and over, with what is running. Its methods are called from one goroutine at a time.
type suiteShow struct {
	w       io.Writer
	columns func() int // of the terminal; nil without one
	color   bool
	running []string // the oldest first
}

func newSuiteShow(w io.Writer) *suiteShow {
	s := &suiteShow{w: w}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		s.color = os.Getenv("NO_COLOR") == ""
		s.columns = func() int {
			width, _, err := term.GetSize(int(f.Fd()))
			if err != nil || width == 0 {
				width = 80
			}
			return width
		}
	}
	return s
}

// clearLine takes the cursor to the beginning of its line and empties that.
const clearLine = "\r\x1b[K"

// event shows that a case has begun or ended.
func (s *suiteShow) event(ev conformance.Event) {
	res := ev.Result
	if res == nil {
		s.running = append(s.running, ev.ID)
	} else {
		s.running = slices.DeleteFunc(s.running, func(id string) bool { return id == ev.ID })
	}
	switch {
	case s.columns == nil && res != nil:
		fmt.Fprintln(s.w, res)
	case s.columns != nil:
		text := clearLine
		if res != nil && res.Status != conformance.Pass {
			text += s.painted(res) + "\n"
		}
		_, _ = io.WriteString(s.w, text+s.now(ev))
	}
}

// now is the line that is written over, as long as there is room.
func (s *suiteShow) now(ev conformance.Event) string {
	line := fmt.Sprintf("%d of %d  %s", ev.Ended, ev.All, strings.Join(s.running, " "))
	if most := s.columns() - 1; len(line) > most { // IDs are ASCII
		line = line[:max(most-3, 0)] + "..."
	}
	return line
}

// painted is a result with its status in colour.
func (s *suiteShow) painted(res *conformance.Result) string {
	text := res.String()
	if !s.color {
		return text
	}
	color := "\x1b[33m" // yellow: it was not tested, or was known to fail
	if res.Bad() {
		color = "\x1b[31m"
	}
	return color + string(res.Status) + "\x1b[0m" + strings.TrimPrefix(text, string(res.Status))
}

// close leaves the line that is written over empty.
func (s *suiteShow) close() {
	if s.columns != nil {
		_, _ = io.WriteString(s.w, clearLine)
	}
}
