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

// Programs that are inside already. They start /bin/true as often as each line
// that they read says, and print the nanoseconds of each. The first does it as
// every small program can, by fork and exec; the second as fast as that can be
// done, in a child that borrows the parent's memory.
var (
	forker = []string{"perl", "-e", `$| = 1;
chomp(my $machine = qx(uname -m));
my $number = {x86_64 => 228, aarch64 => 113}->{$machine} // die "clock_gettime on $machine?";
sub now {
    my $time = "\0" x 16;
    syscall($number, 1, $time) == 0 or die "clock_gettime: $!";
    my ($seconds, $nanos) = unpack "qq", $time;
    return $seconds * 1_000_000_000 + $nanos;
}
while (my $n = <STDIN>) {
    my $all = "";
    for (1 .. $n) {
        my $start = now();
        my $pid = fork // die "fork: $!";
        exec "/bin/true" or die "exec: $!" if !$pid;
        waitpid $pid, 0;
        $all .= now() - $start . "\n";
    }
    print $all;
}`}
	spawner = []string{"python3", "-c", `import os, sys, time
for line in sys.stdin:
    for _ in range(int(line)):
        start = time.perf_counter_ns()
        os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)
        print(time.perf_counter_ns() - start, flush=False)
    sys.stdout.flush()`}
)

// inside is such a program as a rival, over a bare stream of its own.
func (s *subject) inside(ctx context.Context, calls int, program []string) (rival, io.Closer, error) {
	stream, err := s.raw.stream(ctx, program...)
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

// commands compares a command with an exec of the engine's, and with processes that are started inside.
func (s *subject) commands(ctx context.Context) error {
	run := func() error {
		res, err := s.Execute(ctx, core.Program("/bin/true"))
		if err == nil && !res.Success() {
			err = fmt.Errorf("true ended with %d", res.ExitCode)
		}
		return err
	}
	rivals := []rival{calling(10, run), calling(1, func() error { return s.raw.exec(ctx, "/bin/true") })}
	for _, program := range [][]string{forker, spawner} {
		r, stream, err := s.inside(ctx, 10, program)
		if err != nil {
			return err
		}
		defer stream.Close()
		rivals = append(rivals, r)
	}
	if _, err := race(3, rivals...); err != nil { // warms up all of them
		return err
	}
	all, err := race(s.rounds, rivals...)
	if err != nil {
		return err
	}
	ours, exec, forked, spawned := all[0], all[1], all[2], all[3]

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
	over := 1 / ratio(forked, ours)
	s.add(figure{
		what: "true, against fork and exec inside", calls: calls, ours: spread(ours), theirs: spread(forked),
		ratio: timesText(over), wanted: "at most 2x", met: over <= 2,
	})
	s.add(figure{
		what: "true, against posix_spawn inside", calls: calls, ours: spread(ours), theirs: spread(spawned),
		ratio: timesText(1 / ratio(spawned, ours)),
	})
	return nil
}
