package tools

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// seq prints numbers.
func seq(t *tool) {
	if !t.seqOptions() {
		return
	}
	var nums []float64
	var decimals int
	for _, arg := range t.args {
		x, err := strconv.ParseFloat(arg, 64)
		if err != nil {
			t.usage("invalid floating point argument: %s", quote(arg))
			return
		}
		if _, frac, ok := strings.Cut(arg, "."); ok && len(nums) < 2 {
			decimals = max(decimals, len(frac))
		}
		nums = append(nums, x)
	}
	var last float64
	first, step := 1.0, 1.0
	switch len(nums) {
	case 0:
		t.missing()
		return
	case 1:
		last = nums[0]
	case 2:
		first, last = nums[0], nums[1]
	case 3:
		first, step, last = nums[0], nums[1], nums[2]
		if step == 0 {
			t.usage("invalid Zero increment value: %s", quote(t.args[1]))
			return
		}
	default:
		t.usage("extra operand %s", quote(t.args[3]))
		return
	}
	sep := t.value('s', "\n")
	width := 0
	show := func(x float64) string {
		if t.has("f") {
			return fmt.Sprintf(t.value('f', "%g"), x)
		}
		return strconv.FormatFloat(x, 'f', decimals, 64)
	}
	if t.has("w") {
		width = max(len(show(first)), len(show(last)))
	}
	for i := 0; ; i++ {
		x := first + float64(i)*step
		if step > 0 && x > last+1e-9 || step < 0 && x < last-1e-9 {
			if i > 0 {
				_ = t.out.WriteByte('\n')
			}
			return
		}
		if i > 0 {
			_, _ = t.out.WriteString(sep)
		}
		text := show(x)
		_, _ = t.out.WriteString(strings.Repeat("0", max(width-len(text), 0)) + text)
		if i%1024 == 0 {
			t.Check()
		}
	}
}

// seqOptions takes the options, which negative numbers must not be taken for.
func (t *tool) seqOptions() bool {
	split := 0
	for split < len(t.args) && len(t.args[split]) > 1 && t.args[split][0] == '-' && strings.IndexByte("fsw-", t.args[split][1]) >= 0 {
		switch arg := t.args[split]; arg {
		case "-f", "-s":
			split++
		}
		split++
	}
	numbers := t.args[min(split, len(t.args)):]
	t.args = t.args[:min(split, len(t.args))]
	ok := t.parse(entry{flags: "f:s:w", long: "format=f separator=s equal-width=w"})
	t.args = numbers
	return ok
}

// yes prints a line for ever.
func yes(t *tool) {
	text := "y"
	if len(t.args) > 0 {
		text = strings.Join(t.args, " ")
	}
	line := []byte(text + "\n")
	block := bytes.Repeat(line, max(outSize/4/len(line), 1))
	for {
		if _, err := t.Write(1, block); err != nil {
			t.writeFailed(err)
			return
		}
	}
}
