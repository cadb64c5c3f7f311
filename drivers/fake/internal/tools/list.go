package tools

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caisson-dev/caisson/drivers/fake/internal/kernel"
)

const (
	lsFlags = "1aAdFghiklnopqQrRsStUX"
	lsLong  = "all=a almost-all=A directory=d classify=F human-readable=h inode=i recursive=R reverse=r size=s numeric-uid-gid=n"
)

// named is a file as ls lists it.
type named struct {
	name string
	info kernel.FileInfo
}

// ls lists files first, then what is in directories.
func ls(t *tool) {
	names := t.args
	if len(names) == 0 {
		names = []string{"."}
	}
	var files, dirs []named
	for _, name := range names {
		look := t.Stat
		if t.has("dlFgno") {
			look = t.Lstat
		}
		info, err := look(name)
		if err != nil && !t.has("dlFgno") {
			info, err = t.Lstat(name) // a link that leads nowhere
		}
		switch {
		case err != nil:
			t.errorf("cannot access %s: %s", quoteName(name), kernel.Reason(err))
			t.status = 2
		case info.IsDir() && !t.has("d"):
			dirs = append(dirs, named{name, info})
		default:
			files = append(files, named{name, info})
		}
	}
	t.sortFiles(files)
	t.sortFiles(dirs)
	t.listFiles(files)
	for i, dir := range dirs {
		if len(files) > 0 || i > 0 {
			t.println("")
		}
		t.listDir(dir.name, len(names) > 1 || t.has("R"))
	}
}

func (t *tool) listDir(dir string, head bool) {
	children, err := t.ReadDir(dir)
	if err != nil {
		t.errorf("cannot open directory %s: %s", quoteName(dir), kernel.Reason(err))
		t.status = 2
		return
	}
	if head {
		t.printf("%s:\n", dir)
	}
	var list []named
	if t.has("a") {
		for _, name := range []string{".", ".."} {
			info, _ := t.Stat(dir + "/" + name) // it was just there
			list = append(list, named{name, info})
		}
	}
	for _, child := range children {
		if name := path.Base(child.Path); name[0] != '.' || t.has("aA") {
			list = append(list, named{name, child})
		}
	}
	t.sortFiles(list)
	if t.has("lgnos") {
		total := int64(0)
		for _, f := range list {
			total += blocks(&f.info)
		}
		t.printf("total %s\n", t.humanSize(total*1024, strconv.FormatInt(total, 10)))
	}
	t.listFiles(list)
	if !t.has("R") {
		return
	}
	for _, f := range list {
		if f.info.IsDir() && f.name != "." && f.name != ".." {
			t.println("")
			t.listDir(dir+"/"+f.name, true)
		}
	}
}

// blocks is the size on disk in KiB.
func blocks(info *kernel.FileInfo) int64 {
	const unit = 4096
	return (info.Used + unit - 1) / unit * unit / 1024
}

func (t *tool) sortFiles(list []named) {
	if t.has("U") {
		return
	}
	slices.SortStableFunc(list, func(a, b named) int {
		switch {
		case t.has("S") && a.info.Size != b.info.Size:
			return int(min(max(b.info.Size-a.info.Size, -1), 1))
		case t.has("t") && !a.info.ModTime.Equal(b.info.ModTime):
			return b.info.ModTime.Compare(a.info.ModTime)
		case t.has("X") && path.Ext(a.name) != path.Ext(b.name):
			return strings.Compare(path.Ext(a.name), path.Ext(b.name))
		}
		return strings.Compare(a.name, b.name)
	})
	if t.has("r") {
		slices.Reverse(list)
	}
}

func (t *tool) listFiles(list []named) {
	var rows [][]string
	for _, f := range list {
		var row []string
		if t.has("i") {
			row = append(row, strconv.FormatUint(f.info.Inode, 10))
		}
		if t.has("s") {
			row = append(row, strconv.FormatInt(blocks(&f.info), 10))
		}
		if t.has("lgno") {
			row = append(row, t.longRow(&f.info)...)
		}
		rows = append(rows, append(row, t.decorate(f)))
	}
	// Columns are as wide as their widest cell: names to the left, numbers to the right.
	for _, row := range rows {
		for i, cell := range row[:len(row)-1] {
			width := 0
			for _, other := range rows {
				width = max(width, len(other[i]))
			}
			if t.leftColumn(i) {
				t.printf("%-*s ", width, cell)
			} else {
				t.printf("%*s ", width, cell)
			}
		}
		t.println(row[len(row)-1])
	}
}

