package runtimes

import (
	"fmt"
	"strings"
)

// MaxLog is how many bytes of a build's output a BuildError keeps: the last ones.
const MaxLog = 16 << 10

// BuildError says which step of a build failed. Drivers return it inside a
// core.Error with the code core.ErrBuild; across a process boundary its text remains.
type BuildError struct {
	Step, Steps int    // the step, from 1, and how many there are; 0 if none began
	Title       string // what the step does
	ExitCode    int    // of the step's command; 0 if it is not known
	Reason      string // what the engine said
	Log         string // the end of the step's output, at most MaxLog bytes
}

// Error returns one line: the step, its exit code and the last line of its output.
func (e *BuildError) Error() string {
	var b strings.Builder
	if e.Step > 0 {
		fmt.Fprintf(&b, "step %d of %d, %s: ", e.Step, e.Steps, shorten(e.Title))
	}
	if e.ExitCode > 0 {
		fmt.Fprintf(&b, "exit code %d", e.ExitCode)
	} else {
		b.WriteString(shorten(e.Reason))
	}
	lines := strings.Split(strings.TrimRight(e.Log, "\n"), "\n")
	if last := lines[len(lines)-1]; last != "" {
		b.WriteString(": " + shorten(last))
	}
	return b.String()
}

// shorten makes a text fit into a line with others.
func shorten(text string) string {
	const most = 200
	text = oneLine(text)
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}
