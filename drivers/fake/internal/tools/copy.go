package tools

import (
	"errors"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/caisson-dev/caisson/drivers/fake/internal/kernel"
)

// targets splits the operands of cp, mv and ln into sources and destinations.
func (t *tool) targets() (from []string, dest func(string) string, ok bool) {
	args := t.args
	dir := t.value('t', "")
	switch {
	case len(args) == 0:
		return nil, nil, t.usage("missing file operand")
	case dir == "" && len(args) == 1:
		return nil, nil, t.usage("missing destination file operand after %s", quoteName(args[0]))
	case dir == "":
		dir, args = args[len(args)-1], args[:len(args)-1]
	}
	info, err := t.Stat(dir)
	into := err == nil && info.IsDir() && !t.has("T")
	if !into && (len(args) > 1 || t.has("t")) {
		t.errorf("target %s: %s", quoteName(dir), "No such file or directory")
		if err == nil {
			t.errorf("target %s is not a directory", quoteName(dir))
		}
		return nil, nil, false
	}
	return args, func(source string) string {
		if into {
			return strings.TrimRight(dir, "/") + "/" + path.Base(source)
		}
		return dir
	}, true
}

// cp copies files and, with -r, trees.
func cp(t *tool) {
	from, dest, ok := t.targets()
	if !ok {
		return
	}
	for _, source := range from {
		t.copyTree(source, dest(source), true)
	}
}

// copyTree copies one file or tree and reports whether all of it was copied.
func (t *tool) copyTree(from, to string, top bool) bool {
	look := t.Stat
	recursive := t.has("rRa")
	if t.has("Pd") || recursive && !t.has("L") && (!top || !t.has("H")) {
		look = t.Lstat
	}
	info, err := look(from)
	if err != nil {
		t.errorf("cannot stat %s: %s", quoteName(from), kernel.Reason(err))
		return false
	}
	old, oldErr := t.Stat(to)
	if oldErr == nil && old.Inode == info.Inode {
		t.errorf("%s and %s are the same file", quoteName(from), quoteName(to))
		return false
	}
	switch {
	case info.IsDir() && !recursive:
		t.errorf("-r not specified; omitting directory %s", quoteName(from))
		return false
	case info.IsDir():
		return t.copyDir(from, to, &info, oldErr == nil && old.IsDir())
	case oldErr == nil && old.IsDir():
		t.errorf("cannot overwrite directory %s with non-directory %s", quoteName(to), quoteName(from))
		return false
	case oldErr == nil && t.has("n"):
		return true
	case oldErr == nil && t.has("u") && !info.ModTime.After(old.ModTime):
		return true
	case info.Mode&fs.ModeSymlink != 0:
		_ = t.Remove(to) // or there is none
		err = t.Symlink(info.Link, to)
	case info.Mode&fs.ModeNamedPipe != 0 && recursive:
		err = t.Mkfifo(to, info.Mode.Perm())
	default:
		return t.copyFile(from, to, &info)
	}
	if err != nil {
		t.errorf("cannot create %s: %s", quoteName(to), kernel.Reason(err))
	}
	return err == nil
}

func (t *tool) copyDir(from, to string, info *kernel.FileInfo, there bool) bool {
	if inside, err := t.Resolve(to); err == nil {
		if source, err := t.Resolve(from); err == nil && strings.HasPrefix(inside+"/", source+"/") {
			t.errorf("cannot copy a directory, %s, into itself, %s", quoteName(from), quoteName(to))
			return false
		}
	}
	if !there {
		if err := t.Mkdir(to, info.Mode.Perm()|0o700); err != nil {
			t.errorf("cannot create directory %s: %s", quoteName(to), kernel.Reason(err))
			return false
		}
	}
	children, err := t.ReadDir(from)
	if err != nil {
		t.errorf("cannot access %s: %s", quoteName(from), kernel.Reason(err))
		return false
	}
	ok := true
	for i := range children {
		name := path.Base(children[i].Path)
		ok = t.copyTree(strings.TrimRight(from, "/")+"/"+name, strings.TrimRight(to, "/")+"/"+name, false) && ok
	}
	if !there {
		t.preserve(to, info)
	}
	return ok
}

