package tools

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/caisson-dev/caisson/drivers/fake/internal/kernel"
)

// dd copies blocks.
func dd(t *tool) {
	sizes := map[string]int64{"bs": 512, "count": -1, "skip": 0, "seek": 0, "ibs": 0, "obs": 0}
	texts := map[string]string{"if": "", "of": "", "conv": "", "status": "", "iflag": "", "oflag": ""}
	for _, arg := range t.args {
		key, value, ok := strings.Cut(arg, "=")
		if _, isText := texts[key]; ok && isText {
			texts[key] = value
			continue
		}
		if _, isSize := sizes[key]; !ok || !isSize {
			t.usage("unrecognized operand %s", quote(arg))
			return
		}
		n, ok := parseSize(value)
		if !ok {
			t.errorf("invalid number: %s", quote(value))
			return
		}
		sizes[key] = n
	}
	if sizes["ibs"] > 0 {
		sizes["bs"] = sizes["ibs"]
	}
	bs := sizes["bs"]
	if bs == 0 {
		t.errorf("invalid number: %s", quote("0"))
		return
	}
	in, out, ok := t.ddFiles(texts, sizes["seek"]*bs)
	if !ok {
		return
	}
	if sizes["skip"] > 0 {
		if _, err := t.Seek(in, sizes["skip"]*bs, io.SeekStart); err != nil {
			t.skipBytes(t.reporting(texts["if"], in), sizes["skip"]*bs)
		}
	}
	t.Charge(bs)
	start := time.Now()
	buf := make([]byte, bs)
	var full, partial, fullOut, partialOut, total int64
	full1 := strings.Contains(texts["iflag"], "fullblock")
	for sizes["count"] < 0 || full+partial < sizes["count"] {
		n, err := t.Read(in, buf)
		for full1 && err == nil && n < len(buf) {
			var more int
			more, err = t.Read(in, buf[n:])
			n += more
		}
		if n == 0 {
			if err != nil && err != io.EOF { //nolint:errorlint // Read does not wrap it
				t.errorf("error reading %s: %s", quoteName(texts["if"]), kernel.Reason(err))
			}
			break
		}
		if int64(n) == bs {
			full++
		} else {
			partial++
		}
		block := convert(buf[:n], texts["conv"], bs)
		k, werr := t.Write(out, block)
		total += int64(k)
		if werr != nil {
			name := texts["of"]
			if name == "" {
				name = "standard output"
			}
			t.errorf("error writing %s: %s", quoteName(name), kernel.Reason(werr))
			break
		}
		if int64(k) == bs {
			fullOut++
		} else {
			partialOut++
		}
	}
	if texts["status"] == "none" {
		return
	}
	t.warn(fmt.Sprintf("%d+%d records in\n%d+%d records out\n", full, partial, fullOut, partialOut))
	if texts["status"] != "noxfer" {
		t.warn(ddSummary(total, time.Since(start).Seconds()))
	}
}

func ddSummary(total int64, seconds float64) string {
	text := fmt.Sprintf("%d bytes", total)
	if total == 1 {
		text = "1 byte"
	}
	if total >= 1000 {
		text += fmt.Sprintf(" (%s)", decimal(float64(total), "B"))
	}
	return fmt.Sprintf("%s copied, %s s, %s\n", text, strconv.FormatFloat(seconds, 'g', 6, 64), decimal(float64(total)/max(seconds, 1e-9), "B/s"))
}

func decimal(x float64, unit string) string {
	i := 0
	for x >= 1000 && i < 4 {
		x /= 1000
		i++
	}
	return fmt.Sprintf("%s %s%s", strconv.FormatFloat(x, 'g', 2, 64), []string{"", "k", "M", "G", "T"}[i], unit)
}

func (t *tool) ddFiles(texts map[string]string, seek int64) (in, out int, ok bool) {
	out = 1
	if name := texts["if"]; name != "" {
		var err error
		if in, err = t.Process.Open(name, kernel.OpenFlags{Read: true}); err != nil {
			t.errorf("failed to open %s: %s", quoteName(name), kernel.Reason(err))
			return 0, 0, false
		}
	}
	if name := texts["of"]; name != "" {
		var err error
		flags := kernel.OpenFlags{Write: true, Create: true, Mode: 0o666, Append: strings.Contains(texts["oflag"], "append")}
		flags.Truncate = !strings.Contains(texts["conv"], "notrunc") && seek == 0
		if out, err = t.Process.Open(name, flags); err != nil {
			t.errorf("failed to open %s: %s", quoteName(name), kernel.Reason(err))
			return 0, 0, false
		}
		if seek > 0 {
			if !strings.Contains(texts["conv"], "notrunc") {
				if err := t.Truncate(out, seek); err != nil {
					t.errorf("failed to truncate to %d bytes in output file %s: %s", seek, quoteName(name), kernel.Reason(err))
					return 0, 0, false
				}
			}
			_, _ = t.Seek(out, seek, io.SeekStart) // it is regular, or it does not matter
		}
	}
	return in, out, true
}

