package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/caisson-dev/caisson/core"
)

// memory measures what this process grows by while a gigabyte goes through it.
func (s *subject) memory(ctx context.Context) error {
	const gigabyte, most = 1 << 30, 32 * mebibyte
	for _, c := range []struct {
		what string
		run  func() error
	}{
		{"upload of 1 GiB", func() error { return s.Upload(ctx, "huge", letters(gigabyte), nil) }},
		{"read of 1 GiB", func() error { return s.readAll(ctx, "huge", gigabyte) }},
		{"flood of 1 GiB", func() error {
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
		s.add(figure{
			what: c.what + ", memory", calls: "1", ours: fmt.Sprintf("%.1f MiB", float64(grown)/mebibyte),
			wanted: "under 32 MiB", met: grown < most,
		})
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
