package tools

import (
	"regexp"
	"strings"
)

// basicToRE2 turns a POSIX basic regular expression, with GNU's additions, into Go's syntax.
// Back references cannot be expressed; they make compiling fail.
func basicToRE2(re string) string {
	var b strings.Builder
	begin := true // of an expression or group: '*' is itself there, '^' an anchor
	for i := 0; i < len(re); i++ {
		c := re[i]
		atBegin := begin
		begin = false
		switch {
		case c == '\\' && i+1 < len(re):
			i++
			switch re[i] {
			case '(', '|':
				b.WriteByte(re[i])
				begin = true
			case ')', '{', '}', '+', '?':
				b.WriteByte(re[i])
			default:
				b.WriteString(gnuEscape(re[i]))
			}
		case c == '[':
			end := bracketEnd(re, i)
			b.WriteString(bracket(re[i:end]))
			i = end - 1
		case c == '*' && atBegin:
			b.WriteString(`\*`)
		case c == '^' && !atBegin, c == '$' && !endsBasic(re[i+1:]):
			b.WriteString(`\` + string(c))
		case c == '^':
			b.WriteByte(c)
			begin = true
		case strings.IndexByte("(){}+?|", c) >= 0:
			b.WriteString(`\` + string(c))
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// endsBasic reports whether an expression or group ends here.
func endsBasic(rest string) bool {
	return rest == "" || strings.HasPrefix(rest, `\)`) || strings.HasPrefix(rest, `\|`)
}

// extendedToRE2 does the same for an extended regular expression.
func extendedToRE2(re string) string {
	var b strings.Builder
	for i := 0; i < len(re); i++ {
		switch c := re[i]; {
		case c == '\\' && i+1 < len(re):
			i++
			b.WriteString(gnuEscape(re[i]))
		case c == '[':
			end := bracketEnd(re, i)
			b.WriteString(bracket(re[i:end]))
			i = end - 1
		case c == '{' && (i+1 == len(re) || !isDigit(re[i+1], 10) && re[i+1] != ','):
			b.WriteString(`\{`)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// gnuEscape returns what an escaped byte means outside of brackets.
func gnuEscape(c byte) string {
	switch c {
	case '<', '>':
		return `\b`
	case '`':
		return `\A`
	case '\'':
		return `\z`
	case 'w', 'W', 's', 'S', 'b', 'B', 'n', 't', 'r', 'f', 'v', 'd', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return `\` + string(c)
	default:
		return regexp.QuoteMeta(string(c))
	}
}

// bracketEnd returns where a bracket expression that begins at i ends.
func bracketEnd(re string, i int) int {
	j := i + 1
	if j < len(re) && re[j] == '^' {
		j++
	}
	if j < len(re) && re[j] == ']' {
		j++
	}
	for j < len(re) && re[j] != ']' {
		if re[j] == '[' && j+1 < len(re) && strings.IndexByte(":.=", re[j+1]) >= 0 {
			if end := strings.Index(re[j+2:], string(re[j+1])+"]"); end >= 0 {
				j += end + 3
			}
		}
		j++
	}
	return min(j+1, len(re))
}

// bracket turns a bracket expression into Go's syntax, in which a backslash is special.
func bracket(set string) string {
	var b strings.Builder
	for i := 0; i < len(set); i++ {
		switch c := set[i]; {
		case c == '\\':
			if i+1 < len(set) && strings.IndexByte("ntr", set[i+1]) >= 0 {
				b.WriteByte('\\')
				continue
			}
			b.WriteString(`\\`)
		case c == '[' && i > 0:
			if i+1 < len(set) && set[i+1] == ':' {
				if end := strings.Index(set[i:], ":]"); end > 0 {
					b.WriteString(set[i : i+end+2])
					i += end + 1
					continue
				}
			}
			b.WriteString(`\[`)
		case c == ']' && i < len(set)-1:
			b.WriteString(`\]`)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}