// leftColumn reports whether a column holds text.
func (t *tool) leftColumn(i int) bool {
	if t.has("i") {
		i--
	}
	if t.has("s") {
		i--
	}
	users := 4
	if t.has("g") {
		users--
	}
	if t.has("o") {
		users--
	}
	return i == 0 || i >= 2 && i < users && !t.has("n")
}

func (t *tool) longRow(info *kernel.FileInfo) []string {
	row := []string{modeString(info.Mode), strconv.Itoa(info.Links)}
	if !t.has("g") {
		row = append(row, t.owner("/etc/passwd", info.UID, t.has("n")))
	}
	if !t.has("o") {
		row = append(row, t.owner("/etc/group", info.GID, t.has("n")))
	}
	size := strconv.FormatInt(info.Size, 10)
	if info.Mode&fs.ModeDevice != 0 {
		size = "1, 3"
	}
	return append(row, t.humanSize(info.Size, size), fileTime(info.ModTime))
}

// fileTime shows the time of a file as ls does: with the year if that is not clear.
func fileTime(at time.Time) string {
	const halfYear = 182 * 24 * time.Hour
	if age := time.Since(at); age > halfYear || age < -time.Hour {
		return at.UTC().Format("Jan _2  2006")
	}
	return at.UTC().Format("Jan _2 15:04")
}

func (t *tool) decorate(f named) string {
	name := f.name
	if t.has("Q") {
		name = strconv.Quote(name)
	}
	if f.info.Mode&fs.ModeSymlink != 0 && t.has("lgno") {
		return name + " -> " + f.info.Link
	}
	switch {
	case f.info.IsDir() && t.has("Fp"):
		return name + "/"
	case !t.has("F"):
	case f.info.Mode&fs.ModeSymlink != 0:
		return name + "@"
	case f.info.Mode&fs.ModeNamedPipe != 0:
		return name + "|"
	case f.info.Mode.IsRegular() && f.info.Mode&0o111 != 0:
		return name + "*"
	}
	return name
}

// modeString shows a mode as ls does.
func modeString(mode fs.FileMode) string {
	b := []byte("-rwxrwxrwx")
	switch {
	case mode.IsDir():
		b[0] = 'd'
	case mode&fs.ModeSymlink != 0:
		b[0] = 'l'
	case mode&fs.ModeNamedPipe != 0:
		b[0] = 'p'
	case mode&fs.ModeSocket != 0:
		b[0] = 's'
	case mode&fs.ModeCharDevice != 0:
		b[0] = 'c'
	}
	for i := range 9 {
		if mode&(1<<(8-i)) == 0 {
			b[i+1] = '-'
		}
	}
	special := func(set bool, at int, with, without byte) {
		if !set {
			return
		}
		if b[at] == 'x' {
			b[at] = with
		} else {
			b[at] = without
		}
	}
	special(mode&fs.ModeSetuid != 0, 3, 's', 'S')
	special(mode&fs.ModeSetgid != 0, 6, 's', 'S')
	special(mode&fs.ModeSticky != 0, 9, 't', 'T')
	return string(b)
}

// humanSize shows a number of bytes with a unit if -h was given, else plain.
func (t *tool) humanSize(n int64, plain string) string {
	if !t.has("h") {
		return plain
	}
	return human(n)
}

func human(n int64) string {
	if n < 1024 {
		return strconv.FormatInt(n, 10)
	}
	x, unit := float64(n), 0
	for x >= 1024 && unit < 5 {
		x /= 1024
		unit++
	}
	// It is rounded up, as the GNU tools do.
	if x < 10 {
		tenths := int64(x * 10)
		if float64(tenths) < x*10 {
			tenths++
		}
		if tenths < 100 {
			return fmt.Sprintf("%d.%d%c", tenths/10, tenths%10, " KMGTP"[unit])
		}
		x = 10
	}
	whole := int64(x)
	if float64(whole) < x {
		whole++
	}
	return fmt.Sprintf("%d%c", whole, " KMGTP"[unit])
}

// owner returns the name of a user or group, or its number if it has none.
func (t *tool) owner(file string, id int, numeric bool) string {
	number := strconv.Itoa(id)
	if !numeric {
		if fields := t.lookup(file, 2, number); fields != nil {
			return fields[0]
		}
	}
	return number
}

// lookup returns the line of /etc/passwd or /etc/group that has a value in a field.
func (t *tool) lookup(file string, field int, value string) []string {
	fd, err := t.Process.Open(file, kernel.OpenFlags{Read: true})
	if err != nil {
		return nil
	}
	defer t.shut(fd)
	var found []string
	t.lines(reader{t.Process, fd}, func(line []byte) bool {
		text, _ := chomp(line)
		if fields := strings.Split(string(text), ":"); len(fields) > field && fields[field] == value {
			found = fields
		}
		return found == nil
	})
	return found
}
