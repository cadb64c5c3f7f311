package saboteur

import (
	"context"
	"errors"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/caisson-dev/caisson/core"
)

// Wrong about Glob and Grep: other dialects, and results that hide what happened.
func searches() []Saboteur {
	onPattern := func(name, target, breaks string, change func(pattern string, s *core.Search) string) Saboteur {
		return one(name, target, breaks, methods{glob: func(ctx context.Context, b good, pattern string, s core.Search) (*core.Paths, error) {
			return b.Glob(ctx, change(pattern, &s), &s)
		}})
	}
	onPaths := func(name, target, breaks string, change func(p *core.Paths)) Saboteur {
		return one(name, target, breaks, methods{glob: func(ctx context.Context, b good, pattern string, s core.Search) (*core.Paths, error) {
			p, err := b.Glob(ctx, pattern, &s)
			if p != nil {
				change(p)
			}
			return p, err
		}})
	}
	onExpression := func(name, target, breaks string, change func(pattern string, s *core.Search) string) Saboteur {
		return one(name, target, breaks, methods{grep: func(ctx context.Context, b good, pattern string, s core.Search) (*core.Matches, error) {
			return b.Grep(ctx, change(pattern, &s), &s)
		}})
	}
	onMatches := func(name, target, breaks string, change func(m *core.Matches)) Saboteur {
		return one(name, target, breaks, methods{grep: func(ctx context.Context, b good, pattern string, s core.Search) (*core.Matches, error) {
			m, err := b.Grep(ctx, pattern, &s)
			if m != nil {
				change(m)
			}
			return m, err
		}})
	}
	return []Saboteur{
		onPattern("glob/any-depth-always", "glob/top", "it matches a pattern without a slash at any depth", func(p string, _ *core.Search) string {
			if p != "" && !strings.Contains(p, "/") {
				return "**/" + p
			}
			return p
		}),
		onPattern("glob/star-crosses", "glob/one-level", "its star matches slashes", func(p string, _ *core.Search) string { return strings.Replace(p, "src/*.", "src/**/*.", 1) }),
		onPaths("glob/stars-need-one", "glob/any-depth", "its two stars match one directory or more, in front", func(p *core.Paths) {
			if len(p.Paths) == 6 {
				p.Paths = slices.DeleteFunc(p.Paths, func(f string) bool { return path.Base(f) == "top.py" })
			}
		}),
		onPaths("glob/stars-need-one-inside", "glob/middle", "its two stars match one directory or more, in the middle", func(p *core.Paths) {
			if len(p.Paths) == 3 {
				p.Paths = slices.DeleteFunc(p.Paths, func(f string) bool { return strings.HasSuffix(f, "src/x.py") })
			}
		}),
		onPattern("glob/no-braces", "glob/braces", "it takes braces for characters", func(p string, _ *core.Search) string {
			if strings.Contains(p, "}") {
				return strings.NewReplacer("{", `\{`, "}", `\}`).Replace(p)
			}
			return p
		}),
		onPattern("glob/no-classes", "glob/classes", "it takes brackets for characters", func(p string, _ *core.Search) string {
			if strings.Contains(p, "]") && !strings.Contains(p, `\`) {
				return strings.NewReplacer("[", `\[`, "]", `\]`).Replace(p)
			}
			return p
		}),
		onPattern("glob/backslash-is-slash", "glob/escape", "it takes a backslash for a slash", func(p string, _ *core.Search) string { return strings.ReplaceAll(p, `\`, "/") }),
		onPattern("glob/root-ignored", "glob/root", "it searches the work directory, whatever the root", func(p string, s *core.Search) string {
			s.Root = strings.TrimSuffix(s.Root, "/src/a")
			return p
		}),
		onPattern("glob/dot-never-matched", "glob/hidden", "it finds no hidden file, even one that the pattern spells", func(p string, _ *core.Search) string { return strings.Replace(p, "**/.*", "**/[.]*", 1) }),
		onPattern("glob/hidden-not-entered", "glob/hidden-directory", "it enters no hidden directory", func(p string, _ *core.Search) string { return strings.Replace(p, ".git/", "[.]git/", 1) }),
		one("glob/directories-too", "glob/files-only", "it finds directories", methods{glob: func(ctx context.Context, b good, pattern string, s core.Search) (*core.Paths, error) {
			p, err := b.Glob(ctx, pattern, &s)
			if err != nil || strings.Contains(pattern, "/") || s.Max > 0 {
				return p, err
			}
			entries, err := b.List(ctx, s.Root)
			for _, f := range entries {
				if ok, _ := path.Match(pattern, f.Name()); ok && f.IsDir() && !strings.HasPrefix(f.Name(), ".") {
					p.Paths = append(p.Paths, f.Path)
				}
			}
			slices.Sort(p.Paths)
			return p, err
		}}),
		onPattern("glob/hidden-never", "glob/hidden-option", "it knows no option for hidden files", func(p string, s *core.Search) string { s.Hidden = false; return p }),
		onPaths("glob/silent-cut", "glob/max", "it cuts results off without a word", func(p *core.Paths) { p.Truncated = false }),
		onPaths("glob/unreadable-not-counted", "glob/unreadable", "it says nothing of directories that it could not read", func(p *core.Paths) { p.Skipped = 0 }),
		one("glob/all-or-nothing", "glob/unreadable", "it finds nothing if it cannot read everything", methods{glob: func(ctx context.Context, b good, pattern string, s core.Search) (*core.Paths, error) {
			p, err := b.Glob(ctx, pattern, &s)
			if p != nil && p.Skipped > 0 {
				return &core.Paths{}, nil
			}
			return p, err
		}}),
		one("glob/errors-hidden", "glob/errors", "it finds nothing where it should complain", methods{glob: func(ctx context.Context, b good, pattern string, s core.Search) (*core.Paths, error) {
			p, err := b.Glob(ctx, pattern, &s)
			if errors.Is(err, core.ErrInvalid) || errors.Is(err, core.ErrNotFound) {
				return &core.Paths{}, nil
			}
			return p, err
		}}),
		onExpression("grep/basic", "grep/regular", "it knows basic expressions only", func(p string, s *core.Search) string {
			if !s.Literal {
				return strings.NewReplacer("|", `\|`, `\d`, "d").Replace(p)
			}
			return p
		}),
		onExpression("grep/never-literal", "grep/literal", "it takes every pattern for an expression", func(p string, s *core.Search) string {
			if p == "a.b" {
				s.Literal = false
			}
			return p
		}),
		onExpression("grep/literal-half", "grep/literal-signs", "it quotes some of the signs of a plain text", func(p string, s *core.Search) string {
			if s.Literal && strings.HasPrefix(p, "-") {
				s.Literal = false
				return strings.ReplaceAll(regexp.QuoteMeta(p), `\*`, "*")
			}
			return p
		}),
		onExpression("grep/include-ignored", "grep/include", "it looks into every file", func(p string, s *core.Search) string { s.Include = ""; return p }),
		onExpression("grep/hidden-always", "grep/hidden", "it looks into hidden files unasked", func(p string, s *core.Search) string { s.Hidden = true; return p }),
		one("grep/directories-only", "grep/one-file", "it takes no file as its root", methods{grep: func(ctx context.Context, b good, pattern string, s core.Search) (*core.Matches, error) {
			if f, err := b.Stat(ctx, s.Root, true); err == nil && !f.IsDir() {
				return &core.Matches{}, nil
			}
			return b.Grep(ctx, pattern, &s)
		}}),
		onMatches("grep/from-zero", "grep/regular", "it counts lines from 0", func(m *core.Matches) {
			for i := range m.Matches {
				m.Matches[i].Line--
			}
		}),
		onMatches("grep/form-feed-is-a-line", "grep/line-ends", "it takes a form feed for the end of a line", func(m *core.Matches) {
			for i := range m.Matches {
				m.Matches[i].Text = strings.TrimPrefix(m.Matches[i].Text, "\f")
			}
		}),
		onMatches("grep/unreadable-not-counted", "grep/unreadable", "it says nothing of files that it could not read", func(m *core.Matches) { m.Skipped = 0 }),
		onMatches("grep/silent-cut", "grep/max", "it cuts results off without a word", func(m *core.Matches) { m.Truncated = false }),
		one("grep/errors-hidden", "grep/errors", "it finds nothing where it should complain", methods{grep: func(ctx context.Context, b good, pattern string, s core.Search) (*core.Matches, error) {
			m, err := b.Grep(ctx, pattern, &s)
			if errors.Is(err, core.ErrInvalid) || errors.Is(err, core.ErrNotFound) {
				return &core.Matches{}, nil
			}
			return m, err
		}}),
	}
}
