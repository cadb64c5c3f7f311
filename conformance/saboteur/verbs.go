package saboteur

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/caisson-dev/caisson/core"
)

func one(name, target, breaks string, m methods) Saboteur {
	return Saboteur{Name: name, Target: target, Breaks: breaks, arm: func() *methods { c := m; return &c }}
}

// Wrong about the file verbs.
func verbs() []Saboteur {
	onList := func(name, target, breaks string, change func(ctx context.Context, b good, files []core.FileInfo) []core.FileInfo) Saboteur {
		return one(name, target, breaks, methods{list: func(ctx context.Context, b good, p string) ([]core.FileInfo, error) {
			files, err := b.List(ctx, p)
			if err != nil {
				return nil, err
			}
			return change(ctx, b, files), nil
		}})
	}
	return []Saboteur{
		one("list/errors-hidden", "list/errors", "it hides an error as an empty list", methods{list: func(ctx context.Context, b good, p string) ([]core.FileInfo, error) {
			files, err := b.List(ctx, p)
			if errors.Is(err, core.ErrNotFound) || errors.Is(err, core.ErrPermission) {
				return nil, nil
			}
			return files, err
		}}),
		onList("list/hidden-left-out", "list/children", "it leaves hidden files out", func(_ context.Context, _ good, files []core.FileInfo) []core.FileInfo {
			return slices.DeleteFunc(files, func(f core.FileInfo) bool { return strings.HasPrefix(f.Name(), ".") })
		}),
		onList("list/links-followed", "list/children", "it describes what links lead to", func(ctx context.Context, b good, files []core.FileInfo) []core.FileInfo {
			for i, f := range files {
				if to, err := b.Stat(ctx, f.Path, true); err == nil {
					files[i] = *to
				}
			}
			return files
		}),
		onList("list/parsed", "list/names", "it parses the lines that ls prints", func(_ context.Context, _ good, files []core.FileInfo) []core.FileInfo {
			for i, f := range files {
				name, _, _ := strings.Cut(f.Name(), "\n")
				files[i].Path = path.Join(path.Dir(f.Path), strings.Join(strings.Fields(name), " "))
			}
			return files
		}),
		one("stat/never-follows", "stat/links", "it describes a link, never what it leads to", methods{stat: func(ctx context.Context, b good, p string, _ bool) (*core.FileInfo, error) {
			return b.Stat(ctx, p, false)
		}}),
		one("stat/always-follows", "stat/links", "it describes what a link leads to, never the link", methods{stat: func(ctx context.Context, b good, p string, _ bool) (*core.FileInfo, error) {
			return b.Stat(ctx, p, true)
		}}),
		one("stat/no-time", "stat/file", "it does not know when a file was written", methods{stat: func(ctx context.Context, b good, p string, follow bool) (*core.FileInfo, error) {
			f, err := b.Stat(ctx, p, follow)
			if err == nil {
				f.ModTime = time.Time{}
			}
			return f, err
		}}),
		one("stat/missing-is-empty", "stat/errors", "it describes a missing file as an empty one", methods{stat: func(ctx context.Context, b good, p string, follow bool) (*core.FileInfo, error) {
			f, err := b.Stat(ctx, p, follow)
			if errors.Is(err, core.ErrNotFound) {
				return &core.FileInfo{Path: p}, nil
			}
			return f, err
		}}),
		one("remove/follows-links", "remove/file", "it removes what a link leads to", methods{remove: func(ctx context.Context, b good, p string, recursive bool) error {
			if f, err := b.Stat(ctx, p, false); err == nil && f.Mode.Type() == fs.ModeSymlink {
				p = path.Join(path.Dir(p), f.Link)
			}
			return b.Remove(ctx, p, recursive)
		}}),
		one("remove/always-recursive", "remove/tree", "it removes a directory with all in it, unasked", methods{remove: func(ctx context.Context, b good, p string, _ bool) error {
			return b.Remove(ctx, p, true)
		}}),
		one("remove/by-prefix", "remove/file", "it removes all whose name begins with the one it was given", methods{remove: func(ctx context.Context, b good, p string, recursive bool) error {
			if strings.HasSuffix(p, "/link") {
				sh(ctx, b, `rm -rf "$1"full`, strings.TrimSuffix(p, "link"))
			}
			return b.Remove(ctx, p, recursive)
		}}),
		one("remove/missing-is-done", "remove/errors", "it takes a file that is not there for one that it has removed", methods{remove: func(ctx context.Context, b good, p string, recursive bool) error {
			err := b.Remove(ctx, p, recursive)
			if errors.Is(err, core.ErrNotFound) {
				return nil
			}
			return err
		}}),
		one("mkdir/no-parents", "mkdir/parents", "it makes no parents", methods{mkdir: func(ctx context.Context, b good, p string) error {
			if _, err := b.Stat(ctx, path.Dir(p), true); err != nil {
				return err
			}
			return b.Mkdir(ctx, p)
		}}),
		one("mkdir/file-is-fine", "mkdir/errors", "it takes a file for the directory that it should make", methods{mkdir: func(ctx context.Context, b good, p string) error {
			err := b.Mkdir(ctx, p)
			if errors.Is(err, core.ErrExists) {
				return nil
			}
			return err
		}}),
		one("rename/copies", "rename/file", "it copies and leaves the original", methods{rename: func(ctx context.Context, b good, from, to string) error {
			if f, err := b.Stat(ctx, from, false); err != nil || !f.Mode.IsRegular() {
				return b.Rename(ctx, from, to)
			}
			if _, ok := sh(ctx, b, `mkdir -p "$(dirname "$2")" && cp -p "$1" "$2"`, from, to); !ok {
				return b.Rename(ctx, from, to)
			}
			return nil
		}}),
		one("rename/files-only", "rename/directory", "it moves no directories", methods{rename: func(ctx context.Context, b good, from, to string) error {
			if f, err := b.Stat(ctx, from, false); err == nil && f.IsDir() {
				return core.Errorf(core.ErrIsDirectory, "rename", "not a file")
			}
			return b.Rename(ctx, from, to)
		}}),
		one("rename/into", "rename/errors", "it moves a file into a directory that stands in its place", methods{rename: func(ctx context.Context, b good, from, to string) error {
			if f, err := b.Stat(ctx, to, true); err == nil && f.IsDir() {
				to = path.Join(to, "moved")
			}
			return b.Rename(ctx, from, to)
		}}),
		one("edit/pattern", "edit/literal", "it takes the new text for that of a regular expression", methods{edit: func(ctx context.Context, b good, p, old, text string, all bool) (int, error) {
			return b.Edit(ctx, p, old, strings.ReplaceAll(text, "$&", old), all)
		}}),
		one("edit/first-of-several", "edit/several", "it replaces the first of several places", methods{edit: func(ctx context.Context, b good, p, old, text string, all bool) (int, error) {
			n, err := b.Edit(ctx, p, old, text, all)
			if errors.Is(err, core.ErrConflict) {
				_, err = b.Edit(ctx, p, old+" y", text+" y", false)
				return 1, err
			}
			return n, err
		}}),
		one("edit/nothing-is-fine", "edit/no-match", "it replaces nothing without a word", methods{edit: func(ctx context.Context, b good, p, old, text string, all bool) (int, error) {
			n, err := b.Edit(ctx, p, old, text, all)
			if errors.Is(err, core.ErrNotFound) {
				return 0, nil
			}
			return n, err
		}}),
		one("edit/line-ends-exact", "edit/crlf", "it finds no text across CRLF line ends", methods{edit: func(ctx context.Context, b good, p, old, text string, all bool) (int, error) {
			if strings.Contains(old, "\n") {
				if data, ok := sh(ctx, b, `cat "$1"`, p); ok && !strings.Contains(data, old) {
					return 0, core.Errorf(core.ErrNotFound, "edit", "no such text")
				}
			}
			return b.Edit(ctx, p, old, text, all)
		}}),
		one("edit/utf-8", "edit/bytes", "it takes every file for UTF-8", methods{edit: func(ctx context.Context, b good, p, old, text string, all bool) (int, error) {
			n, err := b.Edit(ctx, p, old, text, all)
			if data, ok := sh(ctx, b, `cat "$1"`, p); ok && err == nil {
				if valid := bytes.ToValidUTF8([]byte(data), []byte("\ufffd")); string(valid) != data {
					err = b.Upload(ctx, p, bytes.NewReader(valid), new(core.UploadOptions))
				}
			}
			return n, err
		}}),
		one("edit/mode-reset", "edit/once", "it resets the mode of a file", methods{edit: func(ctx context.Context, b good, p, old, text string, all bool) (int, error) {
			n, err := b.Edit(ctx, p, old, text, all)
			if err == nil {
				sh(ctx, b, `chmod 644 "$1"`, p)
			}
			return n, err
		}}),
		one("edit/no-count", "edit/once", "it does not count", methods{edit: func(ctx context.Context, b good, p, old, text string, all bool) (int, error) {
			_, err := b.Edit(ctx, p, old, text, all)
			return 0, err
		}}),
		one("edit/makes-file", "edit/errors", "it makes the file that it should edit", methods{edit: func(ctx context.Context, b good, p, old, text string, all bool) (int, error) {
			n, err := b.Edit(ctx, p, old, text, all)
			if errors.Is(err, core.ErrNotFound) && strings.HasSuffix(p, "/missing") {
				return 1, b.Upload(ctx, p, strings.NewReader(text), new(core.UploadOptions))
			}
			return n, err
		}}),
	}
}
