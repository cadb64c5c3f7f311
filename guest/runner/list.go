package runner

import (
	"sort"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/guest/protocol"
)

// maxAnswer bounds the bytes of an answer, so that neither side has to hold
// whatever a sandbox can make up. Glob and Grep cut their results there.
const maxAnswer = 8 << 20

// entryCost is what an element of an answer takes beside its texts, roughly.
const entryCost = 40

// list describes the direct children of a directory, sorted by name.
func list(fsys FS, workDir string, m *protocol.Path) (*protocol.Files, error) {
	dir, err := locate(workDir, m.Path)
	if err != nil {
		return nil, err
	}
	entries, err := readDir(fsys, dir)
	if err != nil {
		return nil, err
	}
	size := 0
	for i := range entries {
		size += len(entries[i].Path) + len(entries[i].Link) + entryCost
	}
	if size > maxAnswer {
		e := core.Errorf(core.ErrTooLarge, "", "%d entries are more than one answer holds; search with a pattern", len(entries))
		e.Path = dir
		return nil, e
	}
	return &protocol.Files{Files: entries}, nil
}

// readDir returns the children of dir, which may be a link to a directory, by name and with their full paths.
func readDir(fsys FS, dir string) ([]core.FileInfo, error) {
	info, err := fsys.Stat(dir)
	if err != nil {
		return nil, FileError(dir, err)
	}
	if !info.IsDir() {
		return nil, &core.Error{Code: core.ErrNotRegular, Path: dir}
	}
	entries, err := fsys.ReadDir(dir)
	if err != nil {
		return nil, FileError(dir, err)
	}
	for i := range entries {
		entries[i].Path = join(dir, entries[i].Name())
	}
	sort.Sort(byPath(entries))
	return entries, nil
}

// byPath sorts files by path. It is an old-fashioned sort.Interface because
// that keeps 20 KiB out of the helper, which every sandbox carries.
type byPath []core.FileInfo

func (f byPath) Len() int           { return len(f) }
func (f byPath) Less(i, j int) bool { return f[i].Path < f[j].Path }
func (f byPath) Swap(i, j int)      { f[i], f[j] = f[j], f[i] }

// byTree is byPath, but a directory stands where its children's paths do, that is with a slash at its end.
type byTree struct{ byPath }

func (f byTree) Less(i, j int) bool { return treeKey(&f.byPath[i]) < treeKey(&f.byPath[j]) }

func treeKey(f *core.FileInfo) string {
	if f.IsDir() {
		return f.Path + "/"
	}
	return f.Path
}
