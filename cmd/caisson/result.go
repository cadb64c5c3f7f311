package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/docker/go-units"

	"github.com/caisson-dev/caisson/core"
)

// ended returns the exit status for a result: nil for success.
func ended(res *core.Result) error {
	code := exitFailure
	switch res.Reason {
	case core.Exited:
		code = res.ExitCode
	case core.TimedOut:
		code = exitTimeout
	case core.OutOfMemory:
		code = exitSignaled + signalNumber("SIGKILL")
	case core.Signaled:
		if n := signalNumber(res.Signal); n > 0 {
			code = exitSignaled + n
		}
	}
	if code == 0 {
		return nil
	}
	return status(code)
}

// explain says what the exit status alone does not.
func (r *run) explain(res *core.Result) {
	switch res.Reason {
	case core.TimedOut:
		fmt.Fprintf(r.stderr, "caisson: timed out after %v\n", r.command.Timeout)
	case core.OutOfMemory:
		if r.get != nil {
			fmt.Fprintln(r.stderr, "caisson: out of memory")
			return
		}
		limit := r.spec.WithDefaults().Limits.Memory
		fmt.Fprintf(r.stderr, "caisson: out of memory; the limit is %s (--memory)\n", units.BytesSize(float64(limit)))
	case core.Signaled:
		fmt.Fprintf(r.stderr, "caisson: killed by %s\n", res.Signal)
	}
}

// report is the answer of `caisson run --json`. Fields are only ever added.
type report struct {
	Driver     string   `json:"driver,omitempty"`
	Runtime    string   `json:"runtime,omitempty"`
	Image      string   `json:"image,omitempty"` // its own, or what the runtime is built from
	Reason     string   `json:"reason,omitempty"`
	ExitCode   *int     `json:"exit_code"` // null if it did not exit
	Signal     string   `json:"signal,omitempty"`
	Stdout     *output  `json:"stdout,omitempty"`
	Stderr     *output  `json:"stderr,omitempty"`
	Combined   *output  `json:"combined,omitempty"`
	DurationMS float64  `json:"duration_ms,omitempty"`
	Usage      *usage   `json:"usage,omitempty"`
	Restarted  bool     `json:"restarted,omitempty"`
	Error      *problem `json:"error,omitempty"`
}

type output struct {
	Text      string `json:"text"`             // bytes that are not UTF-8 are replaced
	Bytes     []byte `json:"base64,omitempty"` // what was kept, if Text is not exactly that
	Total     int64  `json:"total"`            // bytes of the output, kept or not
	Truncated bool   `json:"truncated"`
}

type usage struct {
	UserMS     float64 `json:"user_ms"`
	SystemMS   float64 `json:"system_ms"`
	PeakMemory int64   `json:"peak_memory,omitempty"` // bytes; left out if it is not known
}

type problem struct {
	Code    core.Code `json:"code"`
	Message string    `json:"message"`
}

// report prints the result, the error or both as JSON.
func (r *run) report(res *core.Result, failure error) error {
	var rep report
	if r.info != nil {
		rep.Driver = r.info.Driver
	}
	if rt := r.spec.Runtime; rt != nil {
		rep.Runtime, rep.Image = rt.Name, cmp.Or(rt.Image, rt.BaseImage)
	}
	if res != nil {
		rep.Reason, rep.Signal, rep.Restarted = string(res.Reason), res.Signal, res.Restarted
		if res.ExitCode != core.NoExitCode {
			rep.ExitCode = &res.ExitCode
		}
		rep.Stdout, rep.Stderr, rep.Combined = outputOf(&res.Stdout), outputOf(&res.Stderr), outputOf(&res.Combined)
		rep.DurationMS = milliseconds(res.Duration)
		if u := res.Usage; u != nil {
			rep.Usage = &usage{UserMS: milliseconds(u.UserTime), SystemMS: milliseconds(u.SystemTime), PeakMemory: u.PeakMemory}
		}
	}
	if failure != nil {
		rep.Error = &problem{Code: core.CodeOf(failure), Message: oneLine(failure)}
	}
	enc := json.NewEncoder(r.stdout)
	enc.SetIndent("", "  ")
	return enc.Encode(rep)
}

func outputOf(o *core.Output) *output {
	out := &output{Text: o.String(), Total: o.Total, Truncated: o.Truncated}
	if kept := o.Bytes(); o.Truncated || !utf8.Valid(kept) {
		out.Bytes = kept
	}
	return out
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// signalNumber is Linux's number of a signal, which is what sandboxes run,
// whatever system this program runs on; 0 if the name is not known.
func signalNumber(name string) int {
	if offset, ok := strings.CutPrefix(name, "SIGRTMIN+"); ok {
		if n, err := strconv.Atoi(offset); err == nil {
			return 32 + n
		}
	}
	return map[string]int{
		"SIGHUP": 1, "SIGINT": 2, "SIGQUIT": 3, "SIGILL": 4, "SIGTRAP": 5, "SIGABRT": 6, "SIGBUS": 7, "SIGFPE": 8,
		"SIGKILL": 9, "SIGUSR1": 10, "SIGSEGV": 11, "SIGUSR2": 12, "SIGPIPE": 13, "SIGALRM": 14, "SIGTERM": 15, "SIGSTKFLT": 16,
		"SIGXCPU": 24, "SIGXFSZ": 25, "SIGVTALRM": 26, "SIGPROF": 27, "SIGIO": 29, "SIGPWR": 30, "SIGSYS": 31,
	}[name]
}
