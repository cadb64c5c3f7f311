package tools

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caisson-dev/caisson/drivers/fake/internal/kernel"
)

// ps shows processes: those of the user, or all.
func ps(t *tool) {
	all, full := false, false
	var columns, pids []string
	args := t.args
	for i := 0; i < len(args); i++ {
		arg := args[i]
		value := func() string {
			i++
			if i < len(args) {
				return args[i]
			}
			return ""
		}
		switch {
		case arg == "-o" || arg == "-eo" || arg == "-Ao" || arg == "o" || arg == "-axo":
			all = all || strings.ContainsAny(arg, "eAx")
			columns = append(columns, strings.Split(value(), ",")...)
		case strings.HasPrefix(arg, "-o"):
			columns = append(columns, strings.Split(arg[2:], ",")...)
		case arg == "-p" || arg == "--pid":
			pids = append(pids, strings.FieldsFunc(value(), func(r rune) bool { return r == ',' || r == ' ' })...)
		case strings.HasPrefix(arg, "--no-head"):
			for i, c := range columns {
				if !strings.Contains(c, "=") {
					columns[i] = c + "="
				}
			}
		default:
			all = all || strings.ContainsAny(arg, "eAax")
			full = full || strings.ContainsAny(arg, "fu")
		}
	}
	if len(columns) == 0 {
		columns = []string{"pid", "tty", "time", "comm"}
		if full {
			columns = []string{"user", "pid", "ppid", "stat", "time", "args"}
		} else if all && slices.Contains(args, "ax") {
			columns = []string{"pid", "tty", "stat", "time", "args"}
		}
	}
	rows := [][]string{t.psHead(columns)}
	for _, p := range t.Kernel().Processes() {
		switch {
		case len(pids) > 0:
			if !slices.Contains(pids, strconv.Itoa(p.PID)) {
				continue
			}
		case !all && p.User != t.User:
			continue
		}
		row := make([]string, len(columns))
		for i, c := range columns {
			name, _, _ := strings.Cut(c, "=")
			row[i] = t.psCell(name, &p)
		}
		rows = append(rows, row)
	}
	if len(pids) > 0 && len(rows) == 1 {
		t.status = 1
	}
	widths := make([]int, len(columns))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], len(cell))
		}
	}
	for n, row := range rows {
		if n == 0 && strings.Join(row, "") == "" {
			continue
		}
		var b strings.Builder
		for i, cell := range row {
			name, _, _ := strings.Cut(columns[i], "=")
			switch {
			case slices.Contains([]string{"pid", "ppid", "pgid", "sid", "uid", "gid", "nlwp"}, name):
				fmt.Fprintf(&b, "%*s ", widths[i], cell)
			case i == len(row)-1:
				b.WriteString(cell + " ")
			default:
				fmt.Fprintf(&b, "%-*s ", widths[i], cell)
			}
		}
		t.println(strings.TrimSuffix(b.String(), " "))
	}
}

func (t *tool) psHead(columns []string) []string {
	row := make([]string, len(columns))
	for i, c := range columns {
		name, head, given := strings.Cut(c, "=")
		switch {
		case given:
			row[i] = head
		case name == "comm":
			row[i] = "CMD"
		case name == "args", name == "cmd", name == "command":
			row[i] = "COMMAND"
		case name == "stat":
			row[i] = "STAT"
		case name == "tty":
			row[i] = "TTY"
		case name == "state", name == "s":
			row[i] = "S"
		default:
			row[i] = strings.ToUpper(name)
		}
	}
	return row
}

func (t *tool) psCell(column string, p *kernel.Info) string {
	switch column {
	case "pid":
		return strconv.Itoa(p.PID)
	case "ppid":
		return strconv.Itoa(p.Parent)
	case "pgid", "pgrp":
		return strconv.Itoa(p.Group)
	case "sid", "sess", "session":
		return strconv.Itoa(p.Session)
	case "uid":
		return strconv.Itoa(p.User.UID)
	case "gid":
		return strconv.Itoa(p.User.GID)
	case "user", "euser":
		return t.owner("/etc/passwd", p.User.UID, false)
	case "stat", "state", "s":
		return string(p.State)
	case "tty":
		return "?"
	case "time":
		return "00:00:00"
	case "etimes":
		return strconv.Itoa(int(time.Since(p.Started).Seconds()))
	case "nlwp":
		return "1"
	case "comm", "ucmd":
		return p.Comm()
	case "args", "cmd", "command":
		if p.State == 'Z' {
			return "[" + p.Comm() + "] <defunct>"
		}
		return strings.Join(p.Args, " ")
	default:
		return "-"
	}
}

// pgrep finds processes by a pattern; pkill signals them.
func pgrep(t *tool) {
	sig := kernel.SIGTERM
	if t.name == "pkill" && len(t.args) > 0 && strings.HasPrefix(t.args[0], "-") {
		if s, ok := kernel.ParseSignal(t.args[0][1:]); ok {
			sig, t.args = s, t.args[1:]
		}
	}
	if !t.parse(entry{flags: "flnxu:P:a", long: "full=f list-name=l"}) {
		return
	}
	if len(t.args) != 1 {
		t.errorf("no matching criteria specified")
		t.status = 2
		return
	}
	re, err := (&tool{options: []option{{flag: 'E'}}}).compile(t.args[:1])
	if err != nil {
		t.errorf("%s", reasonRE(err))
		t.status = 2
		return
	}
	t.status = 1
	for _, p := range t.Kernel().Processes() {
		text := p.Comm()
		if t.has("f") {
			text = strings.Join(p.Args, " ")
		}
		if p.PID == t.PID || p.State == 'Z' || !re.MatchString(text) || t.has("x") && re.FindString(text) != text {
			continue
		}
		if parent := t.value('P', ""); parent != "" && parent != strconv.Itoa(p.Parent) {
			continue
		}
		if t.name == "pkill" {
			if err := t.Kill(p.PID, sig); err != nil {
				t.errorf("killing pid %d failed: %s", p.PID, kernel.Reason(err))
				continue
			}
			t.status = 0
			continue
		}
		t.status = 0
		switch {
		case t.has("a"):
			t.printf("%d %s\n", p.PID, strings.Join(p.Args, " "))
		case t.has("l"):
			t.printf("%d %s\n", p.PID, p.Comm())
		default:
			t.printf("%d\n", p.PID)
		}
	}
}
