package guest_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/guest"
	"github.com/caisson-dev/caisson/guest/protocol"
)

// answering returns a runner that ends every call with the bytes p.
func answering(p []byte) *sandbox {
	return &sandbox{serve: func(call *protocol.Call, _ protocol.Op, _ []byte) { _ = call.End(p) }}
}

func TestAnswersThatCannotBe(t *testing.T) {
	exit := func(e protocol.Exit) []byte { return protocol.MarshalAnswer(&e, nil) }
	for name, answer := range map[string][]byte{
		"empty":                 {},
		"garbage":               []byte("\xff\xff\xff\xff"),
		"cut off":               exit(protocol.Exit{Reason: core.Exited})[:3],
		"longer than it says":   append(exit(protocol.Exit{Reason: core.Exited}), 0),
		"another message":       protocol.MarshalAnswer(&protocol.Count{N: 3}, nil),
		"unknown reason":        exit(protocol.Exit{Reason: "invented"}),
		"code of no exit":       exit(protocol.Exit{Reason: core.Exited, Code: 256}),
		"negative code":         exit(protocol.Exit{Reason: core.Exited, Code: -7}),
		"signaled with a code":  exit(protocol.Exit{Reason: core.Signaled, Code: 1}),
		"cancelled by nobody":   exit(protocol.Exit{Reason: core.Canceled, Code: core.NoExitCode}),
		"timed out":             exit(protocol.Exit{Reason: core.TimedOut, Code: core.NoExitCode}),
		"error without a code":  {1, 0, 0, 0},
		"says that it is lost":  protocol.MarshalAnswer(nil, core.ErrLost),
		"says it was stopped":   protocol.MarshalAnswer(nil, core.ErrStopped),
		"says nothing happened": protocol.MarshalAnswer(nil, core.ErrUnavailable),
	} {
		t.Run(name, func(t *testing.T) {
			b := answering(answer).start(t)
			res, err := b.Execute(t.Context(), core.Shell("x"))
			require.ErrorIs(t, err, core.ErrProtocol)
			require.Equal(t, core.ErrProtocol, core.CodeOf(err))
			require.Nil(t, res)
		})
	}
	for name, answer := range map[string][]byte{"garbage": []byte("\xff"), "lost": protocol.MarshalAnswer(nil, core.ErrLost)} {
		t.Run("verbs/"+name, func(t *testing.T) {
			b := answering(answer).start(t)
			require.Equal(t, core.ErrProtocol, core.CodeOf(b.Upload(t.Context(), "x", strings.NewReader(""), nil)))
			_, err := b.Read(t.Context(), "x", nil)
			require.Equal(t, core.ErrProtocol, core.CodeOf(err))
			_, err = b.(core.Lister).List(t.Context(), "x")
			require.Equal(t, core.ErrProtocol, core.CodeOf(err))
		})
	}
}

