package core_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
)

// captured is what a Capture is meant to keep, from all bytes at once.
func captured(all []byte, limit int) core.Output {
	if len(all) <= limit {
		return core.Output{Head: all, Total: int64(len(all))}
	}
	head := limit - limit/2
	return core.Output{Head: all[:head], Tail: all[len(all)-limit/2:], Total: int64(len(all)), Truncated: true}
}

func requireOutput(t *testing.T, want, got core.Output) {
	t.Helper()
	require.Equal(t, want.Total, got.Total)
	require.Equal(t, want.Truncated, got.Truncated)
	require.True(t, bytes.Equal(want.Head, got.Head), "head: want %q, got %q", want.Head, got.Head)
	require.True(t, bytes.Equal(want.Tail, got.Tail), "tail: want %q, got %q", want.Tail, got.Tail)
	require.Equal(t, append(append([]byte{}, want.Head...), want.Tail...), append([]byte{}, got.Bytes()...))
}

func TestCaptureKeepsHeadAndTail(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // a test that can be repeated
	for _, limit := range []int{1, 2, 3, 7, 64, 1000} {
		for range 200 {
			c := core.NewCapture(limit)
			var all []byte
			for range random.IntN(20) {
				piece := make([]byte, random.IntN(2*limit+1))
				for i := range piece {
					piece[i] = byte(random.Uint32())
				}
				n, err := c.Write(piece)
				require.NoError(t, err)
				require.Equal(t, len(piece), n)
				all = append(all, piece...)
				requireOutput(t, captured(all, limit), c.Output())
			}
		}
	}
}

func TestCaptureLimits(t *testing.T) {
	for _, more := range []int{-1, 0, 1} {
		c := core.NewCapture(0)
		_, _ = c.Write(make([]byte, core.DefaultOutputLimit+more))
		out := c.Output()
		require.Equal(t, more > 0, out.Truncated)
		require.Len(t, out.Bytes(), core.DefaultOutputLimit+min(more, 0))
	}
}

func TestCaptureGivesItsBytesAway(t *testing.T) {
	c := core.NewCapture(4)
	_, _ = c.Write([]byte("abcdefgh"))
	first := c.Output()
	first.Head[0], first.Tail[0] = 'X', 'X'
	second := c.Output()
	require.Equal(t, "abgh", string(second.Bytes()))
	_, _ = c.Write([]byte("ij"))
	require.Equal(t, "abij", string(func() []byte { o := c.Output(); return o.Bytes() }()))
	require.Equal(t, "Xb", string(first.Head))
}

func FuzzCapture(f *testing.F) {
	f.Add([]byte("hello world"), uint8(5), uint8(3))
	f.Fuzz(func(t *testing.T, all []byte, limit, step uint8) {
		if limit == 0 || step == 0 {
			return
		}
		c := core.NewCapture(int(limit))
		for i := 0; i < len(all); i += int(step) {
			_, _ = c.Write(all[i:min(i+int(step), len(all))])
		}
		requireOutput(t, captured(all, int(limit)), c.Output())
	})
}

func TestOutputAsText(t *testing.T) {
	for _, c := range []struct {
		name string
		out  core.Output
		want string
	}{
		{"empty", core.Output{}, ""},
		{"whole", core.Output{Head: []byte("a\nb"), Total: 3}, "a\nb"},
		{"not UTF-8", core.Output{Head: []byte("a\xff\x00b"), Total: 4}, "a\ufffd\x00b"},
		{"truncated", core.Output{Head: []byte("ab"), Tail: []byte("yz"), Total: 26, Truncated: true}, "ab\n[... 22 bytes dropped ...]\nyz"},
		{"a rune that was split", core.Output{Head: []byte("a\xc3"), Tail: []byte("\xbcz"), Total: 9, Truncated: true}, "a\ufffd\n[... 5 bytes dropped ...]\n\ufffdz"},
	} {
		t.Run(c.name, func(t *testing.T) { require.Equal(t, c.want, c.out.String()) })
	}
}
