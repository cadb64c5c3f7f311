package tools

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// sedParser reads a script.
type sedParser struct {
	text     string
	pos      int
	extended bool
	last     *regexp.Regexp // for an empty expression
}

func (p *sedParser) peek() byte {
	if p.pos < len(p.text) {
		return p.text[p.pos]
	}
	return 0
}

func (p *sedParser) skip(set string) {
	for p.pos < len(p.text) && strings.IndexByte(set, p.text[p.pos]) >= 0 {
		p.pos++
	}
}

// parse returns the commands with their targets resolved.
func (p *sedParser) parse() ([]sedCommand, error) {
	var list []sedCommand
	var open []int
	labels := make(map[string]int)
	for {
		p.skip(" \t\n;")
		if p.pos >= len(p.text) {
			break
		}
		if p.peek() == '#' {
			p.line()
			continue
		}
		c, err := p.command()
		if err != nil {
			return nil, err
		}
		switch c.name {
		case '{':
			open = append(open, len(list))
		case '}':
			if len(open) == 0 {
				return nil, errors.New("unexpected `}'")
			}
			list[open[len(open)-1]].target = len(list)
			open = open[:len(open)-1]
		case ':':
			labels[c.text] = len(list)
		}
		list = append(list, c)
	}
	if len(open) > 0 {
		p.pos = 0
		return nil, errors.New("unmatched `{'")
	}
	for i := range list {
		c := &list[i]
		if strings.IndexByte("btT", c.name) < 0 {
			continue
		}
		c.target = len(list)
		if c.text != "" {
			at, ok := labels[c.text]
			if !ok {
				return nil, fmt.Errorf("can't find label for jump to `%s'", c.text)
			}
			c.target = at
		}
	}
	return list, nil
}

// line returns the rest of the line.
func (p *sedParser) line() string {
	rest := p.text[p.pos:]
	if i := strings.IndexByte(rest, '\n'); i >= 0 {
		rest = rest[:i]
	}
	p.pos += len(rest)
	return rest
}

// word returns what stands before the end of a command.
func (p *sedParser) word() string {
	p.skip(" \t")
	from := p.pos
	for p.pos < len(p.text) && strings.IndexByte(";\n}", p.text[p.pos]) < 0 {
		p.pos++
	}
	return strings.TrimSpace(p.text[from:p.pos])
}

func (p *sedParser) command() (c sedCommand, err error) {
	if c.from, err = p.address(); err != nil {
		return c, err
	}
	if p.skip(" \t"); c.from != nil && p.peek() == ',' {
		p.pos++
		p.skip(" \t")
		if c.to, err = p.address(); err != nil {
			return c, err
		}
		if c.to == nil {
			return c, errors.New("unexpected `,'")
		}
	}
	p.skip(" \t")
	for p.peek() == '!' {
		c.not = true
		p.pos++
		p.skip(" \t")
	}
	if p.pos >= len(p.text) {
		return c, errors.New("missing command")
	}
	c.name = p.text[p.pos]
	p.pos++
	switch c.name {
	case '{', '}', '=', 'd', 'D', 'g', 'G', 'h', 'H', 'l', 'n', 'N', 'p', 'P', 'x':
	case 'a', 'i', 'c':
		c.text, err = p.insertion()
		return c, err
	case ':', 'b', 't', 'T', 'q', 'Q':
		c.text = p.word()
	case 'r', 'w':
		c.text = strings.TrimSpace(p.line())
		return c, nil
	case 's':
		if err = p.substitution(&c); err != nil {
			return c, err
		}
	case 'y':
		if err = p.transliteration(&c); err != nil {
			return c, err
		}
	default:
		return c, fmt.Errorf("unknown command: `%c'", c.name)
	}
	if p.skip(" \t"); c.name != '{' && p.pos < len(p.text) && strings.IndexByte(";\n}#", p.peek()) < 0 {
		p.pos++
		return c, errors.New("extra characters after command")
	}
	return c, nil
}

func (p *sedParser) number() int {
	from := p.pos
	p.skip("0123456789")
	n, _ := strconv.Atoi(p.text[from:p.pos])
	return n
}