func convert(block []byte, conv string, bs int64) []byte {
	for name := range strings.SplitSeq(conv, ",") {
		switch name {
		case "ucase":
			block = bytes.ToUpper(block)
		case "lcase":
			block = bytes.ToLower(block)
		case "sync":
			block = append(block, make([]byte, bs-int64(len(block)))...)
		}
	}
	return block
}

// od dumps bytes: octal by default, or as -t says.
func od(t *tool) {
	format := t.value('t', "o2")
	for flag, f := range map[string]string{"x": "x2", "c": "c", "b": "o1", "d": "u2", "o": "o2"} {
		if t.has(flag) {
			format = f
		}
	}
	radix := t.value('A', "o")
	limit := int64(1 << 62)
	if v := t.value('N', ""); v != "" {
		var ok bool
		if limit, ok = parseSize(v); !ok {
			t.errorf("invalid -N argument %s", quote(v))
			return
		}
	}
	var all []byte
	t.inputs(func(_ string, r io.Reader) { all = append(all, t.readAll(io.LimitReader(r, limit-int64(len(all))))...) })
	if v := t.value('j', ""); v != "" {
		skip, _ := parseSize(v)
		all = all[min(skip, int64(len(all))):]
	}
	const row = 16
	address := func(n int) string {
		switch radix {
		case "n":
			return ""
		case "x":
			return fmt.Sprintf("%06x", n)
		case "d":
			return fmt.Sprintf("%07d", n)
		default:
			return fmt.Sprintf("%07o", n)
		}
	}
	starred := false
	for at := 0; at < len(all); at += row {
		part := all[at:min(at+row, len(all))]
		if at > 0 && len(part) == row && bytes.Equal(part, all[at-row:at]) && !t.has("v") {
			if !starred {
				t.println("*")
			}
			starred = true
			continue
		}
		starred = false
		t.println(address(at) + odRow(part, format))
	}
	if radix != "n" {
		t.println(address(len(all)))
	}
}

func odRow(part []byte, format string) string {
	var b strings.Builder
	if format == "c" || format == "a" {
		for _, c := range part {
			fmt.Fprintf(&b, "%4s", odChar(c))
		}
		return b.String()
	}
	size := 1
	if n, err := strconv.Atoi(format[1:]); err == nil {
		size = n
	} else if len(format) == 1 {
		size = 4
	}
	for i := 0; i < len(part); i += size {
		var n uint64
		for k := size - 1; k >= 0; k-- {
			n <<= 8
			if i+k < len(part) {
				n |= uint64(part[i+k])
			}
		}
		switch format[0] {
		case 'x':
			fmt.Fprintf(&b, " %0*x", 2*size, n)
		case 'u':
			fmt.Fprintf(&b, " %*d", []int{0, 3, 5, 0, 10, 0, 0, 0, 20}[min(size, 8)], n)
		case 'd':
			shift := 64 - 8*size
			fmt.Fprintf(&b, " %*d", []int{0, 4, 6, 0, 11, 0, 0, 0, 20}[min(size, 8)], int64(n<<shift)>>shift)
		default:
			fmt.Fprintf(&b, " %0*o", []int{0, 3, 6, 0, 11, 0, 0, 0, 22}[min(size, 8)], n)
		}
	}
	return b.String()
}

func odChar(c byte) string {
	if at := strings.IndexByte("\x00\a\b\t\n\v\f\r", c); at >= 0 {
		return `\` + string("0abtnvfr"[at])
	}
	if c < 32 || c > 126 {
		return fmt.Sprintf("%03o", c)
	}
	return string(c)
}

// compareTool is cmp.
func compareTool(t *tool) {
	if len(t.args) < 2 {
		t.usage("missing operand after %s", quoteName(t.name))
		return
	}
	var data [2][]byte
	for i, name := range t.args[:2] {
		fd, ok := t.open(name)
		if !ok {
			t.status = 2
			return
		}
		data[i] = t.readAll(t.reporting(name, fd))
		t.shut(fd)
	}
	a, b := data[0], data[1]
	line := 1
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			t.status = 1
			if t.has("l") {
				t.printf("%d %3o %3o\n", i+1, a[i], b[i])
				continue
			}
			if !t.has("s") {
				t.printf("%s %s differ: byte %d, line %d\n", t.args[0], t.args[1], i+1, line)
			}
			return
		}
		if a[i] == '\n' {
			line++
		}
	}
	if len(a) != len(b) {
		shorter, n := t.args[0], len(a)
		if len(b) < len(a) {
			shorter, n = t.args[1], len(b)
		}
		t.status = 1
		if !t.has("s") {
			t.flush()
			where := fmt.Sprintf("after byte %d, line %d", n, max(line-1, 1))
			if n == 0 {
				where = "which is empty"
			}
			t.warn(fmt.Sprintf("cmp: EOF on %s %s\n", shorter, where))
		}
	}
}
