package tools

import (
	"regexp"
	"strconv"
	"strings"
)

// expr evaluates an expression and prints its value.
func expr(t *tool) {
	if len(t.args) > 0 && t.args[0] == "--" {
		t.args = t.args[1:]
	}
	if len(t.args) == 0 {
		t.usage("missing operand")
		return
	}
	e := calculator{tool: t, args: t.args}
	value := e.binary(0)
	if !e.failed && len(e.args) > 0 {
		e.fail("syntax error: unexpected argument %s", quote(e.args[0]))
	}
	if e.failed {
		t.status = 2
		return
	}
	t.println(value)
	if value == "" || value == "0" {
		t.status = 1
	}
}

type calculator struct {
	*tool
	args   []string
	depth  int
	failed bool
}

// maxNesting bounds the parentheses and negations of an expression.
const maxNesting = 1000

func (e *calculator) fail(format string, args ...any) string {
	if !e.failed {
		e.errorf(format, args...)
	}
	e.failed, e.args = true, nil
	return ""
}

// operators by precedence, from the weakest.
var operators = [][]string{{"|"}, {"&"}, {"<", "<=", "=", "==", "!=", ">=", ">"}, {"+", "-"}, {"*", "/", "%"}, {":"}}

func (e *calculator) binary(level int) string {
	if level == len(operators) {
		return e.primary()
	}
	left := e.binary(level + 1)
	for len(e.args) > 0 {
		op := ""
		for _, o := range operators[level] {
			if e.args[0] == o {
				op = o
			}
		}
		if op == "" {
			break
		}
		e.args = e.args[1:]
		if len(e.args) == 0 {
			return e.fail("syntax error: missing argument after %s", quote(op))
		}
		left = e.apply(left, op, e.binary(level+1))
	}
	return left
}

func (e *calculator) apply(left, op, right string) string {
	if e.failed {
		return ""
	}
	null := func(s string) bool { return s == "" || s == "0" }
	a, errA := strconv.ParseInt(left, 10, 64)
	b, errB := strconv.ParseInt(right, 10, 64)
	switch op {
	case "|":
		if !null(left) {
			return left
		}
		if null(right) {
			return "0"
		}
		return right
	case "&":
		if null(left) || null(right) {
			return "0"
		}
		return left
	case ":":
		return e.match(left, right)
	case "<", "<=", "=", "==", "!=", ">=", ">":
		c := strings.Compare(left, right)
		if errA == nil && errB == nil {
			c = int(min(max(a-b, -1), 1))
		}
		yes := map[string]bool{"<": c < 0, "<=": c <= 0, "=": c == 0, "==": c == 0, "!=": c != 0, ">=": c >= 0, ">": c > 0}[op]
		return strconv.FormatInt(int64(map[bool]int{true: 1}[yes]), 10)
	}
	if errA != nil || errB != nil {
		return e.fail("non-integer argument")
	}
	switch op {
	case "+":
		a += b
	case "-":
		a -= b
	case "*":
		a *= b
	default:
		if b == 0 {
			return e.fail("division by zero")
		}
		if op == "/" {
			a /= b
		} else {
			a %= b
		}
	}
	return strconv.FormatInt(a, 10)
}

// match anchors a basic expression at the beginning and returns its group, or how much matches.
func (e *calculator) match(text, pattern string) string {
	re, err := regexp.Compile("^(?:" + basicToRE2(strings.TrimPrefix(pattern, "^")) + ")")
	if err != nil {
		return e.fail("%s", reasonRE(err))
	}
	m := re.FindStringSubmatch(text)
	switch {
	case re.NumSubexp() > 0 && m == nil:
		return ""
	case re.NumSubexp() > 0:
		return m[1]
	case m == nil:
		return "0"
	default:
		return strconv.Itoa(len([]rune(m[0])))
	}
}

func (e *calculator) primary() string {
	next := func() string {
		if len(e.args) == 0 {
			return e.fail("syntax error: missing argument")
		}
		word := e.args[0]
		e.args = e.args[1:]
		return word
	}
	word := next()
	if len(e.args) == 0 && word != "(" {
		return word
	}
	switch word {
	case "length", "match", "index", "substr":
		if e.depth++; e.depth > maxNesting {
			return e.fail("expression nested too deeply")
		}
		defer func() { e.depth-- }()
	}
	switch word {
	case "(":
		if e.depth++; e.depth > maxNesting {
			return e.fail("expression nested too deeply")
		}
		value := e.binary(0)
		e.depth--
		if !e.failed && next() != ")" {
			return e.fail("syntax error: expecting ')'")
		}
		return value
	case "length":
		return strconv.Itoa(len([]rune(e.primary())))
	case "match":
		text := e.primary()
		return e.match(text, e.primary())
	case "index":
		text := e.primary()
		return strconv.Itoa(strings.IndexAny(text, e.primary()) + 1)
	case "substr":
		text := []rune(e.primary())
		from, err := strconv.Atoi(e.primary())
		n, err2 := strconv.Atoi(e.primary())
		if err != nil || err2 != nil || from < 1 || n < 1 || from > len(text) {
			return ""
		}
		return string(text[from-1 : min(from-1+n, len(text))])
	}
	return word
}
