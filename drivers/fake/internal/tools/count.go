package tools

import (
	"bytes"
	"io"
	"strconv"
	"unicode/utf8"
)

type counts struct{ lines, words, chars, bytes, longest int64 }

// wc counts lines, words and bytes.
func wc(t *tool) {
	if len(t.options) == 0 {
		t.options = []option{{flag: 'l'}, {flag: 'w'}, {flag: 'c'}}
	}
	type row struct {
		counts
		name string
	}
	var rows []row
	var total counts
	t.inputs(func(name string, r io.Reader) {
		c := t.countAll(r)
		total.lines += c.lines
		total.words += c.words
		total.chars += c.chars
		total.bytes += c.bytes
		total.longest = max(total.longest, c.longest)
		if len(t.args) == 0 {
			name = ""
		}
		rows = append(rows, row{c, name})
	})
	if len(t.args) > 1 {
		rows = append(rows, row{total, "total"})
	}
	width := 1
	if len(rows) > 1 || columns(t) > 1 {
		width = len(strconv.FormatInt(total.bytes, 10))
		if len(t.args) == 0 || len(t.args) == 1 && t.args[0] == "-" {
			width = 7 // whose size is not known beforehand
		}
	}
	for _, row := range rows {
		sep := ""
		for _, column := range []struct {
			flag string
			n    int64
		}{{"l", row.lines}, {"w", row.words}, {"m", row.chars}, {"c", row.bytes}, {"L", row.longest}} {
			if t.has(column.flag) {
				t.printf("%s%*d", sep, width, column.n)
				sep = " "
			}
		}
		if row.name != "" {
			t.printf(" %s", row.name)
		}
		t.println("")
	}
}

func columns(t *tool) int {
	n := 0
	for _, flag := range []string{"l", "w", "m", "c", "L"} {
		if t.has(flag) {
			n++
		}
	}
	return n
}

func (t *tool) countAll(r io.Reader) (c counts) {
	buf := make([]byte, outSize)
	inWord := false
	column := int64(0)
	for {
		n, err := r.Read(buf)
		c.bytes += int64(n)
		for _, b := range buf[:n] {
			if utf8.RuneStart(b) {
				c.chars++
				column++
			}
			switch b {
			case '\n':
				c.lines++
				c.longest = max(c.longest, column-1)
				column = 0
				inWord = false
			case ' ', '\t', '\r', '\v', '\f':
				inWord = false
			default:
				if !inWord {
					c.words++
				}
				inWord = true
			}
		}
		if err != nil {
			c.longest = max(c.longest, column)
			return c
		}
	}
}

// nl numbers lines that are not empty, with -ba all.
func nl(t *tool) {
	number := int64(1)
	if v := t.value('v', ""); v != "" {
		number, _ = strconv.ParseInt(v, 10, 64)
	}
	width, err := strconv.Atoi(t.value('w', "6"))
	if err != nil {
		t.errorf("invalid line number field width: %s", quote(t.value('w', "")))
		return
	}
	sep := t.value('s', "\t")
	t.inputs(func(_ string, r io.Reader) {
		t.lines(r, func(line []byte) bool {
			text, _ := chomp(line)
			if len(text) == 0 && t.value('b', "t") != "a" {
				t.printf("%*s\n", width+len(sep), "")
				return true
			}
			t.printf("%*d%s%s\n", width, number, sep, text)
			number++
			return true
		})
	})
}

// tac prints lines in reverse order.
func tac(t *tool) {
	t.inputs(func(_ string, r io.Reader) {
		all := t.readAll(r)
		for len(all) > 0 {
			at := bytes.LastIndexByte(all[:len(all)-1], '\n') + 1
			_, _ = t.out.Write(all[at:])
			all = all[:at]
		}
	})
}

// rev reverses each line.
func rev(t *tool) {
	t.inputs(func(_ string, r io.Reader) {
		t.lines(r, func(line []byte) bool {
			text, ended := chomp(line)
			runes := []rune(string(text))
			for i := len(runes) - 1; i >= 0; i-- {
				_, _ = t.out.WriteRune(runes[i])
			}
			if ended {
				_ = t.out.WriteByte('\n')
			}
			return true
		})
	})
}
