package tools

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/caisson-dev/caisson/drivers/fake/internal/kernel"
)

// read takes the next line into the pattern space.
func (r *sedRun) read() bool {
	line, ok := r.next()
	if !ok {
		return false
	}
	r.Check()
	r.number++
	r.pattern, r.ended = chomp(line)
	r.pattern = append([]byte(nil), r.pattern...)
	r.swapped = false
	return true
}

// finish prints what a cycle ends with.
func (r *sedRun) finish() {
	if !r.has("ns") {
		r.show(r.pattern)
	}
	r.flushAppended()
}

func (r *sedRun) flushAppended() {
	for _, text := range r.appended {
		_, _ = r.out.WriteString(text)
	}
	r.appended = nil
}

func (r *sedRun) show(text []byte) {
	_, _ = r.out.Write(text)
	if r.ended || r.more() {
		_ = r.out.WriteByte('\n')
	}
}

// cycle runs the script on the pattern space.
func (r *sedRun) cycle() {
	steps := 0
	for pc := 0; pc < len(r.script); pc++ {
		if steps++; steps%1024 == 0 {
			r.Check()
		}
		c := &r.script[pc]
		if !r.selected(c) {
			if c.name == '{' {
				pc = c.target
			}
			continue
		}
		switch c.name {
		case '{', '}', ':':
		case '=':
			r.printf("%d\n", r.number)
		case 'a':
			r.appended = append(r.appended, c.text+"\n")
		case 'i':
			r.println(c.text)
		case 'c':
			if c.to == nil || !c.active || c.not {
				r.println(c.text)
			}
			r.flushAppended()
			return
		case 'd':
			r.flushAppended()
			return
		case 'D':
			at := bytes.IndexByte(r.pattern, '\n')
			if at < 0 {
				r.flushAppended()
				return
			}
			r.pattern = r.pattern[at+1:]
			r.flushAppended()
			pc = -1
		case 'g':
			r.pattern = append([]byte(nil), r.hold...)
		case 'G':
			r.pattern = append(append(r.pattern, '\n'), r.hold...)
		case 'h':
			r.hold = append([]byte(nil), r.pattern...)
		case 'H':
			r.hold = append(append(r.hold, '\n'), r.pattern...)
		case 'l':
			r.println(strings.ReplaceAll(strings.Trim(strconv.Quote(string(r.pattern)), `"`), `\"`, `"`) + "$")
		case 'n':
			if !r.more() {
				if !r.has("ns") {
					r.show(r.pattern)
				}
				r.flushAppended()
				r.quit = true
				return
			}
			r.finish()
			r.read()
		case 'N':
			if !r.more() {
				r.quit = true
				r.finish()
				return
			}
			before := r.pattern
			r.flushAppended()
			r.read()
			r.pattern = append(append(before, '\n'), r.pattern...)
		case 'p':
			r.show(r.pattern)
		case 'P':
			first, _, _ := bytes.Cut(r.pattern, []byte("\n"))
			r.printf("%s\n", first)
		case 'q', 'Q':
			r.quit = true
			r.status, _ = strconv.Atoi(c.text)
			if c.name == 'q' {
				r.finish()
			}
			return
		case 'r':
			r.appendFile(c.text)
		case 's':
			if r.substitute(c) {
				r.swapped = true
				if c.print {
					r.show(r.pattern)
				}
				if c.text != "" {
					r.writeTo(c.text)
				}
			}
		case 'b':
			pc = c.target
		case 't', 'T':
			if r.swapped == (c.name == 't') {
				pc = c.target
			}
			r.swapped = false
		case 'w':
			r.writeTo(c.text)
		case 'x':
			r.pattern, r.hold = r.hold, r.pattern
		case 'y':
			r.transliterate(c)
		}
	}
	r.finish()
}

func (r *sedRun) appendFile(name string) {
	fd, err := r.Process.Open(name, kernel.OpenFlags{Read: true})
	if err != nil {
		return // as POSIX has it
	}
	r.appended = append(r.appended, string(r.readAll(r.reporting(name, fd))))
	r.shut(fd)
}

