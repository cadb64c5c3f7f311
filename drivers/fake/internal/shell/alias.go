package shell

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// unalias replaces the first word of a command, and the first of what that
// stands for, unless it was replaced already. Aliases can be words only.
func (s *shell) unalias(words []*syntax.Word) []*syntax.Word {
	seen := make(map[string]bool)
	for len(words) > 0 {
		name := words[0].Lit()
		text, is := s.aliases[name]
		if !is || seen[name] {
			break
		}
		seen[name] = true
		words = slices.Concat(text, words[1:])
	}
	return words
}

func builtinAlias(s *shell, args []string) (int, flow) {
	names := args[1:]
	if len(names) == 0 {
		names = slices.Sorted(maps.Keys(s.aliases))
	}
	status := 0
	for _, arg := range names {
		name, text, define := strings.Cut(arg, "=")
		if !define {
			status = max(status, s.showAlias(name))
			continue
		}
		var words []*syntax.Word
		for word, err := range syntax.NewParser(syntax.Variant(syntax.LangPOSIX)).WordsSeq(strings.NewReader(text)) {
			if err != nil {
				s.syntaxError(err)
				return 2, flow{}
			}
			words = append(words, word)
		}
		if s.aliases == nil {
			s.aliases = make(map[string][]*syntax.Word)
		}
		s.aliases[name] = words
	}
	return status, flow{}
}

func (s *shell) showAlias(name string) int {
	words, is := s.aliases[name]
	if !is {
		s.warn("alias: " + name + " not found\n")
		return 1
	}
	var b strings.Builder
	_ = syntax.NewPrinter().Print(&b, &syntax.CallExpr{Args: words}) // to memory
	return s.print(fmt.Sprintf("%s=%s\n", name, quote(b.String())))
}

func builtinUnalias(s *shell, args []string) (int, flow) {
	status := 0
	for _, name := range args[1:] {
		switch _, is := s.aliases[name]; {
		case name == "-a":
			clear(s.aliases)
		case is:
			delete(s.aliases, name)
		default:
			s.warn("unalias: " + name + " not found\n")
			status = 1
		}
	}
	return status, flow{}
}
