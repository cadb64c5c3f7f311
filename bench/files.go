package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"
)

const mebibyte = 1 << 20

// smallFiles compares small transfers with the archive API. A round trip of the
// same bytes through the engine's stream, to cat and back, is the least that they can take.
func (s *subject) smallFiles(ctx context.Context) error {
	data := bytes.Repeat([]byte("x"), 1<<10)
	stream, err := s.raw.stream(ctx, "cat")
	if err != nil {
		return err
	}
	defer stream.Close()
	echo := calling(10, func() error { return stream.echo(data) })
	for _, c := range []struct {
		what         string
		ours, theirs func() error
	}{
		{
			"upload 1 KiB",
			func() error { return s.Upload(ctx, "small", bytes.NewReader(data), nil) },
			func() error { return s.raw.put(ctx, "/workspace", "small", bytes.NewReader(data), int64(len(data))) },
		},
		{
			"read 1 KiB",
			func() error { return s.readAll(ctx, "small", int64(len(data))) },
			func() error { return s.raw.get(ctx, "/workspace/small", int64(len(data))) },
		},
	} {
		all, err := race(s.rounds, calling(10, c.ours), calling(1, c.theirs), echo)
		if err != nil {
			return err
		}
		const want = 10
		got, bound := ratio(all[1], all[0]), ratio(all[1], all[2])
		s.add(figure{
			what: c.what, calls: strconv.Itoa(count(all[0])), ours: spread(all[0]), theirs: spread(all[1]), ratio: timesText(got),
			wanted: "at least 10x", met: got >= want, bound: timesText(bound) + " " + round(median(all[2])), beyond: bound < want,
		})
	}
	return nil
}

// bigFiles compares large transfers with the archive API, and with cat at the other end of the engine's stream.
func (s *subject) bigFiles(ctx context.Context) error {
	size := int64(s.size) * mebibyte
	for _, c := range []struct {
		what               string
		ours, theirs, bare func() error
	}{
		{
			"upload",
			func() error { return s.Upload(ctx, "big", letters(size), nil) },
			func() error { return s.raw.put(ctx, "/workspace", "big", letters(size), size) },
			func() error { return s.raw.copyIn(ctx, letters(size), "sh", "-c", "cat >/workspace/bare") },
		},
		{
			"read",
			func() error { return s.readAll(ctx, "big", size) },
			func() error { return s.raw.get(ctx, "/workspace/big", size) },
			func() error { return s.raw.copyOut(ctx, size, "cat", "/workspace/big") },
		},
	} {
		all, err := race(s.transfers, calling(1, c.ours), calling(1, c.theirs), calling(1, c.bare))
		if err != nil {
			return err
		}
		rate := func(rounds []times) string {
			return fmt.Sprintf("%.0f MiB/s", float64(s.size)/median(rounds).Seconds())
		}
		got, bound := ratio(all[1], all[0]), ratio(all[1], all[2])
		s.add(figure{
			what: fmt.Sprintf("%s %d MiB", c.what, s.size), calls: strconv.Itoa(s.transfers),
			ours: rate(all[0]), theirs: rate(all[1]), ratio: timesText(got), wanted: "at least 1x", met: got >= 1,
			bound: timesText(bound) + " " + rate(all[2]), beyond: bound < 1,
		})
	}
	return nil
}

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

// letters is that many bytes which cost neither memory nor much time.
func letters(size int64) io.Reader { return io.LimitReader(alphabet{}, size) }

type alphabet struct{}

var block = bytes.Repeat([]byte("abcdefghijklmnopqrstuvwxyz012345"), 4<<10)

func (alphabet) Read(p []byte) (int, error) { return copy(p, block), nil }

func median(rounds []times) time.Duration {
	return slices.Concat(rounds...).at(50)
}
