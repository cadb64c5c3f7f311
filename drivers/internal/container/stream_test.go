package container_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/drivers/internal/container"
)

// frames are pairs of a kind and what it carries, as engines send them.
func frames(parts ...any) []byte {
	var buf []byte
	for i := 0; i < len(parts); i += 2 {
		data := parts[i+1].(string)
		buf = append(buf, byte(parts[i].(int)), 0, 0, 0)
		buf = binary.BigEndian.AppendUint32(buf, uint32(len(data)))
		buf = append(buf, data...)
	}
	return buf
}

func TestDemuxTakesOutputsApart(t *testing.T) {
	stream := frames(1, "one ", 2, "noise", 1, "", 1, "two", 3, "said\nby the engine")
	for name, src := range map[string]io.Reader{
		"whole": bytes.NewReader(stream), "by bytes": iotest.OneByteReader(bytes.NewReader(stream)), "by halves": iotest.HalfReader(bytes.NewReader(stream)),
	} {
		t.Run(name, func(t *testing.T) {
			d := container.NewDemux(src)
			var out strings.Builder
			_, err := io.Copy(&out, d)
			require.ErrorIs(t, err, io.EOF, "the reason comes with the end")
			require.ErrorContains(t, err, "noisesaid by the engine")
			require.Equal(t, "one two", out.String())
		})
	}
}

func TestDemuxOfAnOrderlyEnd(t *testing.T) {
	out, err := io.ReadAll(container.NewDemux(bytes.NewReader(frames(1, "all"))))
	require.NoError(t, err)
	require.Equal(t, "all", string(out))
}

func TestDemuxOfAStreamThatIsCut(t *testing.T) {
	stream := frames(1, "0123456789")
	for cut := 1; cut < len(stream); cut++ {
		_, err := io.ReadAll(container.NewDemux(bytes.NewReader(stream[:cut])))
		if cut < 8 {
			require.ErrorIs(t, err, io.ErrUnexpectedEOF, "cut at %d", cut)
		}
	}
	_, err := io.ReadAll(container.NewDemux(strings.NewReader("HTTP/1.1 500 oh")))
	require.ErrorContains(t, err, "damaged")
}

func TestDemuxTellsWhyAProgramDidNotStart(t *testing.T) {
	said := "OCI runtime exec failed: exec failed: no room\r\n"
	_, err := io.ReadAll(container.NewDemux(bytes.NewReader(frames(1, said))))
	require.EqualError(t, err, "OCI runtime exec failed: exec failed: no room")
	out, err := io.ReadAll(container.NewDemux(bytes.NewReader(frames(1, "x", 1, said))))
	require.NoError(t, err, "what a program has written is its own")
	require.Equal(t, "x"+said, string(out))
}

func FuzzDemux(f *testing.F) {
	f.Add(frames(1, "one", 2, "two", 1, "three"))
	f.Add([]byte{1, 0, 0, 0, 255, 255, 255, 255, 'x'})
	f.Fuzz(func(t *testing.T, stream []byte) {
		out, err := io.ReadAll(container.NewDemux(bytes.NewReader(stream)))
		if len(out) > len(stream) {
			t.Fatalf("%d bytes became %d", len(stream), len(out))
		}
		if err != nil && len(err.Error()) > 4<<10 {
			t.Fatalf("an error of %d bytes", len(err.Error()))
		}
	})
}
