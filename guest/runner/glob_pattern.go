package runner

import (
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/caisson-dev/caisson/core"
)

const (
	maxPattern      = 4 << 10 // bytes of a glob pattern
	maxAlternatives = 256     // patterns that the braces of one pattern may stand for
)

// A globPattern is a pattern without its braces: the alternatives that they
// stand for, each as the patterns of its names. In place of a name, "**" stands
// for zero or more directories. It can be matched name by name on the way down
// a tree, which tells early where nothing can be found.
type globPattern [][]string

// A globState is a place in a pattern: before the name with the index next of
// the alternative alt, or behind its last name.
type globState struct{ alt, next int }

// parseGlob reads a pattern that is relative to the root of a search.
func parseGlob(pattern string) (globPattern, error) {
	switch {
	case pattern == "":
		return nil, core.Errorf(core.ErrInvalid, "", "pattern is empty")
	case len(pattern) > maxPattern:
		return nil, core.Errorf(core.ErrInvalid, "", "pattern has %d bytes, more than %d", len(pattern), maxPattern)
	case strings.IndexByte(pattern, 0) >= 0:
		return nil, core.Errorf(core.ErrInvalid, "", "pattern %q contains a NUL byte", pattern)
	case !doublestar.ValidatePattern(pattern):
		return nil, core.Errorf(core.ErrInvalid, "", "pattern %q is malformed", pattern)
	}
	plain, ok := expandBraces(pattern, maxAlternatives)
	if !ok {
		return nil, core.Errorf(core.ErrInvalid, "", "pattern %q stands for more than %d patterns", pattern, maxAlternatives)
	}
	var p globPattern
	for _, alternative := range plain {
		names, err := splitGlob(alternative)
		if err != nil {
			return nil, err
		}
		p = append(p, names)
	}
	return p, nil
}

// splitGlob cuts a pattern without braces into those of its names.
func splitGlob(pattern string) ([]string, error) {
	var names []string
	for name := range strings.SplitSeq(pattern, "/") {
		switch {
		case name == "..":
			return nil, core.Errorf(core.ErrInvalid, "", "pattern %q: '..' is not allowed", pattern)
		case name == "" || name == ".":
			continue
		case name == "**" && len(names) > 0 && names[len(names)-1] == "**":
			continue
		case !doublestar.ValidatePattern(name):
			return nil, core.Errorf(core.ErrInvalid, "", "pattern %q: a class cannot hold a slash", pattern)
		}
		names = append(names, name)
	}
	switch {
	case len(names) == 0 || strings.HasSuffix(pattern, "/"):
		return nil, core.Errorf(core.ErrInvalid, "", "pattern %q matches directories only; files are what can be found", pattern)
	case names[len(names)-1] == "**":
		names = append(names, "*")
	}
	return names, nil
}

// start returns the states before the first name.
func (p globPattern) start() []globState {
	var states []globState
	for alt := range p {
		states = p.enter(states, globState{alt: alt})
	}
	return states
}

// enter adds a state, and the one behind it if "**" is next, which can stand for no directory.
func (p globPattern) enter(states []globState, s globState) []globState {
	if !slices.Contains(states, s) {
		states = append(states, s)
	}
	if s.next < len(p[s.alt]) && p[s.alt][s.next] == "**" {
		return p.enter(states, globState{s.alt, s.next + 1})
	}
	return states
}

// step returns the states after one more name. With none of them nothing at
// or below that name can match. Unless hidden is set, a name that begins with
// a dot matches only a pattern that begins with it.
func (p globPattern) step(states []globState, name string, hidden bool) []globState {
	var after []globState
	for _, s := range states {
		if s.next == len(p[s.alt]) {
			continue
		}
		pattern := p[s.alt][s.next]
		if strings.HasPrefix(name, ".") && !hidden && !strings.HasPrefix(strings.TrimPrefix(pattern, `\`), ".") {
			continue
		}
		if pattern == "**" {
			after = p.enter(after, s)
			continue
		}
		if ok, _ := doublestar.Match(pattern, name); ok { // a malformed one was refused
			after = p.enter(after, globState{s.alt, s.next + 1})
		}
	}
	return after
}

// matches reports whether one of the states is behind the last name.
func (p globPattern) matches(states []globState) bool {
	return slices.ContainsFunc(states, func(s globState) bool { return s.next == len(p[s.alt]) })
}

// leads reports whether a name below can still match.
func (p globPattern) leads(states []globState) bool {
	return slices.ContainsFunc(states, func(s globState) bool { return s.next < len(p[s.alt]) })
}

// fixed returns the names that every match begins with, but for the last one of a path.
func (p globPattern) fixed() []string {
	common := p[0][:len(p[0])-1]
	for _, names := range p[1:] {
		n := 0
		for n < len(common) && n < len(names)-1 && common[n] == names[n] {
			n++
		}
		common = common[:n]
	}
	n := slices.IndexFunc(common, func(name string) bool { return strings.ContainsAny(name, `*?[\`) })
	if n >= 0 {
		common = common[:n]
	}
	return common
}

// expandBraces returns what a valid pattern stands for when each group in
// braces is replaced by one of its alternatives; not ok if that is more than limit.
func expandBraces(pattern string, limit int) (plain []string, ok bool) {
	open, parts, rest := firstBraces(pattern)
	if parts == nil {
		return []string{pattern}, true
	}
	for _, part := range parts {
		more, ok := expandBraces(pattern[:open]+part+rest, limit-len(plain))
		if !ok {
			return nil, false
		}
		plain = append(plain, more...)
	}
	return plain, len(plain) <= limit
}

// firstBraces finds the first group: where it begins, its alternatives, and what comes after it.
func firstBraces(pattern string) (open int, parts []string, rest string) {
	depth, from, class := 0, 0, false
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; {
		case c == '\\':
			i++
		case class:
			class = c != ']'
		case c == '[':
			class = true
			if i+1 < len(pattern) && (pattern[i+1] == '^' || pattern[i+1] == '!') {
				i++
			}
		case c == '{':
			if depth++; depth == 1 {
				open, from = i, i+1
			}
		case c == ',' && depth == 1:
			parts, from = append(parts, pattern[from:i]), i+1
		case c == '}':
			if depth--; depth == 0 {
				return open, append(parts, pattern[from:i]), pattern[i+1:]
			}
		}
	}
	return 0, nil, ""
}
