package protocol

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/caisson-dev/caisson/core"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pair returns the two ends of a connection; the guest serves calls with serve.
func pair(t *testing.T, serve func(*Call, Op, []byte)) (host, guest *Conn) {
	t.Helper()
	a, b := net.Pipe()
	host, guest = NewConn(a, nil), NewConn(b, serve)
	t.Cleanup(func() { host.Close(); guest.Close() })
	return host, guest
}

func echo(call *Call, _ Op, _ []byte) {
	for {
		d, err := call.Receive()
		if err != nil {
			break
		}
		if call.Send(Stdout, d.Bytes) != nil {
			break
		}
	}
	_ = call.End(MarshalAnswer(&Count{N: 7}, nil))
}

func TestCallEchoesMoreThanItsWindow(t *testing.T) {
	host, _ := pair(t, echo)
	call, err := host.Open(t.Context(), OpExec, &Exec{Args: []string{"x"}}, nil)
	require.NoError(t, err)
	want := bytes.Repeat([]byte("0123456789abcdef"), 4*window/16)
	go func() {
		_ = call.Send(Content, want)
		_ = call.CloseSend()
	}()
	var got []byte
	for {
		d, err := call.Receive()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		require.Equal(t, Stdout, d.Channel)
		got = append(got, d.Bytes...)
	}
	require.True(t, bytes.Equal(want, got), "got %d bytes, want %d", len(got), len(want))
	<-call.Over()
	var n Count
	require.NoError(t, call.Answer(&n))
	require.Equal(t, 7, n.N)
}

// counted counts the writes of one side.
type counted struct {
	net.Conn
	writes atomic.Int64
}

func (c *counted) Write(p []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(p)
}

func TestSmallCallIsOneWriteEachWay(t *testing.T) {
	a, b := net.Pipe()
	there, back := &counted{Conn: a}, &counted{Conn: b}
	host := NewConn(there, nil)
	guest := NewConn(back, func(call *Call, _ Op, _ []byte) {
		d, err := call.Receive()
		if err == nil {
			_, err = call.Receive()
		}
		if !errors.Is(err, io.EOF) {
			t.Errorf("after all: %v", err)
		}
		_ = call.Defer(Begin, nil)
		_ = call.Defer(Content, d.Bytes)
		_ = call.End(MarshalAnswer(&Empty{}, nil))
	})
	t.Cleanup(func() { host.Close(); guest.Close() })
	want := bytes.Repeat([]byte("x"), MaxWhole)
	call, err := host.Open(t.Context(), OpUpload, &Upload{Path: "p"}, want)
	require.NoError(t, err)
	for _, want := range [][]byte{nil, want} {
		d, err := call.Receive()
		require.NoError(t, err)
		require.Equal(t, want, d.Bytes)
	}
	<-call.Over()
	require.NoError(t, call.Answer(&Empty{}))
	require.EqualValues(t, 1, there.writes.Load())
	require.EqualValues(t, 1, back.writes.Load())
}

func TestDeferredDataKeepsItsPlace(t *testing.T) {
	host, _ := pair(t, func(call *Call, _ Op, _ []byte) {
		for i := range byte(100) {
			send := call.Defer
			if i%3 == 0 {
				send = call.Send
			}
			_ = send(Content, bytes.Repeat([]byte{i}, 1<<10*int(i)))
		}
		_ = call.End(MarshalAnswer(&Empty{}, nil))
	})
	call, err := host.Open(t.Context(), OpRead, &Read{}, nil)
	require.NoError(t, err)
	var last byte
	total := 0
	for {
		d, err := call.Receive()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		require.GreaterOrEqual(t, d.Bytes[0], last)
		last, total = d.Bytes[0], total+len(d.Bytes)
	}
	require.Equal(t, 99*100/2<<10, total)
}

func TestSlowReaderHoldsUpNobodyElse(t *testing.T) {
	host, _ := pair(t, func(call *Call, op Op, _ []byte) {
		if op == OpRead { // floods for as long as it may
			for call.Send(Content, make([]byte, maxData)) == nil {
			}
		}
		_ = call.End(MarshalAnswer(&Empty{}, nil))
	})
	slow, err := host.Open(t.Context(), OpRead, &Read{}, nil)
	require.NoError(t, err)
	for range 100 {
		quick, err := host.Open(t.Context(), OpStat, &Path{}, nil)
		require.NoError(t, err)
		<-quick.Over()
		require.NoError(t, quick.Answer(&Empty{}))
	}
	slow.mu.Lock()
	buffered := slow.buffered
	slow.mu.Unlock()
	require.LessOrEqual(t, buffered, window)
	slow.Forget()
}

func TestCancelReachesACallThatIsNotRead(t *testing.T) {
	canceled := make(chan struct{})
	host, _ := pair(t, func(call *Call, _ Op, _ []byte) {
		<-call.Context().Done()
		close(canceled)
		_ = call.End(MarshalAnswer(nil, core.Errorf(core.ErrConflict, "op", "text")))
	})
	call, err := host.Open(t.Context(), OpExec, &Exec{}, nil)
	require.NoError(t, err)
	call.Cancel()
	call.Cancel()
	<-canceled
	<-call.Over()
	err = call.Answer(&Empty{})
	require.ErrorIs(t, err, core.ErrConflict)
}

