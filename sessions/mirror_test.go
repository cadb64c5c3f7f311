package sessions_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/drivers/fake"
	"github.com/caisson-dev/caisson/sessions"
)

// Half of the files must not be taken for all of them: at the end they would
// take the place of the copy that has all.
func TestCopyThatWasCutOffIsMadeAgain(t *testing.T) {
	root, option := mirrored(t)
	dir := filepath.Join(root, sessions.DirName("alice"))
	require.NoError(t, os.MkdirAll(dir, 0o700))
	for name, size := range map[string]int{"a": 1, "b": 2 << 20, "c": 1} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(strings.Repeat(name, size)), 0o640))
	}
	d := fake.New(nil)
	small := manage(t, d, option, func(o *sessions.Options) { o.Spec.Limits.FileSize = 1 << 20 })
	_, err := small.GetOrCreate(t.Context(), "alice", nil)
	require.ErrorIs(t, err, core.ErrTooLarge)
	_, err = small.Shutdown(t.Context())
	require.NoError(t, err)

	m := manage(t, d, option)
	s := get(t, m, "alice")
	require.Equal(t, ".\n..\n.home\n.uploads\na\nb\nc\n", sh(t, s, "ls -a"))
	require.NoError(t, m.Hibernate(t.Context(), "alice"))
	require.Equal(t, []string{".home", ".uploads", "a", "b", "c"}, tree(t, dir))
	require.Equal(t, ".\n..\n.home\n.uploads\na\nb\nc\n", sh(t, get(t, m, "alice"), "ls -a"), "its own files, once they are there")
}

func TestCopiesOfOneSessionAtOnce(t *testing.T) {
	root, option := mirrored(t)
	m := manage(t, fake.New(nil), option)
	s := get(t, m, "alice")
	sh(t, s, "i=0; while [ $i -lt 60 ]; do echo x > f$i; i=$((i+1)); done")
	require.NoError(t, s.Sync(t.Context()))
	dir := filepath.Join(root, sessions.DirName("alice"))
	all := tree(t, dir)
	require.Greater(t, len(all), 60)
	for range 10 {
		errs := make([]error, 3)
		var copies sync.WaitGroup
		for i := range errs {
			copies.Go(func() { errs[i] = s.Sync(t.Context()) })
		}
		copies.Wait()
		require.Equal(t, make([]error, 3), errs)
		require.Equal(t, all, tree(t, dir))
	}
}