func TestVerbsWithAnswersThatCannotBe(t *testing.T) {
	many := protocol.Files{Files: make([]core.FileInfo, 300_000)}
	for name, content := range map[string][]byte{
		"nothing":       nil,
		"garbage":       []byte("\xff\xff\xff"),
		"too many":      protocol.Marshal(&many),
		"a false count": binary.AppendVarint(nil, 1<<40),
		"two files":     protocol.Marshal(&protocol.Files{Files: make([]core.FileInfo, 2)}),
	} {
		t.Run(name, func(t *testing.T) {
			b := answer(content).start(t)
			_, err := b.(core.Stater).Stat(t.Context(), "x", true)
			require.Equal(t, core.ErrProtocol, core.CodeOf(err))
			_, err = b.(core.Globber).Glob(t.Context(), "*", nil)
			require.Equal(t, core.ErrProtocol, core.CodeOf(err))
			_, err = b.(core.Grepper).Grep(t.Context(), "x", nil)
			require.Equal(t, core.ErrProtocol, core.CodeOf(err))
		})
	}
	t.Run("more than was asked for", func(t *testing.T) {
		for _, most := range []int{0, 5} {
			n := most + 1
			if most == 0 {
				n = core.DefaultMaxResults + 1
			}
			search := &core.Search{Max: most}
			_, err := finding(&protocol.Paths{Paths: core.Paths{Paths: make([]string, n)}}).start(t).(core.Globber).Glob(t.Context(), "*", search)
			require.Equal(t, core.ErrProtocol, core.CodeOf(err))
			_, err = finding(&protocol.Matches{Matches: core.Matches{Matches: make([]core.Match, n)}}).start(t).(core.Grepper).Grep(t.Context(), "x", search)
			require.Equal(t, core.ErrProtocol, core.CodeOf(err))
			paths, err := finding(&protocol.Paths{Paths: core.Paths{Paths: make([]string, n-1)}}).start(t).(core.Globber).Glob(t.Context(), "*", search)
			require.NoError(t, err)
			require.Len(t, paths.Paths, n-1)
		}
	})
	t.Run("endless", func(t *testing.T) {
		s := &sandbox{serve: func(call *protocol.Call, _ protocol.Op, _ []byte) {
			chunk := make([]byte, 64<<10)
			for call.Send(protocol.Content, chunk) == nil { //nolint:revive // until the host gives up
			}
		}}
		b := s.start(t)
		_, err := b.(core.Lister).List(t.Context(), "x")
		require.Equal(t, core.ErrProtocol, core.CodeOf(err))
	})
}

// finding returns a runner that answers every verb with m.
func finding(m protocol.Message) *sandbox { return answer(protocol.Marshal(m)) }

// answer returns a runner that answers every verb with the bytes p.
func answer(p []byte) *sandbox {
	return &sandbox{serve: func(call *protocol.Call, _ protocol.Op, _ []byte) {
		_ = call.Send(protocol.Content, p)
		_ = call.End(protocol.MarshalAnswer(&protocol.Empty{}, nil))
	}}
}

func TestReadGivesNoMoreThanWasAskedFor(t *testing.T) {
	s := &sandbox{serve: func(call *protocol.Call, _ protocol.Op, _ []byte) {
		_ = call.Send(protocol.Begin, protocol.Marshal(&protocol.Count{N: 4}))
		for range 4 {
			_ = call.Send(protocol.Content, []byte("1234"))
		}
		_ = call.End(protocol.MarshalAnswer(&protocol.Empty{}, nil))
	}}
	b := s.start(t)
	for _, opts := range []*core.ReadOptions{{Limit: 10}, {MaxSize: 10}, {Limit: 11, MaxSize: 10}} {
		r, err := b.Read(t.Context(), "x", opts)
		require.NoError(t, err)
		got, err := io.ReadAll(r)
		require.ErrorIs(t, err, core.ErrProtocol)
		require.LessOrEqual(t, len(got), 10)
		require.NoError(t, r.Close())
	}
	r, err := b.Read(t.Context(), "x", &core.ReadOptions{Limit: 16})
	require.NoError(t, err)
	got, err := io.ReadAll(r)
	require.NoError(t, err)
	require.Len(t, got, 16)
	require.NoError(t, r.Close())
}

// A runner that closes its direction and never ends the call must not hold up the host.
func TestOutputThatEndsWithoutTheCommand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sandbox{serve: func(call *protocol.Call, _ protocol.Op, _ []byte) {
			_ = call.Send(protocol.Stdout, []byte("all"))
			_ = call.CloseSend()
			<-call.Over()
		}}
		b := s.start(t)
		start := time.Now()
		res, err := b.Execute(t.Context(), &core.Command{Shell: "x", Timeout: time.Second})
		require.NoError(t, err)
		require.Equal(t, core.TimedOut, res.Reason)
		require.True(t, res.Restarted)
		require.Equal(t, "all", res.Stdout.String())
		require.Less(t, time.Since(start), 4*time.Second)
	})
}

