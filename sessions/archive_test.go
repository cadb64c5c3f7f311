package sessions_test

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/drivers/fake"
	"github.com/caisson-dev/caisson/sessions"
)

// entries reads a tar stream into lines of type, mode, name and what the entry holds.
func entries(t *testing.T, r io.Reader) []string {
	t.Helper()
	var list []string
	for in := tar.NewReader(r); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return list
		}
		require.NoError(t, err)
		content, err := io.ReadAll(in)
		require.NoError(t, err)
		if strings.HasPrefix(h.Name, ".home") || strings.HasPrefix(h.Name, ".uploads") {
			continue
		}
		if len(content) > 100 {
			content = fmt.Appendf(nil, "%x", sha256.Sum256(content))
		}
		list = append(list, string(h.Typeflag)+" "+h.FileInfo().Mode().Perm().String()+" "+h.Name+" "+string(content)+h.Linkname)
	}
}

func archive(t *testing.T, headers ...tar.Header) *bytes.Buffer {
	t.Helper()
	var b bytes.Buffer
	out := tar.NewWriter(&b)
	for i := range headers {
		h := headers[i]
		content := h.PAXRecords["content"]
		h.PAXRecords, h.Size = nil, int64(len(content))
		require.NoError(t, out.WriteHeader(&h))
		_, err := io.WriteString(out, content)
		require.NoError(t, err)
	}
	require.NoError(t, out.Close())
	return &b
}

func text(name, content string) tar.Header {
	return tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, PAXRecords: map[string]string{"content": content}}
}

func TestExportAndImport(t *testing.T) {
	m := manage(t, fake.New(nil))
	a, b := get(t, m, "alice"), get(t, m, "bob")
	sh(t, a, `mkdir -p dir/sub closed; echo text > dir/file; : > empty; printf '#!/bin/sh\n' > run; chmod 755 run
		ln -s dir/file link; ln -s /etc/passwd away; ln -s nowhere dangling; mkfifo pipe; chmod 700 closed; echo x > 'two words'
		head -c 3000000 /dev/zero > large; echo secret > closed/in`)
	var out bytes.Buffer
	require.NoError(t, a.Export(t.Context(), &out))
	list := entries(t, bytes.NewReader(out.Bytes()))
	require.Len(t, list, 12)
	require.Equal(t, []string{
		"2 -rwxrwxrwx away /etc/passwd",
		"5 -rwx------ closed/ ",
		"0 -rw-r--r-- closed/in secret\n",
		"2 -rwxrwxrwx dangling nowhere",
		"5 -rwxr-xr-x dir/ ",
		"0 -rw-r--r-- dir/file text\n",
		"5 -rwxr-xr-x dir/sub/ ",
		"0 -rw-r--r-- empty ",
	}, list[:8])

	require.NoError(t, b.Import(t.Context(), bytes.NewReader(out.Bytes())))
	var again bytes.Buffer
	require.NoError(t, b.Export(t.Context(), &again))
	first, second := entries(t, &out), entries(t, &again)
	require.Equal(t, first, second)
	require.Equal(t, "text\n", sh(t, b, "cat link"))
	require.Equal(t, "3000000\n", sh(t, b, "wc -c < large"))
}

func TestImportStaysInTheWorkDirectory(t *testing.T) {
	m := manage(t, fake.New(nil))
	s := get(t, m, "alice")
	for _, name := range []string{"../out", "a/../../out", "/etc/out"} {
		err := s.Import(t.Context(), archive(t, text("before", "x"), text(name, "out")))
		require.ErrorIs(t, err, core.ErrInvalid, "%q", name)
		require.Equal(t, "x", read(t, s, "before"))
	}
	err := s.Import(t.Context(), archive(t, tar.Header{Typeflag: tar.TypeLink, Name: "hard", Linkname: "../../etc/passwd"}))
	require.ErrorIs(t, err, core.ErrInvalid)
	require.ErrorIs(t, s.Import(t.Context(), strings.NewReader(strings.Repeat("no tar ", 100))), core.ErrInvalid)
	require.NoError(t, s.Import(t.Context(), archive(t,
		tar.Header{Typeflag: tar.TypeDir, Name: "./", Mode: 0o700}, text("./dir/../file", "y"),
		tar.Header{Typeflag: tar.TypeChar, Name: "device"}, tar.Header{Typeflag: tar.TypeSymlink, Name: "new/link", Linkname: "-rf"},
		tar.Header{Typeflag: tar.TypeReg, Name: "shut"},
	)))
	require.Equal(t, "y", read(t, s, "file"))
	require.Equal(t, "-rf\n", sh(t, s, "readlink new/link"))
	missing(t, s, "device")
	_, err = s.Read(t.Context(), "shut", nil)
	require.ErrorIs(t, err, core.ErrPermission)
}

