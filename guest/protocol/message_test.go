package protocol

import (
	"io/fs"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
)

// samples holds one of each message with every field set, so that a field
// which is encoded but not decoded, or not at all, fails the round trip.
func samples() []Message {
	return []Message{
		&Config{WorkDir: "/w", Env: []string{"A=1", "B="}, OpenFiles: 64, FileSize: 1 << 40},
		&Facts{
			Arch: "amd64", UID: 1000, GID: 1001, Groups: []int{1, 2}, Capabilities: 1 << 63, NoNewPrivs: true, Seccomp: 2,
			Memory: 3, Swap: 4, CPUs: 0.25, PIDs: 5, ReadOnlyRoot: true, OwnFilter: true,
		},
		&Exec{Args: []string{"sh", "-c", "\xff\n"}, Env: []string{"K=v"}, Dir: "/d", Stdin: true},
		&Exit{
			Reason: core.Signaled, Code: core.NoExitCode, Signal: "SIGKILL", Unconfirmed: true,
			Usage: &core.Usage{UserTime: time.Second, SystemTime: 2, PeakMemory: 3},
		},
		&Upload{Path: "p", Mode: 0o755},
		&Read{Path: "p", Offset: 1, Limit: 2, MaxSize: 3},
		&Path{Path: "p", Flag: true},
		&Rename{From: "a", To: "b"},
		&Find{Pattern: "p", Search: core.Search{Root: "/r", Max: 1, Include: "*.go", Literal: true, Hidden: true}},
		&Edit{Path: "p", Old: "o", New: "n", All: true},
		&Files{Files: []core.FileInfo{{
			Path: "/f", Size: 1, Mode: fs.ModeSymlink | 0o777, ModTime: time.Unix(1, 2), UID: 3, GID: 4, Link: "l",
		}}},
		&Paths{core.Paths{Paths: []string{"/a"}, Truncated: true, Skipped: 1}},
		&Matches{core.Matches{Matches: []core.Match{{Path: "/a", Line: 1, Text: "t"}}, Truncated: true, Skipped: 2}},
		&Count{N: -1},
		&Empty{},
	}
}

func TestMessagesComeBackAsTheyWere(t *testing.T) {
	for _, m := range samples() {
		t.Run(reflect.TypeOf(m).Elem().Name(), func(t *testing.T) {
			v := reflect.ValueOf(m).Elem()
			for i := range v.NumField() {
				require.False(t, v.Field(i).IsZero(), "sample leaves %s empty", v.Type().Field(i).Name)
			}
			got := reflect.New(v.Type()).Interface().(Message)
			require.NoError(t, Unmarshal(Marshal(m), got))
			require.Empty(t, cmp.Diff(m, got))
			got = reflect.New(v.Type()).Interface().(Message)
			require.NoError(t, UnmarshalAnswer(MarshalAnswer(m, nil), got))
			require.Empty(t, cmp.Diff(m, got))
		})
	}
}

func TestUnmarshalRefusesWhatIsCutOrTooLong(t *testing.T) {
	for _, m := range samples() {
		b := Marshal(m)
		for i := range len(b) {
			got := reflect.New(reflect.TypeOf(m).Elem()).Interface().(Message)
			require.Error(t, Unmarshal(b[:i], got), "%T cut to %d bytes", m, i)
		}
		got := reflect.New(reflect.TypeOf(m).Elem()).Interface().(Message)
		require.Error(t, Unmarshal(append(b, 0), got), "%T with a byte more", m)
	}
}

func TestErrorsCrossWithTheirCode(t *testing.T) {
	sent := &core.Error{Code: core.ErrNotFound, Op: "read", Path: "/x", Err: fs.ErrNotExist}
	err := UnmarshalAnswer(MarshalAnswer(nil, sent), &Empty{})
	require.ErrorIs(t, err, core.ErrNotFound)
	require.ErrorIs(t, err, fs.ErrNotExist)
	var placed *core.Error
	require.ErrorAs(t, err, &placed)
	require.Equal(t, "/x", placed.Path)
	require.Contains(t, err.Error(), "file does not exist")

	err = UnmarshalAnswer(MarshalAnswer(nil, fs.ErrPermission), &Empty{})
	require.ErrorIs(t, err, core.ErrPermission)
	require.Error(t, UnmarshalAnswer([]byte{1, 0, 0, 0}, &Empty{}), "an error without a code")
}
