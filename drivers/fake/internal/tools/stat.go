package tools

import (
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"github.com/caisson-dev/caisson/drivers/fake/internal/kernel"
)

// stat describes files, by a format if one is given.
func stat(t *tool) {
	if len(t.args) == 0 {
		t.missing()
		return
	}
	format, newline := t.value('c', ""), true
	if t.has("p") {
		format, newline = t.value('p', ""), false
		format, _ = unescape(format, false)
	}
	for _, name := range t.args {
		look := t.Lstat
		if t.has("L") {
			look = t.Stat
		}
		info, err := look(name)
		if err != nil {
			t.errorf("cannot statx %s: %s", quoteName(name), kernel.Reason(err))
			continue
		}
		f := format
		if f == "" {
			f = "  File: %N\n  Size: %s\t\tBlocks: %b\t IO Block: 4096   %F\n" +
				"Device: 0,1\tInode: %i\tLinks: %h\nAccess: (%04a/%A)  Uid: (%u/%U)   Gid: (%g/%G)\nModify: %y"
		}
		t.printf("%s", t.statFormat(f, name, &info))
		if newline {
			t.println("")
		}
	}
}

func (t *tool) statFormat(format, name string, info *kernel.FileInfo) string {
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			b.WriteByte(format[i])
			continue
		}
		i++
		if strings.HasPrefix(format[i:], "04a") {
			i += 2
			fmt.Fprintf(&b, "%04o", octal(info.Mode))
			continue
		}
		switch format[i] {
		case '%':
			b.WriteByte('%')
		case 'a':
			fmt.Fprintf(&b, "%o", octal(info.Mode))
		case 'A':
			b.WriteString(modeString(info.Mode))
		case 'b':
			fmt.Fprint(&b, blocks(info)*2)
		case 'B':
			b.WriteString("512")
		case 'f':
			fmt.Fprintf(&b, "%x", octal(info.Mode)|typeBits(info.Mode))
		case 'F':
			b.WriteString(kind(info))
		case 'g':
			fmt.Fprint(&b, info.GID)
		case 'G':
			b.WriteString(t.owner("/etc/group", info.GID, false))
		case 'h':
			fmt.Fprint(&b, info.Links)
		case 'i':
			fmt.Fprint(&b, info.Inode)
		case 'n':
			b.WriteString(name)
		case 'N':
			b.WriteString(quoteName(name))
			if info.Mode&fs.ModeSymlink != 0 {
				b.WriteString(" -> " + quoteName(info.Link))
			}
		case 'o':
			b.WriteString("4096")
		case 's':
			fmt.Fprint(&b, info.Size)
		case 'u':
			fmt.Fprint(&b, info.UID)
		case 'U':
			b.WriteString(t.owner("/etc/passwd", info.UID, false))
		case 'X', 'Y', 'Z':
			fmt.Fprint(&b, info.ModTime.Unix())
		case 'x', 'y', 'z':
			b.WriteString(info.ModTime.UTC().Format("2006-01-02 15:04:05.000000000 -0700"))
		default:
			b.WriteByte('?')
		}
	}
	return b.String()
}

// octal returns the permission as chmod's number.
func octal(mode fs.FileMode) uint32 {
	n := uint32(mode.Perm())
	for flag, bit := range map[fs.FileMode]uint32{fs.ModeSetuid: 0o4000, fs.ModeSetgid: 0o2000, fs.ModeSticky: 0o1000} {
		if mode&flag != 0 {
			n |= bit
		}
	}
	return n
}

func typeBits(mode fs.FileMode) uint32 {
	switch {
	case mode.IsDir():
		return 0o040000
	case mode&fs.ModeSymlink != 0:
		return 0o120000
	case mode&fs.ModeNamedPipe != 0:
		return 0o010000
	case mode&fs.ModeCharDevice != 0:
		return 0o020000
	default:
		return 0o100000
	}
}

// kind names the type of a file.
func kind(info *kernel.FileInfo) string {
	switch {
	case info.IsDir():
		return "directory"
	case info.Mode&fs.ModeSymlink != 0:
		return "symbolic link"
	case info.Mode&fs.ModeNamedPipe != 0:
		return "fifo"
	case info.Mode&fs.ModeCharDevice != 0:
		return "character special file"
	case info.Size == 0:
		return "regular empty file"
	default:
		return "regular file"
	}
}

// du sums up what directories take.
func du(t *tool) {
	names := t.args
	if len(names) == 0 {
		names = []string{"."}
	}
	depth := 1 << 30
	if t.has("d") {
		n, ok := t.number(t.value('d', ""), "maximum depth")
		if !ok {
			return
		}
		depth = int(n)
	}
	if t.has("s") {
		depth = 0
	}
	seen := make(map[uint64]bool)
	var total int64
	for _, name := range names {
		info, err := t.Lstat(name)
		if err != nil {
			t.errorf("cannot access %s: %s", quoteName(name), kernel.Reason(err))
			continue
		}
		total += t.usage1(name, &info, depth, true, seen)
	}
	if t.has("c") {
		t.printf("%s\ttotal\n", t.duSize(total))
	}
}

// usage1 returns the bytes of a tree and prints what is to be seen of it.
func (t *tool) usage1(name string, info *kernel.FileInfo, depth int, top bool, seen map[uint64]bool) int64 {
	t.Check()
	if !info.IsDir() && info.Links > 1 {
		if seen[info.Inode] {
			return 0
		}
		seen[info.Inode] = true
	}
	size := blocks(info) * 1024
	if t.has("b") {
		size = info.Size
	}
	if info.IsDir() {
		children, err := t.ReadDir(name)
		if err != nil {
			t.errorf("cannot read directory %s: %s", quoteName(name), kernel.Reason(err))
		}
		for i := range children {
			size += t.usage1(strings.TrimSuffix(name, "/")+"/"+path.Base(children[i].Path), &children[i], depth-1, false, seen)
		}
	}
	if depth >= 0 && (top || info.IsDir() || t.has("a")) {
		t.printf("%s\t%s\n", t.duSize(size), name)
	}
	return size
}

func (t *tool) duSize(n int64) string {
	switch {
	case t.has("h"):
		return human(n)
	case t.has("b"):
		return strconv.FormatInt(n, 10)
	case t.has("m"):
		return strconv.FormatInt((n+1<<20-1)>>20, 10)
	default:
		return strconv.FormatInt((n+1023)>>10, 10)
	}
}
