package tools

import (
	"errors"
	"io/fs"
	"path"
	"strings"

	"github.com/caisson-dev/caisson/drivers/fake/internal/kernel"
)

// rm removes files and, with -r, directories.
func rm(t *tool) {
	if len(t.args) == 0 {
		if !t.has("f") {
			t.missing()
		}
		return
	}
	for _, name := range t.args {
		if base := path.Base(strings.TrimRight(name, "/")); t.has("rR") && (base == "." || base == "..") {
			t.errorf("refusing to remove '.' or '..' directory: skipping %s", quoteName(name))
			continue
		}
		if t.has("rR") && path.Clean(t.Abs(name)) == "/" {
			t.errorf("it is dangerous to operate recursively on '/'\nrm: use --no-preserve-root to override this failsafe")
			continue
		}
		info, err := t.Lstat(name)
		switch {
		case errors.Is(err, kernel.ENOENT) && t.has("f"), errors.Is(err, kernel.ENOTDIR) && t.has("f"):
		case err != nil:
			t.errorf("cannot remove %s: %s", quoteName(name), kernel.Reason(err))
		case info.IsDir() && !t.has("rRd"):
			t.errorf("cannot remove %s: Is a directory", quoteName(name))
		default:
			t.removeTree(name, info.IsDir())
		}
	}
}

// removeTree removes a file or a directory and what is in it, and reports whether nothing is left.
func (t *tool) removeTree(name string, dir bool) bool {
	if !dir {
		if err := t.Remove(name); err != nil && !(errors.Is(err, kernel.ENOENT) && t.has("f")) {
			t.errorf("cannot remove %s: %s", quoteName(name), kernel.Reason(err))
			return false
		}
		if t.has("v") {
			t.printf("removed %s\n", quoteName(name))
		}
		return true
	}
	if t.has("rR") {
		children, err := t.ReadDir(name)
		if err != nil && t.Rmdir(name) != nil {
			t.errorf("cannot remove %s: %s", quoteName(name), kernel.Reason(err))
			return false
		}
		empty := true
		for i := range children {
			empty = t.removeTree(name+"/"+path.Base(children[i].Path), children[i].IsDir()) && empty
		}
		if !empty || err != nil {
			return err != nil
		}
	}
	if err := t.Rmdir(name); err != nil {
		t.errorf("cannot remove %s: %s", quoteName(name), kernel.Reason(err))
		return false
	}
	if t.has("v") {
		t.printf("removed directory %s\n", quoteName(name))
	}
	return true
}

// rmdir removes empty directories, with -p their parents too.
func rmdir(t *tool) {
	if len(t.args) == 0 {
		t.missing()
		return
	}
	for _, name := range t.args {
		for {
			if err := t.Rmdir(name); err != nil {
				if !t.has("I") || !errors.Is(err, kernel.ENOTEMPTY) {
					t.errorf("failed to remove %s: %s", quoteName(name), kernel.Reason(err))
				}
				break
			}
			parent := path.Dir(strings.TrimRight(name, "/"))
			if !t.has("p") || parent == "." || parent == "/" {
				break
			}
			name = parent
		}
	}
}

// unlink removes one file.
func unlink(t *tool) {
	if len(t.args) != 1 {
		t.missing()
		return
	}
	if err := t.Remove(t.args[0]); err != nil {
		t.errorf("cannot unlink %s: %s", quoteName(t.args[0]), kernel.Reason(err))
	}
}

// chmod changes permissions.
func chmod(t *tool) {
	args := t.args
	removed := "-"
	for _, o := range t.options {
		if strings.ContainsRune("rwxXst", o.flag) {
			removed += string(o.flag) // "-x" is a mode, not an option
		}
	}
	if removed != "-" {
		args = append([]string{removed}, args...)
	}
	switch {
	case len(args) == 0:
		t.missing()
		return
	case len(args) == 1:
		t.usage("missing operand after %s", quote(args[0]))
		return
	}
	mode := args[0]
	if _, err := ParseMode(mode, 0, false); err != nil {
		t.usage("invalid mode: %s", quote(mode))
		return
	}
	for _, name := range args[1:] {
		t.changeMode(mode, name)
	}
}

func (t *tool) changeMode(mode, name string) {
	info, err := t.Stat(name)
	if err != nil {
		t.errorf("cannot access %s: %s", quoteName(name), kernel.Reason(err))
		return
	}
	to, _ := ParseMode(mode, info.Mode&(fs.ModePerm|fs.ModeSetuid|fs.ModeSetgid|fs.ModeSticky), info.IsDir()) // it was parsed before
	if who := strings.IndexAny(mode, "+-="); who == 0 {
		// Without a "who" the umask's bits are left alone.
		before := info.Mode & (fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky)
		to = to&^t.Umask | before&t.Umask
	}
	if err := t.Chmod(name, to); err != nil {
		t.errorf("changing permissions of %s: %s", quoteName(name), kernel.Reason(err))
		return
	}
	if !t.has("R") || !info.IsDir() {
		return
	}
	children, err := t.ReadDir(name)
	if err != nil {
		t.errorf("cannot read directory %s: %s", quoteName(name), kernel.Reason(err))
	}
	for i := range children {
		if children[i].Mode&fs.ModeSymlink == 0 {
			t.changeMode(mode, name+"/"+path.Base(children[i].Path))
		}
	}
}

// chown may give nothing away, as without the capability for it. What changes nothing is allowed.
func chown(t *tool) {
	args := t.args
	if len(args) < 2 {
		t.missing()
		return
	}
	user, group, _ := strings.Cut(args[0], ":")
	if t.name == "chgrp" {
		user, group = "", args[0]
	}
	for _, name := range args[1:] {
		info, err := t.Stat(name)
		if err != nil {
			t.errorf("cannot access %s: %s", quoteName(name), kernel.Reason(err))
			continue
		}
		same := func(want, file string, id int) bool {
			return want == "" || want == t.owner(file, id, true) || want == t.owner(file, id, false)
		}
		if same(user, "/etc/passwd", info.UID) && same(group, "/etc/group", info.GID) {
			continue
		}
		t.errorf("changing ownership of %s: Operation not permitted", quoteName(name))
	}
}
