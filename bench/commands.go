package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caisson-dev/caisson/core"
)

// spawner is a program that is inside already. It starts /bin/true as fast as
// that can be done, as often as each line that it reads says, and prints the nanoseconds of each.
const spawner = `import os, sys, time
for line in sys.stdin:
    for _ in range(int(line)):
        start = time.perf_counter_ns()
        os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)
        print(time.perf_counter_ns() - start, flush=False)
    sys.stdout.flush()`

// inside is the spawner as a rival, over a bare stream of its own.
func (s *subject) inside(ctx context.Context, calls int) (rival, io.Closer, error) {
	stream, err := s.raw.stream(ctx, "python3", "-c", spawner)
	if err != nil {
		return rival{}, nil, err
	}
	return rival{calls: calls, times: func(n int) (times, error) {
		if _, err := fmt.Fprintf(stream, "%d\n", n); err != nil {
			return nil, err
		}
		all := make(times, n)
		for i := range all {
			line, err := stream.line()
			if err != nil {
				return nil, err
			}
			nanos, err := strconv.Atoi(strings.TrimSpace(line))
			if err != nil {
				return nil, fmt.Errorf("spawner: %w", err)
			}
			all[i] = time.Duration(nanos)
		}
		return all, nil
	}}, stream, nil
}

// commands compares a command with an exec of the engine's, and with a process that is started inside.
func (s *subject) commands(ctx context.Context) error {
	run := func() error {
		res, err := s.Execute(ctx, core.Program("/bin/true"))
		if err == nil && !res.Success() {
			err = fmt.Errorf("true ended with %d", res.ExitCode)
		}
		return err
	}
	spawn, stream, err := s.inside(ctx, 10)
	if err != nil {
		return err
	}
	defer stream.Close()
	rivals := []rival{calling(10, run), calling(1, func() error { return s.raw.exec(ctx, "/bin/true") }), spawn}
	if _, err := race(3, rivals...); err != nil { // warms up all of them
		return err
	}
	all, err := race(s.rounds, rivals...)
	if err != nil {
		return err
	}
	ours, exec, bare := all[0], all[1], all[2]

	want := 50.0
	if s.docker {
		want = 30
	}
	calls := strconv.Itoa(count(ours))
	faster := ratio(exec, ours)
	s.add(figure{
		what: "true, against an exec", calls: calls, ours: spread(ours), theirs: spread(exec),
		ratio: timesText(faster), wanted: fmt.Sprintf("at least %.0fx", want), met: faster >= want,
	})
	p50 := median(ours)
	s.add(figure{what: "true, p50 alone", calls: calls, ours: round(p50), wanted: "under 3ms", met: p50 < 3*time.Millisecond})
	slow := slices.Concat(ours...).at(99)
	tail := float64(slices.Concat(exec...).at(50)) / float64(slow)
	s.add(figure{
		what: "true, p99 against an exec's p50", calls: calls, ours: round(slow), theirs: round(slices.Concat(exec...).at(50)),
		ratio: timesText(tail), wanted: "at least 10x", met: tail >= 10,
	})
	over := 1 / ratio(bare, ours)
	s.add(figure{
		what: "true, against a start inside", calls: calls, ours: spread(ours), theirs: spread(bare),
		ratio: timesText(over), wanted: "at most 2x", met: over <= 2,
	})
	return nil
}
