package tools

import "io"

// cat copies its inputs as they come.
func cat(t *tool) {
	number := 0
	blank := false
	t.inputs(func(_ string, r io.Reader) {
		if !t.has("bnsvAETet") {
			t.copy(r)
			return
		}
		t.lines(r, func(line []byte) bool {
			text, ended := chomp(line)
			if t.has("s") && len(text) == 0 && blank {
				return true
			}
			blank = len(text) == 0
			if t.has("n") && !t.has("b") || t.has("b") && !blank {
				number++
				t.printf("%6d\t", number)
			}
			_, _ = t.out.Write(visible(text, t.has("ATt")))
			if ended {
				if t.has("AEe") {
					_ = t.out.WriteByte('$')
				}
				_ = t.out.WriteByte('\n')
			}
			return true
		})
	})
}

func visible(text []byte, tabs bool) []byte {
	if !tabs {
		return text
	}
	var b []byte
	for _, c := range text {
		if c == '\t' {
			b = append(b, "^I"...)
		} else {
			b = append(b, c)
		}
	}
	return b
}

// copy writes what r gives at once, and reports what cannot be written.
func (t *tool) copy(r io.Reader) {
	t.flush()
	buf := make([]byte, outSize)
	for {
		n, err := r.Read(buf)
		if n > 0 {
			if _, werr := t.Write(1, buf[:n]); werr != nil {
				t.writeFailed(werr)
				return
			}
		}
		if err != nil {
			return
		}
	}
}
