package tools

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/caisson-dev/caisson/drivers/fake/internal/kernel"
)

// id shows who the process is.
func id(t *tool) {
	user := t.User
	if len(t.args) > 0 {
		fields := t.lookup("/etc/passwd", 0, t.args[0])
		if fields == nil {
			t.errorf("%s: no such user", quote(t.args[0]))
			return
		}
		user.UID, _ = strconv.Atoi(fields[2])
		user.GID, _ = strconv.Atoi(fields[3])
	}
	userName, groupName := t.owner("/etc/passwd", user.UID, false), t.owner("/etc/group", user.GID, false)
	show := func(number int, name string) {
		if t.has("n") {
			t.println(name)
		} else {
			t.printf("%d\n", number)
		}
	}
	named := func(number int, name string) string {
		if name == strconv.Itoa(number) {
			return name
		}
		return fmt.Sprintf("%d(%s)", number, name)
	}
	switch {
	case t.has("u"):
		show(user.UID, userName)
	case t.has("gG"):
		show(user.GID, groupName)
	default:
		group := named(user.GID, groupName)
		t.printf("uid=%s gid=%s groups=%s\n", named(user.UID, userName), group, group)
	}
}

func whoami(t *tool) {
	if len(t.args) > 0 {
		t.usage("extra operand %s", quote(t.args[0]))
		return
	}
	name := t.owner("/etc/passwd", t.User.UID, false)
	if name == strconv.Itoa(t.User.UID) {
		t.errorf("cannot find name for user ID %s", name)
		return
	}
	t.println(name)
}

func groups(t *tool) { t.println(t.owner("/etc/group", t.User.GID, false)) }

func hostname(t *tool) { t.println(t.Kernel().Hostname) }

func nproc(t *tool) { t.println("1") }

func uptime(t *tool) {
	t.printf(" %s up %d min,  0 users,  load average: 0.00, 0.00, 0.00\n", time.Now().UTC().Format("15:04:05"), int(t.Kernel().Uptime().Minutes()))
}

// uname shows the system.
func uname(t *tool) {
	machine := "x86_64"
	if t.Kernel().Arch == "arm64" {
		machine = "aarch64"
	}
	var parts []string
	for _, part := range []struct{ flag, text string }{
		{"s", "Linux"},
		{"n", t.Kernel().Hostname},
		{"r", kernel.Release},
		{"v", "#1 fake"},
		{"m", machine},
		{"o", "GNU/Linux"},
	} {
		if t.has("a"+part.flag) || len(t.options) == 0 && part.flag == "s" {
			parts = append(parts, part.text)
		}
	}
	if len(parts) == 0 {
		parts = []string{"unknown"} // -p and -i
	}
	t.println(strings.Join(parts, " "))
}

// pwd shows the directory without links, as the program of that name does.
func pwd(t *tool) {
	dir := t.Dir
	if real, err := t.Resolve(dir); err == nil && !t.has("L") {
		dir = real
	}
	t.println(dir)
}

// which finds programs.
func which(t *tool) {
	search, _ := t.Getenv("PATH")
	for _, name := range t.args {
		file, err := t.Lookup(name, search)
		if err == nil {
			err = t.Access(file, kernel.MayExec)
		}
		if err != nil {
			t.status = 1
			continue
		}
		t.println(file)
	}
	if len(t.args) == 0 {
		t.status = 1
	}
}

func sync(*tool) {}

// df shows how full the volumes are.
func df(t *tool) {
	names := t.args
	if len(names) == 0 {
		names = []string{"/", "/tmp", t.Dir}
	}
	t.println("Filesystem     1K-blocks    Used Available Use% Mounted on")
	for _, name := range names {
		used, limit, err := t.Statfs(name)
		if err != nil {
			t.errorf("%s: %s", name, kernel.Reason(err))
			continue
		}
		used, limit = used>>10, limit>>10
		percent := int64(0)
		if limit > 0 {
			percent = (used*100 + limit - 1) / limit
		}
		t.printf("%-14s %9d %7d %9d %3d%% %s\n", "memory", limit, used, max(limit-used, 0), percent, name)
	}
}
