package shell

import (
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"
)

// builtinRead reads a line, byte by byte because what follows it is for others.
func builtinRead(s *shell, args []string) (int, flow) {
	raw := false
	args = args[1:]
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		switch {
		case args[0] == "-r":
			raw = true
		case args[0] == "-p" && len(args) > 1:
			s.warn(args[1])
			args = args[1:]
		default:
			s.errorf("read: Illegal option %s", args[0])
			return 2, flow{}
		}
		args = args[1:]
	}
	if len(args) == 0 {
		s.errorf("read: arg count")
		return 2, flow{}
	}
	for _, name := range args {
		if !syntax.ValidName(name) {
			s.errorf("read: %s: bad variable name", name)
			return 2, flow{}
		}
	}
	line, complete := s.readLine(raw)
	values := expand.ReadFields(s.prepare(), line, len(args), raw)
	for i, name := range args {
		value := ""
		if i < len(values) {
			value = values[i]
		}
		s.set(name, value)
	}
	return truth(complete), flow{}
}

func (s *shell) readLine(raw bool) (line string, complete bool) {
	var b strings.Builder
	var c [1]byte
	for b.Len() < maxScript {
		n, err := s.p.Read(0, c[:])
		switch {
		case n == 0 || err != nil:
			return b.String(), false
		case c[0] == '\n':
			return b.String(), true
		case c[0] == 0:
			continue
		case c[0] == '\\' && !raw:
			if n, _ := s.p.Read(0, c[:]); n > 0 && c[0] != '\n' {
				b.Write([]byte{'\\', c[0]})
			}
			continue
		}
		b.WriteByte(c[0])
	}
	return b.String(), false
}

// builtinGetopts parses options of a script, one with each call.
func builtinGetopts(s *shell, args []string) (int, flow) {
	if len(args) < 3 {
		s.errorf("getopts: Usage: getopts optstring var [arg...]")
		return 2, flow{}
	}
	spec, name, list := args[1], args[2], args[3:]
	if len(args) == 3 {
		list = s.args
	}
	silent := strings.HasPrefix(spec, ":")
	index, err := strconv.Atoi(s.get("OPTIND"))
	if err != nil || index < 1 {
		index, s.getopts = 1, 0
	}
	option, value, ok := s.nextOption(spec, list, &index)
	s.set("OPTIND", strconv.Itoa(index))
	delete(s.vars, "OPTARG")
	if !ok {
		s.set(name, "?")
		return 1, flow{}
	}
	at := strings.IndexByte(strings.TrimPrefix(spec, ":"), option)
	switch {
	case at < 0 || option == ':':
		s.set(name, "?")
		if silent {
			s.set("OPTARG", string(option))
		} else {
			s.warn("Illegal option -" + string(option) + "\n")
		}
	case value == nil && strings.HasPrefix(strings.TrimPrefix(spec, ":")[at+1:], ":"):
		if silent {
			s.set(name, ":")
			s.set("OPTARG", string(option))
		} else {
			s.set(name, "?")
			s.warn("No arg for -" + string(option) + " option\n")
		}
	default:
		s.set(name, string(option))
		if value != nil {
			s.set("OPTARG", *value)
		}
	}
	return 0, flow{}
}

// nextOption returns the next option of list, with its value if it takes and has one.
func (s *shell) nextOption(spec string, list []string, index *int) (option byte, value *string, ok bool) {
	if *index > len(list) {
		return 0, nil, false
	}
	arg := list[*index-1]
	if s.getopts == 0 || s.getopts >= len(arg) {
		s.getopts = 1
		if len(arg) < 2 || arg[0] != '-' {
			s.getopts = 0
			return 0, nil, false
		}
		if arg == "--" {
			*index++
			s.getopts = 0
			return 0, nil, false
		}
	}
	option = arg[s.getopts]
	s.getopts++
	at := strings.IndexByte(strings.TrimPrefix(spec, ":"), option)
	wants := at >= 0 && strings.HasPrefix(strings.TrimPrefix(spec, ":")[at+1:], ":")
	rest := arg[s.getopts:]
	if !wants && rest != "" {
		return option, nil, true
	}
	*index++
	s.getopts = 0
	switch {
	case !wants:
	case rest != "":
		value = &rest
	case *index <= len(list):
		value = &list[*index-1]
		*index++
	}
	return option, value, true
}
