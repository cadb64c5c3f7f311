package tools

import (
	"io/fs"
	"strconv"
	"strings"

	"github.com/caisson-dev/caisson/drivers/fake/internal/kernel"
)

// test evaluates a condition; "[" wants a "]" at its end.
func test(t *tool) {
	args := t.args
	if t.name == "[" {
		if len(args) == 0 || args[len(args)-1] != "]" {
			t.errorf("missing ]")
			t.status = 2
			return
		}
		args = args[:len(args)-1]
	}
	e := evaluator{tool: t, args: args}
	yes := len(args) > 0 && e.or()
	switch {
	case !e.failed && len(e.args) > 0:
		e.fail("extra argument %s", quote(e.args[0]))
		fallthrough
	case e.failed:
		t.status = 2
	case !yes:
		t.status = 1
	}
}

// evaluator takes a condition apart from left to right.
type evaluator struct {
	*tool
	args   []string
	depth  int
	failed bool
}

func (e *evaluator) fail(format string, args ...any) bool {
	if !e.failed {
		e.errorf(format, args...)
	}
	e.failed, e.args = true, nil
	return false
}

func (e *evaluator) accept(word string) bool {
	if len(e.args) > 0 && e.args[0] == word {
		e.args = e.args[1:]
		return true
	}
	return false
}

func (e *evaluator) or() bool {
	yes := e.and()
	for e.accept("-o") {
		other := e.and()
		yes = yes || other
	}
	return yes
}

func (e *evaluator) and() bool {
	yes := e.not()
	for e.accept("-a") {
		other := e.not()
		yes = yes && other
	}
	return yes
}

func (e *evaluator) not() bool {
	if e.depth++; e.depth > maxNesting {
		return e.fail("expression nested too deeply")
	}
	defer func() { e.depth-- }()
	// What stands before a binary operator is a text, whatever it looks like.
	if len(e.args) > 1 && e.args[0] == "!" && !(len(e.args) >= 3 && isBinary(e.args[1])) {
		e.args = e.args[1:]
		return !e.not()
	}
	return e.primary()
}

func (e *evaluator) primary() bool {
	switch {
	case len(e.args) == 0:
		return e.fail("argument expected")
	case len(e.args) >= 3 && isBinary(e.args[1]):
		left, op, right := e.args[0], e.args[1], e.args[2]
		e.args = e.args[3:]
		return e.binary(left, op, right)
	case len(e.args) > 2 && e.args[0] == "(":
		e.args = e.args[1:]
		yes := e.or()
		if !e.accept(")") {
			return e.fail("‘)’ expected")
		}
		return yes
	case len(e.args) >= 2 && len(e.args[0]) == 2 && e.args[0][0] == '-' && strings.IndexByte("bcdefghLknoprsStuwxzGO", e.args[0][1]) >= 0:
		op, arg := e.args[0][1], e.args[1]
		e.args = e.args[2:]
		return e.unary(op, arg)
	default:
		arg := e.args[0]
		e.args = e.args[1:]
		return arg != ""
	}
}

func isBinary(op string) bool {
	switch op {
	case "=", "==", "!=", "<", ">", "-eq", "-ne", "-lt", "-le", "-gt", "-ge", "-nt", "-ot", "-ef":
		return true
	}
	return false
}

func (e *evaluator) binary(left, op, right string) bool {
	switch op {
	case "=", "==":
		return left == right
	case "!=":
		return left != right
	case "<":
		return left < right
	case ">":
		return left > right
	case "-nt", "-ot", "-ef":
		return e.compareFiles(left, op, right)
	}
	a, ok := e.integer(left)
	b, ok2 := e.integer(right)
	if !ok || !ok2 {
		return false
	}
	switch op {
	case "-eq":
		return a == b
	case "-ne":
		return a != b
	case "-lt":
		return a < b
	case "-le":
		return a <= b
	case "-gt":
		return a > b
	default:
		return a >= b
	}
}

func (e *evaluator) integer(text string) (int64, bool) {
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil {
		return 0, e.fail("Illegal number: %s", text)
	}
	return n, true
}

func (e *evaluator) compareFiles(left, op, right string) bool {
	a, errA := e.Stat(left)
	b, errB := e.Stat(right)
	switch op {
	case "-ef":
		return errA == nil && errB == nil && a.Inode == b.Inode
	case "-ot":
		a, errA, b, errB = b, errB, a, errA
	}
	return errA == nil && (errB != nil || a.ModTime.After(b.ModTime))
}

func (e *evaluator) unary(op byte, arg string) bool {
	switch op {
	case 'n':
		return arg != ""
	case 'z':
		return arg == ""
	case 't', 'o':
		return false // there is no terminal
	case 'r':
		return e.Access(arg, kernel.MayRead) == nil
	case 'w':
		return e.Access(arg, kernel.MayWrite) == nil
	case 'x':
		return e.Access(arg, kernel.MayExec) == nil
	}
	look := e.Stat
	if op == 'h' || op == 'L' {
		look = e.Lstat
	}
	info, err := look(arg)
	if err != nil {
		return false
	}
	switch op {
	case 'e':
		return true
	case 'f':
		return info.Mode.IsRegular()
	case 'd':
		return info.IsDir()
	case 'h', 'L':
		return info.Mode&fs.ModeSymlink != 0
	case 'p':
		return info.Mode&fs.ModeNamedPipe != 0
	case 'S':
		return info.Mode&fs.ModeSocket != 0
	case 'c':
		return info.Mode&fs.ModeCharDevice != 0
	case 'b':
		return info.Mode&fs.ModeDevice != 0 && info.Mode&fs.ModeCharDevice == 0
	case 's':
		return info.Size > 0
	case 'u':
		return info.Mode&fs.ModeSetuid != 0
	case 'g':
		return info.Mode&fs.ModeSetgid != 0
	case 'k':
		return info.Mode&fs.ModeSticky != 0
	case 'O':
		return info.UID == e.User.UID
	default: // G
		return info.GID == e.User.GID
	}
}