// A kill that is confirmed by nonsense is not confirmed.
func TestKillThatIsAnsweredWithNonsense(t *testing.T) {
	for name, answer := range map[string][]byte{
		"garbage":    []byte("\xff"),
		"impossible": protocol.MarshalAnswer(&protocol.Exit{Reason: "invented"}, nil),
	} {
		t.Run(name, func(t *testing.T) {
			s := &sandbox{serve: func(call *protocol.Call, _ protocol.Op, _ []byte) {
				<-call.Context().Done()
				_ = call.End(answer)
			}}
			res, err := s.start(t).Execute(t.Context(), &core.Command{Shell: "x", Timeout: 50 * time.Millisecond})
			require.NoError(t, err)
			require.Equal(t, core.TimedOut, res.Reason)
			require.True(t, res.Restarted)
			require.EqualValues(t, 1, s.restarts.Load())
		})
	}
}

// frame is one as it goes over the stream; the kinds are those of package protocol.
func frame(kind, channel byte, call uint32, payload []byte) []byte {
	f := binary.BigEndian.AppendUint32([]byte{kind, channel}, call)
	f = binary.BigEndian.AppendUint32(f, uint32(len(payload)))
	return append(f, payload...)
}

const (
	kindHello = iota + 1
	kindPing
	kindPong
	kindOpen
	kindData
	kindEOF
	kindCredit
	kindCancel
	kindEnd
)

func TestAnswersForOtherCallsAreIgnored(t *testing.T) {
	host, inside := net.Pipe()
	var running sync.WaitGroup
	running.Go(func() {
		defer inside.Close()
		var header [10]byte
		read := func() (kind byte, call uint32) {
			if _, err := io.ReadFull(inside, header[:]); err != nil {
				return 0, 0
			}
			_, _ = io.CopyN(io.Discard, inside, int64(binary.BigEndian.Uint32(header[6:])))
			return header[0], binary.BigEndian.Uint32(header[2:])
		}
		read()
		facts := protocol.MarshalAnswer(&protocol.Facts{}, nil)
		_, _ = inside.Write(frame(kindHello, 0, 0, append([]byte{protocol.Version}, facts...)))
		_, call := read()
		own := protocol.MarshalAnswer(&protocol.Exit{Reason: core.Exited, Code: 7}, nil)
		other := protocol.MarshalAnswer(&protocol.Exit{Reason: core.Exited, Code: 8}, nil)
		for _, f := range [][]byte{
			frame(kindData, 1, call+1, []byte("other")), frame(kindEOF, 0, call+1, nil), frame(kindEnd, 0, call+1, other),
			frame(kindCredit, 0, call+1, []byte{0xff, 0xff, 0xff, 0xff}), frame(kindCancel, 0, call, nil), frame(kindPong, 0, call, nil),
			frame(kindData, 1, call, []byte("own")), frame(kindEnd, 0, call, own),
			frame(kindEnd, 0, call, other), frame(kindData, 1, call, []byte("late")), frame(kindPing, 0, 0, nil),
		} {
			_, _ = inside.Write(f)
		}
		for kind, _ := read(); kind != 0; kind, _ = read() { //nolint:revive // until the host has gone
		}
	})
	b, err := guest.NewBackend(t.Context(), &guest.Options{
		Driver: "raw", ID: "raw", Remove: func(context.Context) error { return nil },
		Open: func(context.Context) (io.ReadWriteCloser, error) { return host, nil },
	})
	require.NoError(t, err)
	res, err := b.Execute(t.Context(), core.Shell("x"))
	require.NoError(t, err)
	require.Equal(t, 7, res.ExitCode)
	require.Equal(t, "own", res.Stdout.String())
	require.NoError(t, b.Stop(t.Context()))
	running.Wait()
}