func (t *tool) copyFile(from, to string, info *kernel.FileInfo) bool {
	in, err := t.Process.Open(from, kernel.OpenFlags{Read: true})
	if err != nil {
		t.errorf("cannot open %s for reading: %s", quoteName(from), kernel.Reason(err))
		return false
	}
	defer t.shut(in)
	flags := kernel.OpenFlags{Write: true, Create: true, Truncate: true, Mode: info.Mode.Perm()}
	out, err := t.Process.Open(to, flags)
	if errors.Is(err, kernel.EACCES) && t.has("f") && t.Remove(to) == nil {
		out, err = t.Process.Open(to, flags)
	}
	if err != nil {
		t.errorf("cannot create regular file %s: %s", quoteName(to), kernel.Reason(err))
		return false
	}
	_, err = io.CopyBuffer(struct{ io.Writer }{writer{t.Process, out}}, struct{ io.Reader }{reader{t.Process, in}}, make([]byte, outSize))
	t.shut(out)
	if err != nil {
		t.errorf("error writing %s: %s", quoteName(to), kernel.Reason(err))
		return false
	}
	t.preserve(to, info)
	if t.has("v") {
		t.printf("%s -> %s\n", quoteName(from), quoteName(to))
	}
	return true
}

// preserve gives a copy the mode and time of the original, if that is asked for.
func (t *tool) preserve(name string, info *kernel.FileInfo) {
	if t.has("pa") || t.name == "mv" {
		_ = t.Chmod(name, info.Mode) // cp does not fail for this
		_ = t.Touch(name, true, info.ModTime)
	}
}

// mv moves files, by copying where a rename cannot cross a border.
func mv(t *tool) {
	from, dest, ok := t.targets()
	if !ok {
		return
	}
	for _, source := range from {
		t.move(source, dest(source))
	}
}

func (t *tool) move(from, to string) {
	info, err := t.Lstat(from)
	if err != nil {
		t.errorf("cannot stat %s: %s", quoteName(from), kernel.Reason(err))
		return
	}
	old, oldErr := t.Lstat(to)
	switch {
	case oldErr == nil && t.has("n"):
		return
	case oldErr == nil && old.Inode == info.Inode:
		t.errorf("%s and %s are the same file", quoteName(from), quoteName(to))
		return
	case oldErr == nil && old.IsDir() && !info.IsDir():
		t.errorf("cannot overwrite directory %s with non-directory", quoteName(to))
		return
	case oldErr == nil && !old.IsDir() && info.IsDir():
		t.errorf("cannot overwrite non-directory %s with directory %s", quoteName(to), quoteName(from))
		return
	}
	err = t.Rename(from, to)
	switch {
	case errors.Is(err, kernel.EXDEV):
		t.options = append(t.options, option{flag: 'a'}, option{flag: 'r'}, option{flag: 'f'})
		if t.copyTree(from, to, true) {
			t.removeTree(from, info.IsDir())
		}
	case errors.Is(err, kernel.EINVAL):
		t.errorf("cannot move %s to a subdirectory of itself, %s", quoteName(from), quoteName(to))
	case err != nil:
		t.errorf("cannot move %s to %s: %s", quoteName(from), quoteName(to), kernel.Reason(err))
	case t.has("v"):
		t.printf("renamed %s -> %s\n", quoteName(from), quoteName(to))
	}
}

// ln makes links.
func ln(t *tool) {
	if len(t.args) == 1 && !t.has("tT") {
		t.args = append(t.args, path.Base(t.args[0])) // in the present directory
	}
	if info, err := t.Lstat(t.lastArg()); t.has("n") && err == nil && info.Mode&fs.ModeSymlink != 0 {
		t.options = append(t.options, option{flag: 'T'})
	}
	from, dest, ok := t.targets()
	if !ok {
		return
	}
	for _, source := range from {
		to := dest(source)
		if !t.has("s") {
			if _, err := t.Lstat(source); err != nil {
				t.errorf("failed to access %s: %s", quoteName(source), kernel.Reason(err))
				continue
			}
		}
		if info, err := t.Lstat(to); t.has("f") && err == nil && !info.IsDir() {
			_ = t.Remove(to) // what is wrong shows next
		}
		kind, link := "hard", t.Link
		if t.has("s") {
			kind, link = "symbolic", t.Symlink
		}
		switch err := link(source, to); {
		case err == nil:
		case kind == "hard" && !errors.Is(err, kernel.EEXIST):
			t.errorf("failed to create hard link %s => %s: %s", quoteName(to), quoteName(source), kernel.Reason(err))
		default:
			t.errorf("failed to create %s link %s: %s", kind, quoteName(to), kernel.Reason(err))
		}
	}
}

func (t *tool) lastArg() string {
	if len(t.args) == 0 {
		return ""
	}
	return t.args[len(t.args)-1]
}
