package tools

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/caisson-dev/caisson/drivers/fake/internal/kernel"
)

// found is a file that find looks at.
type found struct {
	path  string
	start string // the operand it was reached from
	info  kernel.FileInfo
	depth int
	prune bool
}

// A predicate decides about a file, or does something with it.
type predicate func(*found) bool

// finder walks trees.
type finder struct {
	*tool
	expr               []string // left to parse
	acts               bool     // the expression has an action
	depthFirst, follow bool
	minDepth, maxDepth int
	batches            []*batch
	quit               bool
	depth              int // of what is parsed
}

// find looks for files by an expression.
func find(t *tool) {
	f := finder{tool: t, maxDepth: 1 << 30}
	args := t.args
	for len(args) > 0 && (args[0] == "-L" || args[0] == "-H" || args[0] == "-P") {
		f.follow = args[0] == "-L"
		args = args[1:]
	}
	end := 0
	for end < len(args) && !strings.HasPrefix(args[end], "-") && args[end] != "(" && args[end] != "!" {
		end++
	}
	starts := args[:end]
	if len(starts) == 0 {
		starts = []string{"."}
	}
	f.expr = args[end:]
	match := predicate(func(*found) bool { return true })
	if len(f.expr) > 0 {
		var err error
		if match, err = f.or(); err == nil && len(f.expr) > 0 {
			err = fmt.Errorf("you have too many ')'")
		}
		if err != nil {
			t.errorf("%s", err)
			return
		}
	}
	if !f.acts {
		test := match
		match = func(x *found) bool {
			if test(x) {
				t.println(x.path)
			}
			return true
		}
	}
	for _, start := range starts {
		info, err := t.Lstat(start)
		if f.follow {
			info, err = t.Stat(start)
		}
		if err != nil {
			t.errorf("%s: %s", quote(start), kernel.Reason(err))
			continue
		}
		f.walk(&found{path: start, start: start, info: info}, match)
	}
	for _, b := range f.batches {
		f.flushBatch(b)
	}
}

func (f *finder) walk(x *found, match predicate) {
	f.Check()
	if f.quit {
		return
	}
	visit := func() {
		if x.depth >= f.minDepth && !f.quit {
			match(x)
		}
	}
	if !f.depthFirst {
		visit()
	}
	if x.info.IsDir() && !x.prune && x.depth < f.maxDepth && !f.quit {
		children, err := f.ReadDir(x.path)
		if err != nil && !errors.Is(err, kernel.ENOENT) {
			f.errorf("%s: %s", quote(x.path), kernel.Reason(err))
		}
		for i := range children {
			name := strings.TrimSuffix(x.path, "/") + "/" + path.Base(children[i].Path)
			child := &found{path: name, start: x.start, info: children[i], depth: x.depth + 1}
			if f.follow {
				if info, err := f.Stat(name); err == nil {
					child.info = info
				}
			}
			f.walk(child, match)
		}
	}
	if f.depthFirst {
		visit()
	}
}

func (f *finder) accept(words ...string) bool {
	for _, w := range words {
		if len(f.expr) > 0 && f.expr[0] == w {
			f.expr = f.expr[1:]
			return true
		}
	}
	return false
}

func (f *finder) or() (predicate, error) {
	left, err := f.and()
	for err == nil && f.accept("-o", "-or") {
		var right predicate
		first := left
		right, err = f.and()
		left = func(x *found) bool { return first(x) || right(x) }
	}
	return left, err
}

func (f *finder) and() (predicate, error) {
	left, err := f.not()
	for err == nil && len(f.expr) > 0 && f.expr[0] != ")" && f.expr[0] != "-o" && f.expr[0] != "-or" {
		f.accept("-a", "-and")
		var right predicate
		first := left
		right, err = f.not()
		left = func(x *found) bool { return first(x) && right(x) }
	}
	return left, err
}

func (f *finder) not() (predicate, error) {
	if f.depth++; f.depth > maxNesting {
		return nil, errors.New("expression nested too deeply")
	}
	defer func() { f.depth-- }()
	if f.accept("!", "-not") {
		p, err := f.not()
		return func(x *found) bool { return !p(x) }, err
	}
	if f.accept("(") {
		p, err := f.or()
		if err == nil && !f.accept(")") {
			err = errors.New("invalid expression; I was expecting to find a ')' somewhere but did not see one")
		}
		return p, err
	}
	return f.primary()
}

func (f *finder) primary() (predicate, error) {
	if len(f.expr) == 0 {
		return nil, errors.New("invalid expression")
	}
	name := f.expr[0]
	f.expr = f.expr[1:]
	switch name {
	case "-print":
		f.acts = true
		return func(x *found) bool { f.println(x.path); return true }, nil
	case "-print0":
		f.acts = true
		return func(x *found) bool { f.printf("%s\x00", x.path); return true }, nil
	case "-delete":
		f.acts, f.depthFirst = true, true
		return f.remove, nil
	case "-prune":
		return func(x *found) bool { x.prune = true; return true }, nil
	case "-quit":
		f.acts = true
		return func(*found) bool { f.quit = true; return true }, nil
	case "-depth":
		f.depthFirst = true
		return func(*found) bool { return true }, nil
	case "-true":
		return func(*found) bool { return true }, nil
	case "-false":
		return func(*found) bool { return false }, nil
	case "-mount", "-xdev":
		return func(*found) bool { return true }, nil
	case "-empty":
		return f.empty, nil
	case "-readable", "-writable", "-executable":
		want := map[string]fs.FileMode{"-readable": kernel.MayRead, "-writable": kernel.MayWrite, "-executable": kernel.MayExec}[name]
		return func(x *found) bool { return f.Access(x.path, want) == nil }, nil
	case "-exec", "-ok", "-execdir":
		return f.exec()
	}
	if !strings.HasPrefix(name, "-") || !knownTests[name] {
		return nil, fmt.Errorf("unknown predicate `%s'", name)
	}
	if len(f.expr) == 0 {
		return nil, fmt.Errorf("missing argument to `%s'", name)
	}
	arg := f.expr[0]
	f.expr = f.expr[1:]
	return f.test(name, arg)
}
