package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caisson-dev/caisson/core"
)

// times are how long each of many calls took.
type times []time.Duration

// timed calls f again and again.
func timed(rounds int, f func() error) (times, error) {
	all := make(times, 0, rounds)
	for range rounds {
		start := time.Now()
		if err := f(); err != nil {
			return nil, err
		}
		all = append(all, time.Since(start))
	}
	slices.Sort(all)
	return all, nil
}

func (t times) median() time.Duration { return t[len(t)/2] }

// bare starts /bin/true from a program that is inside already, as fast as that
// can be done, and prints the median in nanoseconds.
const bare = `import os, time
all = []
for _ in range(ROUNDS):
    start = time.perf_counter_ns()
    os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)
    all.append(time.perf_counter_ns() - start)
print(sorted(all)[len(all) // 2])`

// commands compares a command with an exec of the engine's, and with a process that is started inside.
func (s *subject) commands(ctx context.Context) error {
	run := func() error {
		res, err := s.Execute(ctx, core.Program("/bin/true"))
		if err == nil && !res.Success() {
			err = fmt.Errorf("true ended with %d", res.ExitCode)
		}
		return err
	}
	if _, err := timed(10, run); err != nil { // warm up both sides
		return err
	}
	ours, err := timed(10*s.rounds, run)
	if err != nil {
		return err
	}
	theirs, err := timed(s.rounds, func() error { return s.raw.exec(ctx, "/bin/true") })
	if err != nil {
		return err
	}
	res, err := s.Execute(ctx, core.Program("python3", "-c", strings.Replace(bare, "ROUNDS", strconv.Itoa(10*s.rounds), 1)))
	if err != nil {
		return err
	}
	nanos, err := strconv.Atoi(strings.TrimSpace(res.Stdout.String()))
	if err != nil {
		return fmt.Errorf("bare start: %s: %w", res.Combined.String(), err)
	}
	inside := time.Duration(nanos)

	want := 50.0
	if s.docker {
		want = 30
	}
	ratio := float64(theirs.median()) / float64(ours.median())
	s.row("true, median", round(ours.median()), round(theirs.median()), times1(ratio), fmt.Sprintf("at least %.0fx", want), ratio >= want)
	s.row("true, median, absolute", round(ours.median()), "", "", "under 3ms", ours.median() < 3*time.Millisecond)
	s.row("true, 95th percentile", round(ours[len(ours)*95/100]), round(theirs[len(theirs)*95/100]), "", "", true)
	over := float64(ours.median()) / float64(inside)
	s.row("true, against a start inside", round(ours.median()), round(inside), times1(over), "at most 2x", over <= 2)
	return nil
}

func round(d time.Duration) string {
	if d < 10*time.Millisecond {
		return d.Round(10 * time.Microsecond).String()
	}
	return d.Round(100 * time.Microsecond).String()
}

func times1(ratio float64) string { return fmt.Sprintf("%.1fx", ratio) }
