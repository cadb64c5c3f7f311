package tools

import (
	"io/fs"
	"path"
	"strings"

	"github.com/caisson-dev/caisson/drivers/fake/internal/kernel"
)

// basename prints the last element of paths.
func basename(t *tool) {
	if len(t.args) == 0 {
		t.missing()
		return
	}
	names, suffix := t.args[:1], ""
	switch {
	case t.has("as"):
		names, suffix = t.args, t.value('s', "")
	case len(t.args) == 2:
		suffix = t.args[1]
	case len(t.args) > 2:
		t.usage("extra operand %s", quote(t.args[2]))
		return
	}
	for _, name := range names {
		base := name
		if trimmed := strings.TrimRight(name, "/"); trimmed != "" {
			base = trimmed[strings.LastIndexByte(trimmed, '/')+1:]
		} else if name != "" {
			base = "/"
		}
		if base != suffix {
			base = strings.TrimSuffix(base, suffix)
		}
		t.println(base)
	}
}

// dirname prints paths without their last element.
func dirname(t *tool) {
	if len(t.args) == 0 {
		t.missing()
		return
	}
	for _, name := range t.args {
		trimmed := strings.TrimRight(name, "/")
		at := strings.LastIndexByte(trimmed, '/')
		switch {
		case trimmed == "" && name != "":
			t.println("/")
		case at < 0:
			t.println(".")
		default:
			if dir := strings.TrimRight(trimmed[:at], "/"); dir != "" {
				t.println(dir)
			} else {
				t.println("/")
			}
		}
	}
}

// readlink prints where links lead.
func readlink(t *tool) {
	if len(t.args) == 0 {
		t.missing()
		return
	}
	for _, name := range t.args {
		var target string
		if t.has("fem") {
			real, ok := t.canonical(name, t.has("e"), t.has("m"))
			if !ok {
				t.status = 1
				continue
			}
			target = real
		} else {
			info, err := t.Lstat(name)
			if err != nil || info.Mode&fs.ModeSymlink == 0 {
				t.status = 1
				continue
			}
			target = info.Link
		}
		_, _ = t.out.WriteString(target)
		if !t.has("n") {
			_ = t.out.WriteByte('\n')
		}
	}
}

// canonical returns the path without links. All of it must exist, or all but the last element, or nothing.
func (t *tool) canonical(name string, exists, missing bool) (string, bool) {
	real, err := t.Resolve(name)
	if err == nil {
		if exists {
			_, err = t.Stat(real)
		}
		return real, err == nil
	}
	if !missing {
		return "", false
	}
	clean := path.Clean(t.Abs(name))
	parent, _ := t.canonical(path.Dir(clean), false, true)
	return path.Join(parent, path.Base(clean)), true
}

// realpath prints paths without links.
func realpath(t *tool) {
	if len(t.args) == 0 {
		t.missing()
		return
	}
	for _, name := range t.args {
		if t.has("s") {
			t.println(path.Clean(t.Abs(name)))
			continue
		}
		real, ok := t.canonical(name, t.has("e"), t.has("m"))
		if !ok {
			if !t.has("q") {
				t.errorf("%s: %s", name, kernel.Reason(kernel.ENOENT))
			}
			t.status = 1
			continue
		}
		t.println(real)
	}
}
