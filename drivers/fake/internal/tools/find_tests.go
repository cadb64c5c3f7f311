package tools

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"

	"mvdan.cc/sh/v3/pattern"

	"github.com/caisson-dev/caisson/drivers/fake/internal/kernel"
)

// batch is -exec ... {} +.
type batch struct{ argv, files []string }

var knownTests = map[string]bool{
	"-name": true, "-iname": true, "-path": true, "-wholename": true, "-ipath": true, "-regex": true, "-type": true, "-maxdepth": true,
	"-mindepth": true, "-size": true, "-newer": true, "-mtime": true, "-mmin": true, "-perm": true, "-user": true, "-group": true,
	"-links": true, "-inum": true, "-printf": true, "-uid": true, "-gid": true, "-lname": true,
}

func (f *finder) test(name, arg string) (predicate, error) {
	switch name {
	case "-name", "-iname":
		re := globRE(arg, name[1] == 'i')
		return func(x *found) bool { return re.MatchString(path.Base(x.path)) }, nil
	case "-path", "-wholename", "-ipath":
		re := globRE(arg, name[1] == 'i')
		return func(x *found) bool { return re.MatchString(x.path) }, nil
	case "-lname":
		re := globRE(arg, false)
		return func(x *found) bool { return x.info.Link != "" && re.MatchString(x.info.Link) }, nil
	case "-regex":
		re, err := regexp.Compile("^(?:" + basicToRE2(arg) + ")$")
		return func(x *found) bool { return re.MatchString(x.path) }, err
	case "-type":
		return func(x *found) bool {
			return strings.IndexByte(strings.ReplaceAll(arg, ",", ""), typeLetter(x.info.Mode)) >= 0
		}, nil
	case "-maxdepth", "-mindepth":
		n, err := strconv.Atoi(arg)
		if err != nil {
			return nil, fmt.Errorf("Expected a positive decimal integer argument to %s, but got ‘%s’", name, arg) //nolint:staticcheck // GNU's words
		}
		if name == "-maxdepth" {
			f.maxDepth = n
		} else {
			f.minDepth = n
		}
		return func(*found) bool { return true }, nil
	case "-newer":
		info, err := f.Stat(arg)
		if err != nil {
			return nil, fmt.Errorf("%s: %s", quote(arg), kernel.Reason(err))
		}
		return func(x *found) bool { return x.info.ModTime.After(info.ModTime) }, nil
	case "-perm":
		return permTest(arg)
	case "-user", "-group":
		return func(x *found) bool {
			file, id := "/etc/passwd", x.info.UID
			if name == "-group" {
				file, id = "/etc/group", x.info.GID
			}
			return arg == strconv.Itoa(id) || arg == f.owner(file, id, false)
		}, nil
	case "-printf":
		f.acts = true
		format, _ := unescape(arg, false)
		return func(x *found) bool { f.format(format, x); return true }, nil
	case "-size":
		return sizeTest(arg)
	}
	value := map[string]func(*found) int64{
		"-mtime": func(x *found) int64 { return int64(time.Since(x.info.ModTime) / (24 * time.Hour)) },
		"-mmin":  func(x *found) int64 { return int64(time.Since(x.info.ModTime) / time.Minute) },
		"-links": func(x *found) int64 { return int64(x.info.Links) },
		"-inum":  func(x *found) int64 { return int64(x.info.Inode) },
		"-uid":   func(x *found) int64 { return int64(x.info.UID) },
		"-gid":   func(x *found) int64 { return int64(x.info.GID) },
	}[name]
	return compareTest(arg, value)
}

// compareTest reads "n", "+n" or "-n".
func compareTest(arg string, value func(*found) int64) (predicate, error) {
	n, err := strconv.ParseInt(strings.TrimLeft(arg, "+-"), 10, 64)
	if err != nil {
		return nil, fmt.Errorf("invalid argument ‘%s’", arg)
	}
	switch arg[0] {
	case '+':
		return func(x *found) bool { return value(x) > n }, nil
	case '-':
		return func(x *found) bool { return value(x) < n }, nil
	default:
		return func(x *found) bool { return value(x) == n }, nil
	}
}

func sizeTest(arg string) (predicate, error) {
	unit := int64(512)
	if arg != "" {
		if u, ok := map[byte]int64{'c': 1, 'w': 2, 'b': 512, 'k': 1 << 10, 'M': 1 << 20, 'G': 1 << 30}[arg[len(arg)-1]]; ok {
			unit, arg = u, arg[:len(arg)-1]
		}
	}
	if arg == "" {
		return nil, errors.New("invalid argument to -size")
	}
	return compareTest(arg, func(x *found) int64 { return (x.info.Size + unit - 1) / unit })
}

