package runner

import (
	"context"
	"path"
	"strings"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/guest/protocol"
)

// glob finds regular files, and links to such, by their path below the root. A
// pattern that begins with a slash names paths from the top; its fixed part is
// then the root, and has to lie below the search's own root if there is one.
func glob(ctx context.Context, fsys FS, workDir string, m *protocol.Find) (*protocol.Paths, error) {
	pattern, err := parseGlob(m.Pattern)
	if err != nil {
		return nil, err
	}
	root, err := searchRoot(workDir, &m.Search)
	if err != nil {
		return nil, err
	}
	if path.IsAbs(m.Pattern) {
		if root, pattern, err = anchor(pattern, root, m.Search.Root != ""); err != nil {
			return nil, err
		}
	}
	found := &protocol.Paths{}
	budget := newBudget(m.Most())
	w := &walk{fsys: fsys, pattern: pattern, hidden: m.Search.Hidden}
	w.visit = func(file *core.FileInfo) error {
		if !leadsToRegular(fsys, file) {
			return nil
		}
		if !budget.take(len(file.Path)) {
			found.Truncated = true
			return errEnough
		}
		found.Paths.Paths = append(found.Paths.Paths, file.Path)
		return nil
	}
	if err := w.run(ctx, root); err != nil {
		return nil, err
	}
	found.Skipped = w.skipped
	return found, nil
}

// searchRoot returns where a search begins.
func searchRoot(workDir string, s *core.Search) (string, error) {
	if s.Root == "" {
		return path.Clean(workDir), nil
	}
	return locate(workDir, s.Root)
}

// anchor splits the fixed part off a pattern that began with a slash, as its root.
func anchor(pattern globPattern, root string, bounded bool) (string, globPattern, error) {
	fixed := pattern.fixed()
	top, err := core.CleanPath("/" + strings.Join(fixed, "/"))
	if err != nil {
		return "", nil, err
	}
	if bounded && !within(root, top) {
		return "", nil, core.Errorf(core.ErrInvalid, "", "an absolute pattern must begin with the root %q", root)
	}
	rest := make(globPattern, len(pattern))
	for i, names := range pattern {
		rest[i] = names[len(fixed):]
	}
	return top, rest, nil
}

// leadsToRegular reports whether file is a regular file or a link to one.
func leadsToRegular(fsys FS, file *core.FileInfo) bool {
	if file.Link != "" || !file.Mode.IsRegular() {
		info, err := fsys.Stat(file.Path)
		return err == nil && info.Mode.IsRegular()
	}
	return true
}

// A budget bounds the results of a search, in number and in bytes.
type budget struct{ results, bytes int }

func newBudget(results int) *budget { return &budget{results: results, bytes: maxAnswer} }

// take reports whether there is room for one more result with texts of n bytes.
func (b *budget) take(n int) bool {
	if b.results == 0 || b.bytes < n+entryCost {
		return false
	}
	b.results--
	b.bytes -= n + entryCost
	return true
}
