package runner

import (
	"cmp"
	"slices"

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
		return nil, fail(dir, err)
	}
	if !info.IsDir() {
		return nil, &core.Error{Code: core.ErrNotRegular, Path: dir}
	}
	entries, err := fsys.ReadDir(dir)
	if err != nil {
		return nil, fail(dir, err)
	}
	for i := range entries {
		entries[i].Path = join(dir, entries[i].Name())
	}
	slices.SortFunc(entries, func(a, b core.FileInfo) int { return cmp.Compare(a.Path, b.Path) })
	return entries, nil
}
