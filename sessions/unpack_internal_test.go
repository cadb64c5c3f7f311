package sessions

import (
	"archive/tar"
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestStaysInside(t *testing.T) {
	tests := []struct {
		name, target string
		want         bool
	}{
		{"a", "b", true},
		{"a", "b/c", true},
		{"a", ".", true},
		{"d/a", "../b", true},
		{"d/e/a", "../../b", true},
		{"d/e/a", "./../b", true},
		{"a", "", false},
		{"a", "/etc", false},
		{"a", "..", false},
		{"a", "../b", false},
		{"d/a", "../../b", false},
		{"a", "b/..", false},
		{"d/a", "b/../../..", false},
		{"d/a", "b/../..", false},
		{"a", `..\b`, false},
		{"a", `C:b`, false},
	}
	for _, tt := range tests {
		require.Equal(t, tt.want, staysInside(tt.name, tt.target), "staysInside(%q, %q)", tt.name, tt.target)
	}
}

// TestUnpackOfAHostileStream feeds what no export writes, but a hostile sandbox could.
func TestUnpackOfAHostileStream(t *testing.T) {
	tests := []struct {
		name    string
		headers []tar.Header
	}{
		{"parent", []tar.Header{{Typeflag: tar.TypeReg, Name: "../out"}}},
		{"absolute", []tar.Header{{Typeflag: tar.TypeReg, Name: "/tmp/out"}}},
		{"through-a-link", []tar.Header{{Typeflag: tar.TypeDir, Name: "d"}, {Typeflag: tar.TypeSymlink, Name: "l", Linkname: "d"}, {Typeflag: tar.TypeReg, Name: "l/out"}}},
		{"link-through-a-link", []tar.Header{{Typeflag: tar.TypeSymlink, Name: "l", Linkname: "."}, {Typeflag: tar.TypeSymlink, Name: "l/l", Linkname: "../out"}}},
		{"over-a-link", []tar.Header{{Typeflag: tar.TypeSymlink, Name: "l", Linkname: "x"}, {Typeflag: tar.TypeReg, Name: "l"}}},
		{"over-a-file", []tar.Header{{Typeflag: tar.TypeReg, Name: "f"}, {Typeflag: tar.TypeReg, Name: "f"}}},
		{"cut-off", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var b bytes.Buffer
			out := tar.NewWriter(&b)
			for i := range tt.headers {
				require.NoError(t, out.WriteHeader(&tt.headers[i]))
			}
			if tt.headers == nil {
				require.NoError(t, out.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "f", Size: 1000}))
				_, err := out.Write([]byte("half"))
				require.NoError(t, err)
			}
			outer := t.TempDir()
			require.NoError(t, os.Mkdir(filepath.Join(outer, "in"), 0o700))
			dir, err := os.OpenRoot(filepath.Join(outer, "in"))
			require.NoError(t, err)
			defer dir.Close()
			require.Error(t, unpack(dir, &b, DefaultWorkspaceLimit))
			files, err := os.ReadDir(outer)
			require.NoError(t, err)
			require.Len(t, files, 1)
		})
	}
}