// Both sides run in this process, so each of them stays below the bound.
func TestMemoryIsBounded(t *testing.T) {
	const size, bound = 256 << 20, 32 << 20
	flood := func(channel protocol.Channel) func(*protocol.Call, protocol.Op, []byte) {
		return func(call *protocol.Call, op protocol.Op, _ []byte) {
			if op == protocol.OpRead {
				_ = call.Send(protocol.Begin, protocol.Marshal(&protocol.Count{N: size}))
			}
			chunk := make([]byte, 64<<10)
			for sent := 0; sent < size; sent += len(chunk) {
				if call.Send(channel, chunk) != nil {
					return
				}
			}
			_ = call.End(protocol.MarshalAnswer(&protocol.Exit{Reason: core.Exited}, nil))
		}
	}
	for name, test := range map[string]struct {
		serve func(*protocol.Call, protocol.Op, []byte)
		run   func(b core.Backend) (int64, error)
	}{
		"captured output": {flood(protocol.Stdout), func(b core.Backend) (int64, error) {
			res, err := b.Execute(t.Context(), core.Shell("x"))
			if err != nil {
				return 0, err
			}
			if len(res.Stdout.Bytes()) > core.DefaultOutputLimit || !res.Stdout.Truncated {
				return 0, errors.New("the output is not bounded")
			}
			return res.Stdout.Total, nil
		}},
		"streamed output": {flood(protocol.Stderr), func(b core.Backend) (int64, error) {
			var n counter
			_, err := b.Execute(t.Context(), &core.Command{Shell: "x", Stderr: &n})
			return int64(n), err
		}},
		"read": {flood(protocol.Content), func(b core.Backend) (int64, error) {
			r, err := b.Read(t.Context(), "x", nil)
			if err != nil {
				return 0, err
			}
			defer r.Close()
			n, _ := io.Copy(io.Discard, r) // the answer at its end is that of a command
			return n, nil
		}},
		"upload": {func(call *protocol.Call, _ protocol.Op, _ []byte) {
			for {
				d, err := call.Receive()
				if err != nil {
					_ = call.End(protocol.MarshalAnswer(&protocol.Empty{}, nil))
					return
				}
				d.Release()
			}
		}, func(b core.Backend) (int64, error) {
			var n counter
			src := io.TeeReader(io.LimitReader(endless{}, size), &n)
			err := b.Upload(t.Context(), "x", src, nil)
			return int64(n), err
		}},
		// Texts of no bytes: in memory each takes many times what it takes in the answer.
		"glob": {empties, func(b core.Backend) (int64, error) {
			_, err := b.(core.Globber).Glob(t.Context(), "*", &core.Search{Max: math.MaxInt})
			return size, refused(err)
		}},
		"grep": {empties, func(b core.Backend) (int64, error) {
			_, err := b.(core.Grepper).Grep(t.Context(), "x", &core.Search{Max: math.MaxInt})
			return size, refused(err)
		}},
		"list": {empties, func(b core.Backend) (int64, error) {
			_, err := b.(core.Lister).List(t.Context(), "x")
			return size, refused(err)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s := &sandbox{serve: test.serve}
			b := s.start(t)
			runtime.GC()
			var stats runtime.MemStats
			runtime.ReadMemStats(&stats)
			before, most := stats.HeapAlloc, uint64(0)
			stop := make(chan struct{})
			var watcher sync.WaitGroup
			watcher.Go(func() {
				for {
					var now runtime.MemStats
					runtime.ReadMemStats(&now)
					most = max(most, now.HeapAlloc)
					select {
					case <-stop:
						return
					case <-time.After(2 * time.Millisecond):
					}
				}
			})
			n, err := test.run(b)
			close(stop)
			watcher.Wait()
			require.NoError(t, err)
			require.EqualValues(t, size, n)
			require.Less(t, most-min(most, before), uint64(bound))
		})
	}
}

// empties answers with as many texts of no bytes as an answer holds.
func empties(call *protocol.Call, _ protocol.Op, _ []byte) {
	const most = 9 << 20
	_ = call.Send(protocol.Content, binary.AppendVarint(nil, most-8))
	chunk := make([]byte, 64<<10)
	for left := most - 8; left > 0; left -= len(chunk) {
		_ = call.Send(protocol.Content, chunk[:min(left, len(chunk))])
	}
	_ = call.End(protocol.MarshalAnswer(&protocol.Empty{}, nil))
}

// refused returns nil for an answer that was taken as a breach of the protocol.
func refused(err error) error {
	if core.CodeOf(err) == core.ErrProtocol {
		return nil
	}
	return fmt.Errorf("the answer was not refused: %w", err)
}

// counter counts what is written to it.
type counter int64

func (c *counter) Write(p []byte) (int, error) { *c += counter(len(p)); return len(p), nil }

// endless is a source without an end.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }
