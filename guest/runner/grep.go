package runner

import (
	"bytes"
	"context"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/guest/protocol"
)

// maxExpression bounds the bytes of a pattern, and so the size of what it is compiled to.
const maxExpression = 32 << 10

// grep finds lines in the regular text files below the root, or in the root
// itself if that is a file, whatever its name. Links below the root are not
// followed: what they lead to is found where it is, or is not below the root.
func grep(ctx context.Context, fsys FS, workDir string, m *protocol.Find) (*protocol.Matches, error) {
	match, err := lineMatcher(m.Pattern, m.Search.Literal)
	if err != nil {
		return nil, err
	}
	include, err := includePattern(m.Search.Include)
	if err != nil {
		return nil, err
	}
	root, err := searchRoot(workDir, &m.Search)
	if err != nil {
		return nil, err
	}
	info, err := fsys.Stat(root)
	if err != nil {
		return nil, FileError(root, err)
	}
	s := &lineSearch{ctx: ctx, fsys: fsys, match: match, budget: newBudget(m.Most()), found: &protocol.Matches{}}
	if !info.IsDir() {
		if err := regular(root, info); err != nil {
			return nil, err
		}
		if err := s.file(root); err != nil && err != errEnough { //nolint:errorlint // never wrapped
			return nil, err
		}
		return s.found, nil
	}
	w := &walk{fsys: fsys, pattern: include, hidden: m.Search.Hidden}
	w.visit = func(file *core.FileInfo) error {
		if !file.Mode.IsRegular() {
			return nil
		}
		err := s.file(file.Path)
		if _, ok := err.(*core.Error); ok { //nolint:errorlint // about this file alone
			s.skip(err)
			return nil
		}
		return err
	}
	if err := w.run(ctx, root); err != nil {
		return nil, err
	}
	s.found.Skipped += w.skipped
	return s.found, nil
}

// lineMatcher returns a function that reports whether a line matches.
func lineMatcher(pattern string, literal bool) (func(line []byte) bool, error) {
	switch {
	case pattern == "":
		return nil, core.Errorf(core.ErrInvalid, "", "pattern is empty")
	case len(pattern) > maxExpression:
		return nil, core.Errorf(core.ErrInvalid, "", "pattern has %d bytes, more than %d", len(pattern), maxExpression)
	case literal && strings.ContainsAny(pattern, "\r\n"):
		return nil, core.Errorf(core.ErrInvalid, "", "pattern holds a line end; lines are searched one by one")
	case literal:
		text := []byte(pattern)
		return func(line []byte) bool { return bytes.Contains(line, text) }, nil
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, core.Errorf(core.ErrInvalid, "", "%w", err)
	}
	return re.Match, nil
}

// includePattern returns the glob pattern for the files to search. One without
// a slash is about names, at any depth; one that begins with a slash starts at the root.
func includePattern(include string) (globPattern, error) {
	switch {
	case include == "":
		include = "**"
	case !strings.Contains(include, "/"):
		include = "**/" + include
	}
	return parseGlob(include)
}

// A lineSearch collects the lines that match, file by file.
type lineSearch struct {
	ctx    context.Context // of the one call that it serves
	fsys   FS
	match  func(line []byte) bool
	budget *budget
	found  *protocol.Matches
}

// file searches one file. It returns an *core.Error about the file,
// errEnough, or the context's error.
func (s *lineSearch) file(name string) error {
	if err := s.ctx.Err(); err != nil {
		return err
	}
	f, _, err := openRegular(s.fsys, name)
	if err != nil {
		return err
	}
	defer f.Close()
	lines := newLineReader(s.ctx, f)
	if lines.binary() {
		s.found.Skipped++
		return nil
	}
	for lines.next() {
		if !s.match(lines.text) {
			continue
		}
		text := cut(lines.text, core.MaxMatchText)
		if !s.budget.take(len(name) + len(text)) {
			s.found.Truncated = true
			return errEnough
		}
		s.found.Matches.Matches = append(s.found.Matches.Matches, core.Match{Path: name, Line: lines.number, Text: text})
	}
	return FileError(name, lines.err)
}

// skip counts a file that could not be read. One that was removed meanwhile is not missed.
func (s *lineSearch) skip(err error) {
	if codeOf(err) != core.ErrNotFound {
		s.found.Skipped++
	}
}

// cut returns at most limit bytes of text, not ending within a character.
func cut(text []byte, limit int) string {
	if len(text) <= limit {
		return string(text)
	}
	end := limit
	for end > limit-utf8.UTFMax && !utf8.RuneStart(text[end]) {
		end--
	}
	return string(text[:end])
}