func (r *sedRun) writeTo(name string) {
	switch name {
	case "/dev/stdout":
		r.show(r.pattern)
		return
	case "/dev/stderr":
		r.warn(string(r.pattern) + "\n")
		return
	}
	fd, ok := r.create(name, kernel.OpenFlags{Append: true})
	if ok {
		_, _ = r.Write(fd, append(append([]byte(nil), r.pattern...), '\n')) // sed does not look either
		r.shut(fd)
	}
}

func (r *sedRun) transliterate(c *sedCommand) {
	from, to := []rune(c.text), []rune(c.replace)
	r.pattern = bytes.Map(func(x rune) rune {
		for i, f := range from {
			if f == x {
				return to[i]
			}
		}
		return x
	}, r.pattern)
}

// selected reports whether a command applies to the present line.
func (r *sedRun) selected(c *sedCommand) bool {
	return r.inRange(c) != c.not
}

func (r *sedRun) inRange(c *sedCommand) bool {
	switch {
	case c.from == nil:
		return true
	case c.to == nil:
		return r.at(c.from)
	case c.active:
		if c.until > 0 && r.number >= c.until || c.until == 0 && r.at(c.to) {
			c.active = false
			return c.until == 0 || r.number == c.until
		}
		return true
	case c.from.zero() && r.number == 1: // 0,/re/ may end on the first line
		c.active = !r.at(c.to)
		return true
	case !r.at(c.from):
		return false
	}
	c.active, c.until = true, 0
	switch {
	case c.to.plus > 0:
		c.until = r.number + c.to.plus
	case c.to.line > 0:
		c.until = c.to.line
	case c.to.last && !r.more():
		c.active = false
	}
	if c.until > 0 && c.until <= r.number {
		c.active = false
	}
	return true
}

// zero reports whether it is the line before the first.
func (a *sedAddress) zero() bool {
	return a.line == 0 && !a.last && a.step == 0 && a.match == nil
}

func (r *sedRun) at(a *sedAddress) bool {
	switch {
	case a.last:
		return !r.more()
	case a.match != nil:
		return a.match.Match(r.pattern)
	case a.step > 0:
		return r.number >= a.line && (r.number-a.line)%a.step == 0
	default:
		return r.number == a.line
	}
}

// substitute runs an s command and reports whether it replaced something.
func (r *sedRun) substitute(c *sedCommand) bool {
	var b []byte
	last, count, done := 0, 0, false
	for _, m := range c.re.FindAllSubmatchIndex(r.pattern, -1) {
		count++
		if count < c.nth {
			continue
		}
		b = append(b, r.pattern[last:m[0]]...)
		b = append(b, expandReplacement(c.replace, r.pattern, m)...)
		last, done = m[1], true
		if !c.global {
			break
		}
	}
	if done {
		r.pattern = append(b, r.pattern[last:]...)
	}
	return done
}

// expandReplacement replaces & and \1 to \9, and changes case by \U, \L, \u, \l and \E.
func expandReplacement(text string, src []byte, m []int) []byte {
	var b []byte
	var mode, once byte
	add := func(part []byte) {
		switch mode {
		case 'U':
			part = bytes.ToUpper(part)
		case 'L':
			part = bytes.ToLower(part)
		}
		if once != 0 && len(part) > 0 {
			head := bytes.ToUpper(part[:1])
			if once == 'l' {
				head = bytes.ToLower(part[:1])
			}
			part = append(append([]byte(nil), head...), part[1:]...)
			once = 0
		}
		b = append(b, part...)
	}
	group := func(n int) []byte {
		if 2*n+1 >= len(m) || m[2*n] < 0 {
			return nil
		}
		return src[m[2*n]:m[2*n+1]]
	}
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '&':
			add(group(0))
		case c != '\\' || i+1 == len(text):
			add([]byte{c})
		default:
			i++
			switch c = text[i]; {
			case isDigit(c, 10):
				add(group(int(c - '0')))
			case c == 'n':
				add([]byte{'\n'})
			case c == 't':
				add([]byte{'\t'})
			case c == 'U' || c == 'L':
				mode = c
			case c == 'E':
				mode = 0
			case c == 'u' || c == 'l':
				once = c
			default:
				add([]byte{c})
			}
		}
	}
	return b
}
