package container

import (
	"regexp"
	"strings"
	"unicode"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/runtimes"
)

const maxLine = 4 << 10 // bytes of a line of build output that are kept

var (
	// stepLine is how engines announce an instruction: "Step 2/7 : RUN" and "[1/2] STEP 2/7: RUN".
	stepLine = regexp.MustCompile(`\A(?:\[[0-9]+/[0-9]+\] )?(?:Step|STEP) [0-9]+/[0-9]+ ?: `)
	// exitCode is how their errors tell the exit code of a step.
	exitCode = regexp.MustCompile(`(?:returned a non-zero code: |exit status )([0-9]+)\s*\z`)
	// engineTalk is what engines say between the steps, and preamble what they put before a reason.
	engineTalk = regexp.MustCompile(`\A ?--->|\ARemov(?:ed|ing) intermediate container |\ASuccessfully (?:built|tagged) |\A-->|\A\[[0-9]+/[0-9]+\] COMMIT |\ACOMMIT |\A` + runtimes.GuardLine)
	preamble   = regexp.MustCompile(`\A(?:building at STEP ".*": )?`)
	escape     = regexp.MustCompile(`\x1b\[[0-9;?]*[A-Za-z]`)
)

// buildLog is a writer that makes progress events of the text that an engine
// sends while it builds, and keeps the end of what the present step said.
type buildLog struct {
	build    *runtimes.Build
	progress func(core.Progress)
	step     int
	line     []byte
	tail     []string
	size     int // of tail, in bytes
}

func (l *buildLog) Write(p []byte) (int, error) {
	for _, b := range p {
		switch {
		case b == '\n':
			l.end()
		case len(l.line) < maxLine:
			l.line = append(l.line, b)
		}
	}
	return len(p), nil
}

// end takes a whole line.
func (l *buildLog) end() {
	line := l.build.Redact(plain(string(l.line)))
	l.line = l.line[:0]
	switch {
	case line == "", engineTalk.MatchString(line):
	case stepLine.MatchString(line):
		l.step++
		l.tail, l.size = nil, 0
		if l.step <= len(l.build.Steps) { // labels of the request are steps as well
			l.progress(core.Progress{Kind: core.ProgressStep, Text: l.build.Steps[l.step-1], Current: int64(l.step), Total: int64(len(l.build.Steps))})
		}
	default:
		l.tail, l.size = append(l.tail, line), l.size+len(line)+1
		for l.size > runtimes.MaxLog {
			l.size -= len(l.tail[0]) + 1
			l.tail = l.tail[1:]
		}
		l.progress(core.Progress{Kind: core.ProgressLog, Text: line})
	}
}

// failure describes the end of a build that the engine gave a reason for.
func (l *buildLog) failure(reason string) *runtimes.BuildError {
	l.end()
	e := &runtimes.BuildError{Steps: len(l.build.Steps), Reason: preamble.ReplaceAllString(l.build.Redact(plain(reason)), ""), Log: strings.Join(l.tail, "\n")}
	if l.step > 0 && l.step <= len(l.build.Steps) {
		e.Step, e.Title = l.step, l.build.Steps[l.step-1]
	}
	if m := exitCode.FindStringSubmatch(reason); m != nil {
		for _, digit := range m[1] {
			e.ExitCode = e.ExitCode*10 + int(digit-'0')
		}
	}
	return e
}

// plain makes a line fit for any terminal: no colours, no other control
// characters, and of a progress bar what it last said.
func plain(line string) string {
	line = strings.TrimRight(escape.ReplaceAllString(line, ""), " \r")
	line = line[strings.LastIndexByte(line, '\r')+1:]
	return strings.ToValidUTF8(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\t' {
			return -1
		}
		return r
	}, line), "\ufffd")
}
