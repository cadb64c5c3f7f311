package runner

import (
	"context"
	"errors"
	"sort"

	"github.com/caisson-dev/caisson/core"
)

// errEnough ends a walk that has found as much as is wanted.
var errEnough = errors.New("enough")

// A walk visits the files below a directory that match a pattern, in the order
// of their paths. It follows no link below its root, so it neither leaves the
// root nor runs in a circle, and it stays out of the kernel's own trees.
type walk struct {
	fsys    FS
	pattern globPattern
	hidden  bool
	visit   func(file *core.FileInfo) error // of any kind but a directory
	top     string                          // where it begins
	skipped int                             // directories that could not be read
}

// run walks the tree at root. It returns an error if root cannot be read, but
// only counts what is below and cannot. It returns nil if visit returned errEnough.
func (w *walk) run(ctx context.Context, root string) error {
	info, err := w.fsys.Stat(root)
	if err != nil {
		return FileError(root, err)
	}
	if !info.IsDir() {
		return &core.Error{Code: core.ErrNotRegular, Path: root}
	}
	dir, states := root, w.pattern.start()
	for _, name := range w.pattern.fixed() {
		dir, states = join(dir, name), w.pattern.step(states, name, true)
		info, err := w.fsys.Lstat(dir)
		switch code := codeOf(err); {
		case code == core.ErrNotFound:
			return nil
		case err != nil:
			return FileError(dir, err)
		case !info.IsDir():
			return nil
		}
	}
	w.top = dir
	err = w.dir(ctx, dir, states)
	if err == errEnough { //nolint:errorlint // never wrapped
		return nil
	}
	return err
}

// dir visits what is below dir and matches from states on.
func (w *walk) dir(ctx context.Context, dir string, states []globState) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if _, err := core.CleanPath(dir); err != nil {
		return nil //nolint:nilerr // a tree that no path may name is not searched either
	}
	entries, err := w.fsys.ReadDir(dir)
	switch {
	case err == nil:
	case dir == w.top:
		return FileError(dir, err)
	case codeOf(err) == core.ErrNotFound: // removed meanwhile
		return nil
	default:
		w.skipped++
		return nil
	}
	for i := range entries {
		entries[i].Path = join(dir, entries[i].Name())
	}
	sort.Sort(byTree{entries})
	for i := range entries {
		child := &entries[i]
		after := w.pattern.step(states, child.Name(), w.hidden)
		switch {
		case child.IsDir() && w.pattern.leads(after):
			err = w.dir(ctx, child.Path, after)
		case !child.IsDir() && w.pattern.matches(after):
			err = w.visit(child)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
