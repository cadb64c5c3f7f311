package protocol

import (
	"context"
	"encoding/binary"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// Whoever takes data grants credit for it, which must not wait for a Write that blocks.
func TestReceiverIsNotHeldUpByAWriteThatBlocks(t *testing.T) {
	a, b := net.Pipe()
	host := NewConn(a, nil)
	defer host.Close()
	defer b.Close()
	opened := make(chan *Call)
	go func() {
		call, err := host.Open(t.Context(), OpRead, &Read{}, nil)
		if err != nil {
			t.Error(err)
		}
		opened <- call
	}()
	var header [headerSize]byte
	f, err := readFrame(b, &header, nil)
	require.NoError(t, err)
	call := <-opened
	go func() { _ = call.Send(Content, []byte("blocks")) }()
	go func() {
		data := make([]byte, maxData)
		for range 8 {
			_, _ = b.Write(appendFrame(nil, &frame{kind: kindData, channel: Content, call: f.call, payload: data}))
		}
	}()
	for range 8 {
		_, err := call.Receive()
		require.NoError(t, err)
	}
	f, err = readFrame(b, &header, nil)
	require.NoError(t, err)
	require.Equal(t, kindData, f.kind)
	f, err = readFrame(b, &header, nil)
	require.NoError(t, err)
	require.Equal(t, kindCredit, f.kind)
	require.GreaterOrEqual(t, binary.BigEndian.Uint32(f.payload), uint32(window/4))
}

func TestWriteThatBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := net.Pipe()
		host := NewConn(a, nil)
		require.True(t, host.Takes(time.Second))
		cut := make(chan error)
		go func() {
			_, err := host.Open(t.Context(), OpStat, &Path{}, nil)
			cut <- err
		}()
		synctest.Wait()
		start := time.Now()
		require.False(t, host.Takes(time.Second))
		require.Equal(t, time.Second, time.Since(start))

		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := host.Open(ctx, OpStat, &Path{}, nil)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, time.Minute+time.Second, time.Since(start))

		waiting := make(chan error)
		go func() {
			_, err := host.Open(t.Context(), OpStat, &Path{}, nil)
			waiting <- err
		}()
		synctest.Wait()
		require.NoError(t, b.Close())
		require.ErrorIs(t, <-cut, ErrCut, "of this one a part may have been sent")
		require.ErrorIs(t, <-waiting, ErrClosed, "of this one nothing was")
		require.True(t, host.Takes(time.Second))
		host.Close()
	})
}
