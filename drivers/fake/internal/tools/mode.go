package tools

import (
	"errors"
	"io/fs"
	"strconv"
	"strings"
)

var errMode = errors.New("invalid mode")

// ParseMode reads a mode as chmod takes it, octal or symbolic, on top of an old one.
func ParseMode(text string, old fs.FileMode, dir bool) (fs.FileMode, error) {
	if n, err := strconv.ParseUint(text, 8, 16); err == nil {
		if n > 0o7777 {
			return 0, errMode
		}
		mode := fs.FileMode(n & 0o777)
		for bit, flag := range map[uint64]fs.FileMode{0o4000: fs.ModeSetuid, 0o2000: fs.ModeSetgid, 0o1000: fs.ModeSticky} {
			if n&bit != 0 {
				mode |= flag
			}
		}
		return mode, nil
	}
	mode := old
	for clause := range strings.SplitSeq(text, ",") {
		at := strings.IndexAny(clause, "+-=")
		if at < 0 {
			return 0, errMode
		}
		var err error
		if mode, err = clauseMode(clause[:at], clause[at:], mode, dir); err != nil {
			return 0, err
		}
	}
	return mode, nil
}

// clauseMode applies one clause, such as "go" and "+rx-w".
func clauseMode(who, actions string, mode fs.FileMode, dir bool) (fs.FileMode, error) {
	var mask fs.FileMode
	for _, c := range who {
		switch c {
		case 'u':
			mask |= 0o700 | fs.ModeSetuid
		case 'g':
			mask |= 0o070 | fs.ModeSetgid
		case 'o':
			mask |= 0o007
		case 'a':
			mask |= 0o777 | fs.ModeSetuid | fs.ModeSetgid
		default:
			return 0, errMode
		}
	}
	if who == "" {
		mask = 0o777 | fs.ModeSetuid | fs.ModeSetgid
	}
	for actions != "" {
		op := actions[0]
		rest := actions[1:]
		end := strings.IndexAny(rest, "+-=")
		if end < 0 {
			end = len(rest)
		}
		var bits fs.FileMode
		for _, c := range rest[:end] {
			switch c {
			case 'r':
				bits |= 0o444
			case 'w':
				bits |= 0o222
			case 'x':
				bits |= 0o111
			case 'X':
				if dir || mode&0o111 != 0 {
					bits |= 0o111
				}
			case 's':
				bits |= fs.ModeSetuid | fs.ModeSetgid
			case 't':
				bits |= fs.ModeSticky
				mask |= fs.ModeSticky
			case 'u', 'g', 'o':
				part := mode.Perm() >> map[rune]uint{'u': 6, 'g': 3, 'o': 0}[c] & 7
				bits |= part<<6 | part<<3 | part
			default:
				return 0, errMode
			}
		}
		bits &= mask
		switch op {
		case '+':
			mode |= bits
		case '-':
			mode &^= bits
		default:
			mode = mode&^mask | bits
		}
		actions = rest[end:]
	}
	return mode, nil
}
