package kernel

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestZerosHoldNoMemory(t *testing.T) {
	room := NewVolume(1<<30, nil)
	var c, other content
	for _, f := range []*content{&c, &other} {
		n, err := f.writeAt(make([]byte, 3*chunkSize+100), 0, room)
		require.NoError(t, err)
		require.Equal(t, 3*chunkSize+100, n)
	}
	require.EqualValues(t, 2*(3*chunkSize+100), room.used, "they are charged")
	for number, chunk := range c.chunks {
		require.True(t, shared(chunk), "chunk %d", number)
	}
	_, err := c.writeAt([]byte("text"), chunkSize+10, room)
	require.NoError(t, err)
	_, err = c.writeAt(make([]byte, 2), chunkSize+11, room)
	require.NoError(t, err)
	want := make([]byte, 3*chunkSize+100)
	require.Equal(t, want, other.bytes())
	copy(want[chunkSize+10:], "t\x00\x00t")
	require.True(t, bytes.Equal(want, c.bytes()))
	require.Equal(t, [chunkSize]byte{}, zeros)
	c.truncate(0, room)
	other.truncate(0, room)
	require.Zero(t, room.used)
}

func TestAnOpenFileKeepsItsRoom(t *testing.T) {
	room := NewVolume(1<<20, nil)
	fs := NewFS(room)
	before := room.used
	f, err := fs.Open(Root, "/file", OpenFlags{Write: true, Create: true, Mode: 0o644})
	require.NoError(t, err)
	_, err = f.Write(make([]byte, 1000))
	require.NoError(t, err)
	require.NoError(t, fs.Remove(Root, "/file"))
	require.Greater(t, room.used, before+1000)
	require.NoError(t, f.Close())
	require.NoError(t, f.Close())
	require.Equal(t, before, room.used)
}
