package tools

import (
	"bytes"
	"io"
	"strings"
	"time"

	"github.com/caisson-dev/caisson/drivers/fake/internal/kernel"
)

// legacyCount turns "-5" into "-n5", as head and tail still take it.
func legacyCount(args []string) []string {
	if len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' && strings.Trim(args[0][1:], "0123456789") == "" {
		return append([]string{"-n" + args[0][1:]}, args[1:]...)
	}
	return args
}

// count returns how many lines or bytes head and tail are to show, and a sign before the number.
func (t *tool) count() (n int64, sign byte, inBytes, ok bool) {
	spec, what := t.value('n', "10"), "lines"
	for _, o := range t.options {
		switch o.flag {
		case 'c':
			spec, what = o.value, "bytes"
		case 'n':
			spec, what = o.value, "lines"
		}
	}
	number := spec
	if spec != "" && (spec[0] == '-' || spec[0] == '+') {
		sign, number = spec[0], spec[1:]
	}
	n, ok = parseSize(number)
	if !ok {
		t.errorf("invalid number of %s: %s", what, quote(spec))
	}
	return n, sign, what == "bytes", ok
}

// heads prints "==> name <==" before inputs if there are several.
func (t *tool) heads(f func(fd int, name string)) {
	names := t.args
	if len(names) == 0 {
		names = []string{"-"}
	}
	first := true
	for _, name := range names {
		fd := 0
		if name != "-" {
			var err error
			if fd, err = t.Process.Open(name, kernel.OpenFlags{Read: true}); err != nil {
				t.errorf("cannot open %s for reading: %s", quoteName(name), kernel.Reason(err))
				continue
			}
		}
		if info, err := t.Stat(name); name != "-" && err == nil && info.IsDir() {
			t.errorf("error reading %s: Is a directory", quoteName(name))
			t.shut(fd)
			continue
		}
		if len(names) > 1 && !t.has("q") || t.has("v") {
			if !first {
				t.println("")
			}
			shown := name
			if name == "-" {
				shown = "standard input"
			}
			t.printf("==> %s <==\n", shown)
		}
		first = false
		f(fd, name)
		t.shut(fd)
	}
}

// head prints the beginning of its inputs.
func head(t *tool) {
	t.args = legacyCount(t.args)
	if !t.parse(entry{flags: "n:c:qvz", long: "lines=n bytes=c quiet=q silent=q verbose=v"}) {
		return
	}
	n, sign, inBytes, ok := t.count()
	if !ok {
		return
	}
	t.heads(func(fd int, name string) {
		r := t.reporting(name, fd)
		switch {
		case sign == '-':
			t.allBut(r, n, inBytes)
		case inBytes:
			t.firstBytes(r, n)
		default:
			t.firstLines(r, fd, n)
		}
	})
}

func (t *tool) firstBytes(r io.Reader, n int64) {
	buf := make([]byte, outSize)
	for n > 0 {
		k, err := r.Read(buf[:min(int64(len(buf)), n)])
		_, _ = t.out.Write(buf[:k])
		n -= int64(k)
		if err != nil {
			return
		}
	}
}

// firstLines leaves a file that it shares with others where the lines end.
func (t *tool) firstLines(r io.Reader, fd int, n int64) {
	buf := make([]byte, outSize)
	for n > 0 {
		k, err := r.Read(buf)
		rest := buf[:k]
		for n > 0 && len(rest) > 0 {
			at := bytes.IndexByte(rest, '\n') + 1
			if at == 0 {
				at = len(rest)
			} else {
				n--
			}
			_, _ = t.out.Write(rest[:at])
			rest = rest[at:]
		}
		if n == 0 {
			_, _ = t.Seek(fd, -int64(len(rest)), io.SeekCurrent) // a pipe cannot, nor does it matter
		}
		if err != nil {
			return
		}
	}
}

// allBut prints everything but the last n lines or bytes.
func (t *tool) allBut(r io.Reader, n int64, inBytes bool) {
	all := t.readAll(r)
	if inBytes {
		_, _ = t.out.Write(all[:max(int64(len(all))-n, 0)])
		return
	}
	_, _ = t.out.Write(all[:len(all)-len(lastLines(all, n))])
}

// lastLines returns the last n lines of a text.
func lastLines(all []byte, n int64) []byte {
	if n == 0 {
		return nil
	}
	end := len(all)
	if end > 0 && all[end-1] == '\n' {
		end--
	}
	for end >= 0 {
		at := bytes.LastIndexByte(all[:end], '\n')
		if n--; n == 0 || at < 0 {
			return all[at+1:]
		}
		end = at
	}
	return all
}

// tailPoll is how often tail -f looks for more.
const tailPoll = 100 * time.Millisecond

// tail prints the end of its inputs.
func tail(t *tool) {
	t.args = legacyCount(t.args)
	if !t.parse(entry{flags: "n:c:fFqvz", long: "lines=n bytes=c follow=f quiet=q silent=q verbose=v"}) {
		return
	}
	n, sign, inBytes, ok := t.count()
	if !ok {
		return
	}
	t.heads(func(fd int, name string) {
		r := t.reporting(name, fd)
		switch {
		case sign == '+' && inBytes:
			t.skipBytes(r, n-1)
			t.copy(r)
		case sign == '+':
			skip := n - 1
			t.lines(r, func(line []byte) bool {
				if skip > 0 {
					skip--
				} else {
					_, _ = t.out.Write(line)
				}
				return true
			})
		default:
			_, _ = t.out.Write(t.last(r, n, inBytes))
		}
		if t.has("fF") && name != "-" {
			t.flush()
			for {
				t.Sleep(tailPoll)
				t.copy(r)
			}
		}
	})
}

func (t *tool) skipBytes(r io.Reader, n int64) {
	_, _ = io.CopyN(io.Discard, r, n) // a shorter one has nothing to show
}

// last keeps the end of a stream only, as far as it can.
func (t *tool) last(r io.Reader, n int64, inBytes bool) []byte {
	var kept []byte
	buf := make([]byte, outSize)
	lines := int64(0)
	for {
		k, err := r.Read(buf)
		t.Charge(int64(k))
		kept = append(kept, buf[:k]...)
		lines += int64(bytes.Count(buf[:k], []byte("\n")))
		var want []byte
		switch {
		case inBytes:
			want = kept[max(int64(len(kept))-n, 0):]
		case lines > 2*n+1000 || err != nil:
			want = lastLines(kept, n)
			lines = int64(bytes.Count(want, []byte("\n")))
		default:
			want = kept
		}
		if err != nil {
			return want
		}
		if len(want) < len(kept)/2 {
			t.Charge(-int64(len(kept) - len(want)))
			kept = append([]byte(nil), want...)
		}
	}
}
