package linux

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestReplace(t *testing.T) {
	f := newFiles()
	path := func(name string) string { return filepath.Join(t.TempDir(), name) }
	for _, c := range []struct {
		name string
		old  func(to string) error
	}{
		{"nothing", func(string) error { return nil }},
		{"file", func(to string) error { return os.WriteFile(to, []byte("old"), 0o600) }},
		{"link", func(to string) error { return os.Symlink("elsewhere", to) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			to := path("to")
			from := filepath.Join(filepath.Dir(to), "from")
			require.NoError(t, c.old(to))
			require.NoError(t, os.WriteFile(from, []byte("new"), 0o640))
			require.NoError(t, f.Replace(from, to))
			text, err := os.ReadFile(to)
			require.NoError(t, err)
			require.Equal(t, "new", string(text))
			info, err := os.Lstat(to)
			require.NoError(t, err)
			require.EqualValues(t, 0o640, info.Mode())
			require.NoFileExists(t, from)
		})
	}
	t.Run("directory", func(t *testing.T) {
		to := path("to")
		from := filepath.Join(filepath.Dir(to), "from")
		require.NoError(t, os.Mkdir(to, 0o755))
		require.NoError(t, os.WriteFile(from, []byte("new"), 0o640))
		require.Error(t, f.Replace(from, to))
		require.DirExists(t, to)
		require.FileExists(t, from)
	})
}