func TestExportEndsWithItsWriter(t *testing.T) {
	m := manage(t, fake.New(nil))
	s := get(t, m, "alice")
	sh(t, s, "head -c 3000000 /dev/zero > large")
	require.ErrorIs(t, s.Export(t.Context(), shortWriter{}), io.ErrShortWrite)
}

type shortWriter struct{}

func (shortWriter) Write(p []byte) (int, error) { return 0, io.ErrShortWrite }

func mirrored(t *testing.T) (root string, option func(*sessions.Options)) {
	root = t.TempDir()
	return root, func(o *sessions.Options) { o.WorkspaceRoot = root }
}

func TestWorkspaceRootMirrorsFiles(t *testing.T) {
	d := fake.New(nil)
	root, option := mirrored(t)
	dir := filepath.Join(root, sessions.DirName("alice"))
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "sub"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "sub", "seed"), []byte("from the host"), 0o640))
	require.NoError(t, os.Symlink("/etc/passwd", filepath.Join(dir, "away")))

	m := manage(t, d, option)
	s := get(t, m, "alice")
	require.Equal(t, "from the host", read(t, s, "sub/seed"))
	require.Equal(t, "/etc/passwd\n", sh(t, s, "readlink away"))
	sh(t, s, "echo made > made; rm -r sub; mkdir -p a/b; ln -s ../made a/link; ln -s ../../out a/up; ln -s a/../.. b; chmod 000 made; chmod 644 made")
	require.NoError(t, s.Sync(t.Context()))
	require.Equal(t, []string{".home", ".uploads", "a", "a/b", "a/link", "made"}, tree(t, dir), "links that lead out are left out")
	text, err := os.ReadFile(filepath.Join(dir, "a", "link"))
	require.NoError(t, err)
	require.Equal(t, "made\n", string(text))

	sh(t, s, "echo more > more")
	require.NoError(t, m.Hibernate(t.Context(), "alice"))
	require.FileExists(t, filepath.Join(dir, "more"))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "more"), []byte("changed"), 0o600))
	require.Equal(t, "more\n", read(t, get(t, m, "alice"), "more"), "the files on the engine count while there are any")

	_, err = m.Release(t.Context(), "alice")
	require.NoError(t, err)
	require.Equal(t, "more\n", read(t, get(t, m, "alice"), "more"), "the copy outlives a release")
	require.Len(t, list(t, root), 1)
}

func list(t *testing.T, dir string) (names []string) {
	t.Helper()
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, f := range files {
		names = append(names, f.Name())
	}
	return names
}

func tree(t *testing.T, dir string) (names []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(name string, _ os.DirEntry, err error) error {
		rel, _ := filepath.Rel(dir, name)
		if rel != "." {
			names = append(names, rel)
		}
		return err
	}))
	return names
}

func TestWorkspaceRootIsBounded(t *testing.T) {
	root, option := mirrored(t)
	m := manage(t, fake.New(nil), option, func(o *sessions.Options) { o.WorkspaceLimit = 100 << 10 })
	s := get(t, m, "alice")
	put(t, s, "small", "kept")
	require.NoError(t, s.Sync(t.Context()))
	sh(t, s, "head -c 200000 /dev/zero > large")
	require.ErrorIs(t, s.Sync(t.Context()), core.ErrTooLarge)
	require.Equal(t, []string{sessions.DirName("alice")}, list(t, root))
	require.FileExists(t, filepath.Join(root, sessions.DirName("alice"), "small"))
	_, err := m.Release(t.Context(), "alice")
	require.NoError(t, err)
	require.Equal(t, "200000\n", sh(t, get(t, m, "alice"), "wc -c < large"), "what could not be copied is not removed")
	sh(t, get(t, m, "alice"), "rm large; i=0; while [ $i -lt 50 ]; do : > f$i; i=$((i+1)); done")
	require.ErrorIs(t, get(t, m, "alice").Sync(t.Context()), core.ErrTooLarge, "empty files count too")
}

func TestWorkspaceRootRecoversFromACrash(t *testing.T) {
	root, option := mirrored(t)
	dir := filepath.Join(root, sessions.DirName("alice"))
	require.NoError(t, os.Mkdir(dir+".old", 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir+".old", "file"), []byte("text"), 0o600))
	require.NoError(t, os.Mkdir(dir+".new", 0o700))
	m := manage(t, fake.New(nil), option)
	s := get(t, m, "alice")
	require.Equal(t, "text", read(t, s, "file"))
	require.NoError(t, s.Sync(t.Context()))
	require.Len(t, list(t, root), 1)
}

func TestImportedTimesAreOfNow(t *testing.T) {
	m := manage(t, fake.New(nil))
	s := get(t, m, "alice")
	old := text("file", "x")
	old.ModTime = time.Unix(0, 0)
	require.NoError(t, s.Import(t.Context(), archive(t, old)))
	info, err := s.Stat(t.Context(), "file", false)
	require.NoError(t, err)
	require.WithinDuration(t, time.Now(), info.ModTime, time.Minute)
}
