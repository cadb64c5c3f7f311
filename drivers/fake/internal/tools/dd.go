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
