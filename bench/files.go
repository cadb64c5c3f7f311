package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/caisson-dev/caisson/core"
)

const big = 256 << 20

func (s *subject) smallFiles(ctx context.Context) error {
	data := bytes.Repeat([]byte("x"), 1<<10)
	for _, c := range []struct {
		what         string
		ours, theirs func() error
	}{
		{
			"upload 1 KiB, median",
			func() error { return s.Upload(ctx, "small", bytes.NewReader(data), nil) },
			func() error { return s.raw.put(ctx, "/workspace", "small", bytes.NewReader(data), int64(len(data))) },
		},
		{
			"read 1 KiB, median",
			func() error { return s.readAll(ctx, "small", int64(len(data))) },
			func() error { return s.raw.get(ctx, "/workspace/small", int64(len(data))) },
		},
	} {
		ours, err := timed(10*s.rounds, c.ours)
		if err != nil {
			return err
		}
		theirs, err := timed(s.rounds, c.theirs)
		if err != nil {
			return err
		}
		ratio := float64(theirs.median()) / float64(ours.median())
		s.row(c.what, round(ours.median()), round(theirs.median()), times1(ratio), "at least 10x", ratio >= 10)
	}
	return nil
}

func (s *subject) bigFiles(ctx context.Context) error {
	for _, c := range []struct {
		what         string
		ours, theirs func() error
	}{
		{
			"upload 256 MiB",
			func() error { return s.Upload(ctx, "big", pattern(big), nil) },
			func() error { return s.raw.put(ctx, "/workspace", "big", pattern(big), big) },
		},
		{
			"read 256 MiB",
			func() error { return s.readAll(ctx, "big", big) },
			func() error { return s.raw.get(ctx, "/workspace/big", big) },
		},
	} {
		const rounds = 5 // in turns, so that both see the same disk
		var ours, theirs times
		for range rounds {
			o, err := timed(1, c.ours)
			if err != nil {
				return err
			}
			t, err := timed(1, c.theirs)
			if err != nil {
				return err
			}
			ours, theirs = append(ours, o...), append(theirs, t...)
		}
		best, theirBest := minimum(ours), minimum(theirs)
		ratio := float64(theirBest) / float64(best)
		s.row(c.what+", best of 5", rate(best), rate(theirBest), times1(ratio), "at least 1x", ratio >= 1)
	}
	return nil
}

func minimum(t times) time.Duration {
	m := t[0]
	for _, d := range t {
		m = min(m, d)
	}
	return m
}

func rate(d time.Duration) string { return fmt.Sprintf("%.0f MiB/s", big/d.Seconds()/(1<<20)) }

func (s *subject) readAll(ctx context.Context, path string, size int64) error {
	r, err := s.Read(ctx, path, nil)
	if err != nil {
		return err
	}
	defer r.Close()
	n, err := io.Copy(io.Discard, r)
	if err == nil && n != size {
		err = fmt.Errorf("read %d bytes of %d", n, size)
	}
	return err
}

// pattern is that many bytes which take no memory.
func pattern(size int64) io.Reader { return io.LimitReader(letters{}, size) }

type letters struct{}

func (letters) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'a' + byte(i%26)
	}
	return len(p), nil
}

// memory measures what this process grows by while a gigabyte goes through it.
func (s *subject) memory(ctx context.Context) error {
	const gigabyte = 1 << 30
	for _, c := range []struct {
		what string
		run  func() error
	}{
		{"upload of 1 GiB, memory", func() error { return s.Upload(ctx, "huge", pattern(gigabyte), nil) }},
		{"read of 1 GiB, memory", func() error { return s.readAll(ctx, "huge", gigabyte) }},
		{"flood of 1 GiB, memory", func() error {
			res, err := s.Execute(ctx, core.Shell("rm -f huge; head -c 1073741824 /dev/zero"))
			if err == nil && res.Stdout.Total != gigabyte {
				err = fmt.Errorf("counted %d bytes", res.Stdout.Total)
			}
			return err
		}},
	} {
		grown, err := growth(c.run)
		if err != nil {
			return err
		}
		s.row(c.what, fmt.Sprintf("%.1f MiB", float64(grown)/(1<<20)), "", "", "under 32 MiB", grown < 32<<20)
	}
	return nil
}

// growth returns how much the resident memory of this process grew at most while f ran.
func growth(f func() error) (int64, error) {
	runtime.GC()
	before := resident()
	done := make(chan error, 1)
	go func() { done <- f() }()
	var most int64
	for {
		select {
		case err := <-done:
			return most, err
		case <-time.After(5 * time.Millisecond):
			most = max(most, resident()-before)
		}
	}
}

func resident() int64 {
	text, err := os.ReadFile("/proc/self/statm")
	fields := strings.Fields(string(text))
	if err != nil || len(fields) < 2 { // not Linux: the Go heap will do
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapInuse)
	}
	pages, _ := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize())
}