func (p *sedParser) address() (*sedAddress, error) {
	switch c := p.peek(); {
	case isDigit(c, 10):
		a := &sedAddress{line: p.number()}
		if p.peek() == '~' {
			p.pos++
			a.step = p.number()
		}
		return a, nil
	case c == '$':
		p.pos++
		return &sedAddress{last: true}, nil
	case c == '+':
		p.pos++
		return &sedAddress{plus: p.number()}, nil
	case c == '/' || c == '\\':
		if c == '\\' {
			p.pos++
		}
		delim := p.peek()
		p.pos++
		text, ok := p.delimited(delim, true)
		if !ok {
			return nil, errors.New("unterminated address regex")
		}
		flags := ""
		for p.peek() == 'I' {
			flags = "i"
			p.pos++
		}
		re, err := p.compile(text, flags)
		return &sedAddress{match: re}, err
	}
	return nil, nil
}

// delimited returns the text before the next delimiter that is not escaped. In
// an expression a delimiter within brackets counts as text.
func (p *sedParser) delimited(delim byte, expression bool) (string, bool) {
	var b strings.Builder
	for p.pos < len(p.text) {
		c := p.text[p.pos]
		switch {
		case c == delim:
			p.pos++
			return b.String(), true
		case c == '\\' && p.pos+1 < len(p.text):
			next := p.text[p.pos+1]
			p.pos += 2
			switch {
			case next == delim && strings.IndexByte("|(){}+?.*[]^$&", delim) < 0:
				b.WriteByte(delim)
			case next == 'n' && expression:
				b.WriteByte('\n')
			default:
				b.WriteByte('\\')
				b.WriteByte(next)
			}
			continue
		case c == '[' && expression:
			end := bracketEnd(p.text, p.pos)
			b.WriteString(p.text[p.pos:end])
			p.pos = end
			continue
		}
		b.WriteByte(c)
		p.pos++
	}
	return "", false
}

func (p *sedParser) compile(text, flags string) (*regexp.Regexp, error) {
	if text == "" {
		if p.last == nil {
			return nil, errors.New("no previous regular expression")
		}
		return p.last, nil
	}
	expr := basicToRE2(text)
	if p.extended {
		expr = extendedToRE2(text)
	}
	if flags != "" {
		expr = "(?" + flags + ")" + expr
	}
	re, err := regexp.Compile(expr)
	if err != nil {
		return nil, errors.New(reasonRE(err))
	}
	re.Longest()
	p.last = re
	return re, nil
}

func (p *sedParser) substitution(c *sedCommand) error {
	delim := p.peek()
	p.pos++
	text, ok := p.delimited(delim, true)
	if ok {
		c.replace, ok = p.delimited(delim, false)
	}
	if !ok {
		return errors.New("unterminated `s' command")
	}
	flags := ""
	for {
		switch f := p.peek(); {
		case f == 'g':
			c.global = true
		case f == 'p':
			c.print = true
		case f == 'i' || f == 'I':
			flags += "i"
		case f == 'm' || f == 'M':
			flags += "m"
		case f == 'w':
			p.pos++
			c.text = strings.TrimSpace(p.line())
			continue
		case isDigit(f, 10):
			c.nth = p.number()
			continue
		default:
			var err error
			c.re, err = p.compile(text, flags)
			return err
		}
		p.pos++
	}
}

func (p *sedParser) transliteration(c *sedCommand) error {
	delim := p.peek()
	p.pos++
	from, ok := p.delimited(delim, false)
	to := ""
	if ok {
		to, ok = p.delimited(delim, false)
	}
	if !ok {
		return errors.New("unterminated `y' command")
	}
	unescaped := strings.NewReplacer(`\n`, "\n", `\t`, "\t", `\\`, `\`)
	c.text, c.replace = unescaped.Replace(from), unescaped.Replace(to)
	if len([]rune(c.text)) != len([]rune(c.replace)) {
		return errors.New("strings for `y' command are different lengths")
	}
	return nil
}

// insertion returns the text of a, i or c: on the same line or, after a backslash, on those that follow.
func (p *sedParser) insertion() (string, error) {
	p.skip(" \t")
	if p.peek() == '\\' {
		p.pos++
		p.skip(" \t")
		if p.peek() == '\n' {
			p.pos++
		}
	}
	if p.pos >= len(p.text) {
		return "", errors.New("expected \\ after `a', `c' or `i'")
	}
	var b strings.Builder
	for p.pos < len(p.text) && p.text[p.pos] != '\n' {
		if p.text[p.pos] == '\\' && p.pos+1 < len(p.text) {
			p.pos++
			if p.text[p.pos] == 't' {
				b.WriteByte('\t')
				p.pos++
				continue
			}
		}
		b.WriteByte(p.text[p.pos])
		p.pos++
	}
	return b.String(), nil
}
