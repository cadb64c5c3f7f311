package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"github.com/docker/go-units"

	"github.com/caisson-dev/caisson/core"
)

// remedies says what to do about a driver that cannot be used.
func (d *diagnosis) remedies(err error) []string {
	scheme, _, _ := strings.Cut(d.Driver, ":")
	start, variable := "start Docker, for example with: systemctl start docker", "DOCKER_HOST"
	if scheme == "podman" {
		user := "--user "
		if os.Getuid() == 0 {
			user = ""
		}
		start, variable = "start Podman's service, for example with: systemctl "+user+"start podman.socket", "CONTAINER_HOST"
	}
	switch code := core.CodeOf(err); {
	case code == core.ErrUnsupported:
		return []string{"use an engine that can enforce it, or do without by name: caisson run --allow PROTECTION"}
	case d.Engine != "": // it answers, but no sandbox could be started
		return []string{"see the reason above"}
	case scheme != "docker" && scheme != "podman":
		return []string{"correct the URL, or see caisson doctor without --driver"}
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EACCES), strings.Contains(err.Error(), "permission denied"):
		return []string{"let this user open the engine's socket (it gives root on that host), or use a rootless engine", "if the engine is elsewhere, set " + variable}
	case code == core.ErrUnavailable, code == core.ErrTimeout, code == core.ErrCanceled:
		return []string{start, "if the engine is elsewhere, set " + variable + " or give --driver " + scheme + ":///path/to.sock"}
	}
	return []string{"see the reason above"}
}

// suggestions says what to do with a driver that can be used.
func (d *diagnosis) suggestions() []string {
	run := "caisson run --driver " + d.Driver + " "
	var list []string
	if d.Isolation.Level == "none" {
		return []string{"for trying things out and for tests only: " + run + "-c 'echo hello'"}
	}
	for _, missing := range d.Isolation.Missing {
		run += "--allow " + string(missing) + " "
	}
	if n := len(d.Isolation.Missing); n > 0 && d.Isolation.Rootless && d.Isolation.CgroupVersion < 2 {
		list = append(list, "a rootless engine enforces limits with cgroup v2 only: boot the host with it, or use a rootful engine")
	}
	return append(list, run+"-c 'echo hello'")
}

// printDiagnoses prints one paragraph for each driver, and which one auto: takes.
func printDiagnoses(w io.Writer, found []*diagnosis) error {
	var b strings.Builder
	auto := "auto: finds no container engine\n"
	for i, d := range found {
		if i > 0 {
			b.WriteByte('\n')
		}
		d.print(&b)
	}
	for i := len(found) - 1; i >= 0; i-- {
		if found[i].isEngine() {
			auto = "auto: uses " + found[i].Driver + "\n"
		}
	}
	if len(found) > 1 {
		b.WriteString("\n" + auto)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (d *diagnosis) print(b *strings.Builder) {
	state := "cannot be used"
	if d.Usable {
		state = "ready"
	}
	fmt.Fprintf(b, "%s %s\n", d.Driver, state)
	line := func(label, text string) { fmt.Fprintf(b, "  %-10s %s\n", label, text) }
	if d.Error != nil {
		line("why", d.Error.Message)
	}
	if d.Engine != "" {
		line("engine", fmt.Sprintf("%s %s%s, %s/%s%s", d.Engine, d.Version, before(", API ", d.APIVersion), d.OS, d.Arch, before(", at ", d.Endpoint)))
	}
	if d.Isolation != nil {
		line("isolation", d.Isolation.String())
	}
	if d.Probe != nil {
		line("probe", d.Probe.String())
	}
	for i, next := range d.Next {
		line(map[bool]string{true: "next"}[i == 0], next)
	}
}

func (i *isolation) String() string {
	if i.Level == "none" {
		return "none: code in it is imitated, not confined"
	}
	parts := []string{i.Level + before(" by ", i.Runtime)}
	if i.Rootless {
		parts = append(parts, "rootless")
	} else {
		parts = append(parts, "engine is root")
	}
	if i.CgroupVersion > 0 {
		parts = append(parts, fmt.Sprintf("cgroup v%d", i.CgroupVersion))
	}
	if i.Seccomp {
		parts = append(parts, "seccomp")
	}
	if len(i.LSM) > 0 {
		parts = append(parts, i.LSM...)
	} else {
		parts = append(parts, "no AppArmor or SELinux")
	}
	for _, m := range i.Missing {
		parts = append(parts, "not enforced: "+string(m))
	}
	return strings.Join(parts, ", ")
}

func (p *probe) String() string {
	parts := []string{fmt.Sprintf("user %d:%d", p.UID, p.GID)}
	for _, fact := range []struct {
		holds    bool
		yes, not string
	}{
		{p.Capabilities == 0, "no capabilities", fmt.Sprintf("CAPABILITIES %#x", p.Capabilities)},
		{p.NoNewPrivs, "no new privileges", "NEW PRIVILEGES POSSIBLE"},
		{p.Seccomp, "seccomp", "NO SECCOMP"},
		{p.Memory > 0, units.BytesSize(float64(p.Memory)) + " memory", "NO MEMORY LIMIT"},
		{p.CPUs > 0, fmt.Sprintf("%v cpus", p.CPUs), "NO CPU LIMIT"},
		{p.PIDs > 0, fmt.Sprintf("%d processes", p.PIDs), "NO PROCESS LIMIT"},
	} {
		if fact.holds {
			parts = append(parts, fact.yes)
		} else {
			parts = append(parts, fact.not)
		}
	}
	return strings.Join(parts, ", ")
}

// before returns s after prefix, or nothing for an empty s.
func before(prefix, s string) string {
	if s == "" {
		return ""
	}
	return prefix + s
}
