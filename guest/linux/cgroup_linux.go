package linux

import (
	"iter"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// A cgroup is where this process stands in one hierarchy.
type cgroup struct {
	top string // where the hierarchy is mounted; empty if it is not
	dir string // of this process, top or below it
}

// findCgroup returns the cgroup of a controller, and whether its hierarchy is version 2.
func findCgroup(controller string) (_ cgroup, v2 bool) {
	paths, _ := os.ReadFile("/proc/self/cgroup")
	mounts, _ := os.ReadFile("/proc/self/mountinfo")
	if c, ok := locate(controller, string(paths), string(mounts)); ok {
		return c, false
	}
	c, ok := locate("", string(paths), string(mounts))
	return c, ok
}

// locate finds the cgroup of a version 1 controller, or of version 2 if that
// is empty, in the text of /proc/self/cgroup and /proc/self/mountinfo.
func locate(controller, paths, mounts string) (cgroup, bool) {
	own, known := "", false
	for line := range strings.Lines(paths) {
		// "4:memory:/path", or "0::/path" in version 2
		_, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
		controllers, p, _ := strings.Cut(rest, ":")
		if slices.Contains(strings.Split(controllers, ","), controller) && (controller != "" || strings.HasPrefix(line, "0::")) {
			own, known = p, true
		}
	}
	for line := range strings.Lines(mounts) {
		// "id parent major:minor root mountpoint options ... - type source superoptions"
		place, kind, _ := strings.Cut(strings.TrimSpace(line), " - ")
		where, what := strings.Fields(place), strings.Fields(kind)
		if !known || len(where) < 5 || len(what) < 3 {
			continue
		}
		if controller == "" && what[0] != "cgroup2" ||
			controller != "" && (what[0] != "cgroup" || !slices.Contains(strings.Split(what[2], ","), controller)) {
			continue
		}
		c := cgroup{top: where[4], dir: where[4]}
		// The mount shows the hierarchy from its root on; a path outside that is not visible.
		below, ok := strings.CutPrefix(own, strings.TrimSuffix(where[3], "/"))
		if ok && strings.HasPrefix(below, "/") && !strings.HasPrefix(below, "/..") {
			c.dir = path.Join(c.top, below)
		}
		return c, true
	}
	return cgroup{}, false
}

// up yields the cgroup's directory and those above it, which limit it as well.
func (c cgroup) up() iter.Seq[string] {
	return func(yield func(string) bool) {
		if c.top == "" {
			return
		}
		for dir := c.dir; ; dir = path.Dir(dir) {
			if !yield(dir) || dir == c.top || dir == "/" {
				return
			}
		}
	}
}

// unlimited is about where version 1 has "none", which depends on the page size.
const unlimited = 1 << 62

// smallest returns the smallest value of a limit, or 0 if there is none.
func (c cgroup) smallest(file string) int64 {
	var limit int64
	for dir := range c.up() {
		n, err := strconv.ParseInt(read(dir, file), 10, 64)
		if err == nil && n > 0 && n < unlimited && (limit == 0 || n < limit) {
			limit = n
		}
	}
	return limit
}

// allows reports whether a limit has the given text anywhere.
func (c cgroup) allows(file, text string) bool {
	for dir := range c.up() {
		if read(dir, file) == text {
			return true
		}
	}
	return false
}

func read(dir, file string) string {
	text, err := os.ReadFile(path.Join(dir, file))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// An oomCounter counts how often the kernel has killed a process of the
// sandbox for want of memory. If it cannot be read the count is always 0.
type oomCounter struct{ fd int }

func (c *oomCounter) open() {
	c.fd = -1
	memory, v2 := findCgroup("memory")
	file := "memory.oom_control"
	if v2 {
		file = "memory.events"
	}
	if memory.top != "" {
		if fd, err := unix.Open(path.Join(memory.dir, file), unix.O_RDONLY|unix.O_CLOEXEC, 0); err == nil {
			c.fd = fd
		}
	}
}

func (c *oomCounter) count() int64 {
	if c.fd < 0 {
		return 0
	}
	var buf [512]byte
	n, err := unix.Pread(c.fd, buf[:], 0)
	if err != nil {
		return 0
	}
	return oomKills(string(buf[:n]))
}

func oomKills(text string) int64 {
	for line := range strings.Lines(text) {
		if count, ok := strings.CutPrefix(strings.TrimSpace(line), "oom_kill "); ok {
			n, _ := strconv.ParseInt(count, 10, 64)
			return n
		}
	}
	return 0
}
