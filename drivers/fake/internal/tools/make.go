package tools

import (
	"crypto/rand"
	"errors"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/caisson-dev/caisson/drivers/fake/internal/kernel"
)

// mkdir makes directories, with -p their parents too.
func mkdir(t *tool) {
	if len(t.args) == 0 {
		t.missing()
		return
	}
	for _, name := range t.args {
		err := t.makeDir(name, t.has("p"))
		if err != nil {
			continue
		}
		if t.has("m") {
			mode, err := ParseMode(t.value('m', ""), 0o777, true)
			if err != nil {
				t.usage("invalid mode %s", quote(t.value('m', "")))
				return
			}
			_ = t.Chmod(name, mode) // it is the caller's
		}
		if t.has("v") {
			t.printf("mkdir: created directory %s\n", quoteName(name))
		}
	}
}

func (t *tool) makeDir(name string, parents bool) error {
	err := t.Mkdir(name, 0o777)
	if parents && err != nil {
		if info, statErr := t.Stat(name); statErr == nil && info.IsDir() {
			return nil
		}
		parent := path.Dir(strings.TrimRight(name, "/"))
		if errors.Is(err, kernel.ENOTDIR) {
			name = parent // which is in the way
		}
		if errors.Is(err, kernel.ENOENT) && parent != name && parent != "." {
			if err := t.makeDir(parent, true); err != nil {
				return err
			}
			err = t.Mkdir(name, 0o777)
		}
	}
	if err != nil {
		t.errorf("cannot create directory %s: %s", quote(name), kernel.Reason(err))
	}
	return err
}

// touch sets times and makes files that are not there.
func touch(t *tool) {
	if len(t.args) == 0 {
		t.usage("missing file operand")
		return
	}
	at := time.Now()
	if t.has("d") {
		var ok bool
		if at, ok = parseDate(t.value('d', "")); !ok {
			t.errorf("invalid date format %s", quote(t.value('d', "")))
			return
		}
	}
	if t.has("t") {
		var ok bool
		if at, ok = parseStamp(t.value('t', "")); !ok {
			t.errorf("invalid date format %s", quote(t.value('t', "")))
			return
		}
	}
	if t.has("r") {
		info, err := t.Stat(t.value('r', ""))
		if err != nil {
			t.errorf("failed to get attributes of %s: %s", quoteName(t.value('r', "")), kernel.Reason(err))
			return
		}
		at = info.ModTime
	}
	for _, name := range t.args {
		if _, err := t.Stat(name); errors.Is(err, kernel.ENOENT) {
			if t.has("ch") {
				continue
			}
			fd, err := t.Process.Open(name, kernel.OpenFlags{Write: true, Create: true, Mode: 0o666})
			if err != nil {
				t.errorf("cannot touch %s: %s", quoteName(name), kernel.Reason(err))
				continue
			}
			t.shut(fd)
		}
		if err := t.Touch(name, !t.has("h"), at); err != nil {
			t.errorf("cannot touch %s: %s", quoteName(name), kernel.Reason(err))
		}
	}
}

// parseStamp reads [[CC]YY]MMDDhhmm[.ss].
func parseStamp(text string) (time.Time, bool) {
	digits, seconds, _ := strings.Cut(text, ".")
	if seconds == "" {
		seconds = "00"
	}
	switch len(digits) {
	case 8:
		digits = strconv.Itoa(time.Now().Year()) + digits
	case 10:
		digits = "20" + digits
	}
	at, err := time.Parse("200601021504.05", digits+"."+seconds)
	return at, err == nil
}

// mkfifo makes FIFOs.
func mkfifo(t *tool) {
	if len(t.args) == 0 {
		t.missing()
		return
	}
	for _, name := range t.args {
		if err := t.Mkfifo(name, 0o666); err != nil {
			t.errorf("cannot create fifo %s: %s", quoteName(name), kernel.Reason(err))
		}
	}
}

// mktemp makes a file or directory of a new name.
func mktemp(t *tool) {
	template := "tmp.XXXXXXXXXX"
	dir := ""
	switch {
	case len(t.args) > 1:
		t.usage("too many templates")
		return
	case len(t.args) == 1:
		template = t.args[0]
	}
	if len(t.args) == 0 || t.has("tp") {
		dir = "/tmp"
		if tmp, ok := t.Getenv("TMPDIR"); ok && tmp != "" {
			dir = tmp
		}
		if p := t.value('p', ""); p != "" {
			dir = p
		}
	}
	at := strings.LastIndex(template, "XXX")
	if at < 0 {
		t.errorf("too few X's in template %s", quote(template))
		return
	}
	end := at + len("XXX")
	for at > 0 && template[at-1] == 'X' {
		at--
	}
	for range 100 {
		name := template[:at] + rand.Text()[:end-at] + template[end:]
		if dir != "" {
			name = strings.TrimRight(dir, "/") + "/" + name
		}
		var err error
		kind := "file"
		switch {
		case t.has("u"):
		case t.has("d"):
			kind = "directory"
			err = t.Mkdir(name, 0o700)
		default:
			var fd int
			if fd, err = t.Process.Open(name, kernel.OpenFlags{Write: true, Create: true, Exclusive: true, Mode: 0o600}); err == nil {
				t.shut(fd)
			}
		}
		switch {
		case err == nil:
			t.println(name)
			return
		case !errors.Is(err, kernel.EEXIST):
			if !t.has("q") {
				t.errorf("failed to create %s via template %s: %s", kind, quote(path.Join(dir, template)), kernel.Reason(err))
			}
			t.status = 1
			return
		}
	}
}

// truncate sets the size of files.
func truncate(t *tool) {
	spec := t.value('s', "")
	if spec == "" {
		t.usage("you must specify either ‘--size’ or ‘--reference’")
		return
	}
	relative := strings.TrimLeft(spec[:1], "0123456789")
	size, ok := parseSize(strings.TrimPrefix(spec, relative))
	if !ok {
		t.errorf("Invalid number: %s", quote(spec))
		return
	}
	for _, name := range t.args {
		fd, err := t.Process.Open(name, kernel.OpenFlags{Write: true, Create: !t.has("c"), Mode: 0o666})
		if err != nil {
			if !t.has("c") || !errors.Is(err, kernel.ENOENT) {
				t.errorf("cannot open %s for writing: %s", quoteName(name), kernel.Reason(err))
			}
			continue
		}
		to := size
		if now, err := t.Stat(name); err == nil {
			switch relative {
			case "+":
				to = now.Size + size
			case "-":
				to = max(now.Size-size, 0)
			}
		}
		if err := t.Truncate(fd, to); err != nil {
			t.errorf("failed to truncate %s at %d bytes: %s", quoteName(name), to, kernel.Reason(err))
		}
		t.shut(fd)
	}
}

// parseSize reads a number with a unit, as head, dd and truncate take it.
func parseSize(text string) (int64, bool) {
	end := 0
	for end < len(text) && isDigit(text[end], 10) {
		end++
	}
	n, err := strconv.ParseInt(text[:end], 10, 64)
	if err != nil {
		return 0, false
	}
	unit, ok := map[string]int64{
		"": 1, "c": 1, "w": 2, "b": 512, "K": 1 << 10, "k": 1 << 10, "KiB": 1 << 10, "M": 1 << 20, "m": 1 << 20, "MiB": 1 << 20, "G": 1 << 30,
		"GiB": 1 << 30, "T": 1 << 40, "kB": 1e3, "KB": 1e3, "MB": 1e6, "GB": 1e9, "g": 1 << 30,
	}[text[end:]]
	if !ok || n > (1<<62)/unit {
		return 0, false
	}
	return n * unit, true
}