func TestFailEndsEveryCallOnBothSides(t *testing.T) {
	var ended sync.WaitGroup
	ended.Add(3)
	host, guest := pair(t, func(call *Call, _ Op, _ []byte) { <-call.Context().Done(); ended.Done() })
	var calls []*Call
	for range 3 {
		call, err := host.Open(t.Context(), OpExec, &Exec{}, nil)
		require.NoError(t, err)
		calls = append(calls, call)
	}
	for !guest.Busy() {
		runtime.Gosched()
	}
	boom := errors.New("boom")
	host.Fail(boom)
	for _, call := range calls {
		_, err := call.Receive()
		require.ErrorIs(t, err, boom)
		require.ErrorIs(t, call.Send(Content, []byte("x")), boom)
	}
	_, err := host.Open(t.Context(), OpExec, &Exec{}, nil)
	require.ErrorIs(t, err, ErrClosed)
	ended.Wait()
}

// A hostile guest writes raw bytes; whatever they are, the host only loses the connection.
func TestHostileGuest(t *testing.T) {
	raw := func(k kind, ch byte, call, size uint32, payload []byte) []byte {
		b := []byte{byte(k), ch}
		b = binary.BigEndian.AppendUint32(b, call)
		b = binary.BigEndian.AppendUint32(b, size)
		return append(b, payload...)
	}
	full := raw(kindData, 1, 1, maxData, make([]byte, maxData))
	for name, bytes := range map[string][]byte{
		"unknown kind":     raw(99, 0, 1, 0, nil),
		"huge data":        raw(kindData, 0, 1, maxData+1, nil),
		"huge end":         raw(kindEnd, 0, 1, 1<<31, nil),
		"ping with data":   raw(kindPing, 0, 0, 8, make([]byte, 8)),
		"bad channel":      raw(kindData, 9, 1, 0, nil),
		"opens a call":     raw(kindOpen, 0, 5, 1, []byte{1}),
		"two hellos":       append(raw(kindHello, 0, 0, 1, []byte{1}), raw(kindHello, 0, 0, 1, []byte{1})...),
		"credit overflow":  raw(kindCredit, 0, 1, 4, []byte{0xff, 0xff, 0xff, 0xff}),
		"too much credit":  raw(kindCredit, 0, 1, 4, []byte{0, 0, 0, 1}),
		"more than window": repeat(full, window/maxData+1),
		"many tiny frames": repeat(raw(kindData, 1, 1, 1, []byte{1}), window/frameCost+1),
	} {
		t.Run(name, func(t *testing.T) {
			a, b := net.Pipe()
			host := NewConn(a, nil)
			defer host.Close()
			go func() { _, _ = io.Copy(io.Discard, b) }()
			_, err := host.Open(t.Context(), OpExec, &Exec{}, nil)
			require.NoError(t, err)
			go func() { _, _ = b.Write(bytes) }()
			select {
			case <-host.Done():
				require.ErrorIs(t, host.Err(), errFrame)
			case <-time.After(10 * time.Second):
				t.Fatal("the host took it")
			}
			_ = b.Close()
		})
	}
}

func repeat(b []byte, n int) []byte { return bytes.Repeat(b, n) }

func TestPingFloodStartsNoGoroutines(t *testing.T) {
	a, b := net.Pipe()
	host := NewConn(a, nil)
	defer host.Close()
	before := runtime.NumGoroutine()
	ping := repeat(append([]byte{byte(kindPing), 0}, make([]byte, 8)...), 10_000)
	_, err := b.Write(ping) // nobody reads the pongs
	require.NoError(t, err)
	require.LessOrEqual(t, runtime.NumGoroutine(), before)
	_ = b.Close()
}

func FuzzReadFrame(f *testing.F) {
	f.Add(appendFrame(nil, &frame{kind: kindData, channel: Stdout, call: 3, payload: []byte("abc")}))
	f.Add(appendFrame(nil, &frame{kind: kindEnd, call: 1<<32 - 1}))
	f.Fuzz(func(t *testing.T, data []byte) {
		var header [headerSize]byte
		fr, err := readFrame(bytes.NewReader(data), &header, nil)
		if err != nil {
			return
		}
		again := appendFrame(nil, fr)
		require.Equal(t, data[:len(again)], again)
	})
}

func FuzzUnmarshal(f *testing.F) {
	for _, m := range samples() {
		f.Add(Marshal(m))
		f.Add(MarshalAnswer(m, nil))
	}
	f.Add(MarshalAnswer(nil, core.Errorf(core.ErrBuild, "", "text")))
	f.Fuzz(func(_ *testing.T, data []byte) {
		for _, m := range samples() {
			_ = Unmarshal(data, m)
			_ = UnmarshalAnswer(data, m)
		}
	})
}