func permTest(arg string) (predicate, error) {
	how := arg
	mode, err := ParseMode(strings.TrimLeft(arg, "-/"), 0, false)
	if err != nil {
		return nil, fmt.Errorf("invalid mode ‘%s’", arg)
	}
	want := octal(mode)
	return func(x *found) bool {
		has := octal(x.info.Mode)
		switch how[0] {
		case '-':
			return has&want == want
		case '/':
			return has&want != 0 || want == 0
		default:
			return has == want
		}
	}, nil
}

// globRE returns the expression of a pattern whose '*' matches slashes too.
func globRE(glob string, fold bool) *regexp.Regexp {
	mode := pattern.EntireString
	if fold {
		mode |= pattern.NoGlobCase
	}
	expr, err := pattern.Regexp(glob, mode)
	if err != nil {
		expr = "^" + regexp.QuoteMeta(glob) + "$"
	}
	re, err := regexp.Compile(expr)
	if err != nil {
		return regexp.MustCompile("^" + regexp.QuoteMeta(glob) + "$")
	}
	return re
}

func typeLetter(mode fs.FileMode) byte {
	switch {
	case mode.IsDir():
		return 'd'
	case mode&fs.ModeSymlink != 0:
		return 'l'
	case mode&fs.ModeNamedPipe != 0:
		return 'p'
	case mode&fs.ModeSocket != 0:
		return 's'
	case mode&fs.ModeCharDevice != 0:
		return 'c'
	default:
		return 'f'
	}
}

func (f *finder) empty(x *found) bool {
	if !x.info.IsDir() {
		return x.info.Mode.IsRegular() && x.info.Size == 0
	}
	children, err := f.ReadDir(x.path)
	return err == nil && len(children) == 0
}

func (f *finder) remove(x *found) bool {
	if x.path == "." {
		return true
	}
	remove := f.Remove
	if x.info.IsDir() {
		remove = f.Rmdir
	}
	if err := remove(x.path); err != nil {
		f.errorf("cannot delete %s: %s", quote(x.path), kernel.Reason(err))
		return false
	}
	return true
}

// exec reads the command of -exec, which ends with ";" or "{} +".
func (f *finder) exec() (predicate, error) {
	f.acts = true
	var argv []string
	for len(f.expr) > 0 {
		word := f.expr[0]
		f.expr = f.expr[1:]
		if word == ";" {
			return func(x *found) bool {
				command := make([]string, len(argv))
				for i, arg := range argv {
					command[i] = strings.ReplaceAll(arg, "{}", x.path)
				}
				f.flush()
				return f.run(command, nil) == 0
			}, nil
		}
		if word == "+" && len(argv) > 0 && argv[len(argv)-1] == "{}" {
			b := &batch{argv: argv[:len(argv)-1]}
			f.batches = append(f.batches, b)
			return func(x *found) bool {
				b.files = append(b.files, x.path)
				if len(b.files) >= maxBatch {
					f.flushBatch(b)
				}
				return true
			}, nil
		}
		argv = append(argv, word)
	}
	return nil, errors.New("missing argument to `-exec'")
}

const maxBatch = 1000 // files of one command

func (f *finder) flushBatch(b *batch) {
	if len(b.files) == 0 {
		return
	}
	f.flush()
	if f.run(append(append([]string(nil), b.argv...), b.files...), nil) != 0 {
		f.status = 1
	}
	b.files = nil
}

func (f *finder) format(format string, x *found) {
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			_ = f.out.WriteByte(format[i])
			continue
		}
		i++
		switch format[i] {
		case '%':
			_ = f.out.WriteByte('%')
		case 'p':
			f.printf("%s", x.path)
		case 'f':
			f.printf("%s", path.Base(x.path))
		case 'h':
			f.printf("%s", path.Dir(x.path))
		case 'P':
			f.printf("%s", strings.TrimPrefix(strings.TrimPrefix(x.path, x.start), "/"))
		case 's':
			f.printf("%d", x.info.Size)
		case 'm':
			f.printf("%o", octal(x.info.Mode))
		case 'M':
			f.printf("%s", modeString(x.info.Mode))
		case 'y':
			f.printf("%c", typeLetter(x.info.Mode))
		case 'd':
			f.printf("%d", x.depth)
		case 'l':
			f.printf("%s", x.info.Link)
		case 'i':
			f.printf("%d", x.info.Inode)
		case 'n':
			f.printf("%d", x.info.Links)
		case 'u':
			f.printf("%s", f.owner("/etc/passwd", x.info.UID, false))
		case 'U':
			f.printf("%d", x.info.UID)
		case 'g':
			f.printf("%s", f.owner("/etc/group", x.info.GID, false))
		case 'G':
			f.printf("%d", x.info.GID)
		case 'T':
			i++
			f.printf("%d.0000000000", x.info.ModTime.Unix())
		default:
			f.printf("%%%c", format[i])
		}
	}
}
