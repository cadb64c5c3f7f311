package tools

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// echo knows -n, -e and -E in clusters, as the GNU and BusyBox ones do.
func echo(t *tool) {
	newline, escapes := true, false
	args := t.args
	for len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' && strings.Trim(args[0][1:], "neE") == "" {
		for _, c := range args[0][1:] {
			switch c {
			case 'n':
				newline = false
			case 'e':
				escapes = true
			case 'E':
				escapes = false
			}
		}
		args = args[1:]
	}
	text := strings.Join(args, " ")
	if escapes {
		var stop bool
		text, stop = unescape(text, true)
		newline = newline && !stop
	}
	if newline {
		text += "\n"
	}
	_, _ = t.out.WriteString(text)
}

// unescape replaces backslash escapes. It stops at \c. With zero set, octal
// numbers begin with \0, as echo and %b have it; without, they need no zero.
func unescape(s string, zero bool) (text string, stop bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		if at := strings.IndexByte(`abefnrtv\`, s[i]); at >= 0 {
			b.WriteByte("\a\b\x1b\f\n\r\t\v\\"[at])
			continue
		}
		digits := func(from, most int, base int) (int64, int) {
			n := 0
			for from+n < len(s) && n < most && isDigit(s[from+n], base) {
				n++
			}
			value, _ := strconv.ParseInt(s[from:from+n], base, 64)
			return value, n
		}
		switch c := s[i]; {
		case c == 'c':
			return b.String(), true
		case c == '0' && zero:
			value, n := digits(i+1, 3, 8)
			b.WriteByte(byte(value))
			i += n
		case c >= '0' && c <= '7':
			value, n := digits(i, 3, 8)
			b.WriteByte(byte(value))
			i += n - 1
		case c == 'x' || c == 'u' || c == 'U':
			most := map[byte]int{'x': 2, 'u': 4, 'U': 8}[c]
			value, n := digits(i+1, most, 16)
			switch {
			case n == 0:
				b.WriteString(`\` + string(c))
			case c == 'x':
				b.WriteByte(byte(value))
			default:
				b.WriteRune(rune(value))
			}
			i += n
		case c == '"' || c == '\'' && !zero:
			b.WriteByte(c)
		default:
			b.WriteString(`\` + string(c))
		}
	}
	return b.String(), false
}

func isDigit(c byte, base int) bool {
	switch {
	case c >= '0' && c <= '9':
		return int(c-'0') < base
	case c >= 'a' && c <= 'f', c >= 'A' && c <= 'F':
		return base == 16
	}
	return false
}

// printf formats its operands, again and again until none is left. As it is
// mostly run by the shell, it speaks like the shell's.
func printf(t *tool) {
	args := t.args
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 {
		t.errorf("usage: printf format [arg ...]")
		t.status = 2
		return
	}
	f := formatter{tool: t, args: args[1:]}
	for {
		before := len(f.args)
		if f.format(args[0]) || len(f.args) == 0 || len(f.args) == before {
			return
		}
	}
}

type formatter struct {
	*tool
	args []string
}

func (f *formatter) next() string {
	if len(f.args) == 0 {
		return ""
	}
	arg := f.args[0]
	f.args = f.args[1:]
	return arg
}

// format prints one round and reports whether it was told to stop.
func (f *formatter) format(format string) (stop bool) {
	for format != "" {
		at := strings.IndexByte(format, '%')
		if at < 0 {
			at = len(format)
		}
		text, stop := unescape(format[:at], false)
		_, _ = f.out.WriteString(text)
		if stop {
			return true
		}
		if at == len(format) {
			return false
		}
		format = format[at+1:]
		if strings.HasPrefix(format, "%") {
			_ = f.out.WriteByte('%')
			format = format[1:]
			continue
		}
		var ok bool
		if format, ok, stop = f.directive(format); !ok || stop {
			return true
		}
	}
	return false
}

// directive prints what follows a '%' and returns the rest of the format.
func (f *formatter) directive(format string) (rest string, ok, stop bool) {
	i := 0
	for i < len(format) && strings.IndexByte("-+ #0", format[i]) >= 0 {
		i++
	}
	spec := "%" + format[:i]
	number := func() {
		if i < len(format) && format[i] == '*' {
			spec += f.next()
			i++
			return
		}
		from := i
		for i < len(format) && isDigit(format[i], 10) {
			i++
		}
		spec += format[from:i]
	}
	number()
	if i < len(format) && format[i] == '.' {
		spec += "."
		i++
		number()
	}
	if i == len(format) {
		f.errorf("%%%s: missing conversion specifier", format)
		return "", false, false
	}
	verb := format[i]
	switch verb {
	case 'd', 'i':
		f.printf(spec+"d", f.integer(f.next()))
	case 'u':
		f.printf(spec+"d", uint64(f.integer(f.next())))
	case 'o', 'x', 'X':
		f.printf(spec+string(verb), uint64(f.integer(f.next())))
	case 'e', 'E', 'f', 'F', 'g', 'G':
		f.printf(spec+string(verb), f.float(f.next()))
	case 's':
		f.printf("%s", pad(spec, f.next()))
	case 'b':
		var text string
		text, stop = unescape(f.next(), true)
		f.printf("%s", pad(spec, text))
	case 'c':
		arg := f.next()
		f.printf("%s", pad(spec, arg[:min(len(arg), 1)]))
	default:
		f.errorf("%%%s: invalid directive", format[:i+1])
		f.status = 2
		return "", false, false
	}
	return format[i+1:], true, stop
}

// pad applies the width and precision of a directive to a text, in bytes as printf(1) does.
func pad(spec, text string) string {
	left := strings.Contains(spec, "-")
	width, precision, given := strings.Cut(strings.TrimLeft(spec, "%-+ #0"), ".")
	if given {
		n, _ := strconv.Atoi(precision)
		text = text[:min(len(text), max(n, 0))]
	}
	n, _ := strconv.Atoi(width)
	fill := strings.Repeat(" ", min(max(n-len(text), 0), math.MaxInt16))
	if left {
		return text + fill
	}
	return fill + text
}

// integer reads a number as C writes it, or the code of a character after a quote.
func (f *formatter) integer(arg string) int64 {
	if arg == "" {
		return 0
	}
	if arg[0] == '\'' || arg[0] == '"' {
		r, _ := utf8.DecodeRuneInString(arg[1:])
		return int64(r)
	}
	n, err := strconv.ParseInt(strings.TrimSpace(arg), 0, 64)
	if err == nil {
		return n
	}
	if u, err := strconv.ParseUint(strings.TrimSpace(arg), 0, 64); err == nil {
		return int64(u)
	}
	end := 0
	for end < len(arg) && (isDigit(arg[end], 10) || end == 0 && (arg[0] == '-' || arg[0] == '+')) {
		end++
	}
	n, _ = strconv.ParseInt(arg[:end], 10, 64)
	if end > 0 && isDigit(arg[end-1], 10) {
		f.errorf("%s: not completely converted", arg)
	} else {
		f.errorf("%s: expected numeric value", arg)
	}
	return n
}

func (f *formatter) float(arg string) float64 {
	if arg == "" {
		return 0
	}
	x, err := strconv.ParseFloat(strings.TrimSpace(arg), 64)
	if err != nil {
		f.errorf("%s: expected numeric value", arg)
	}
	return x
}
