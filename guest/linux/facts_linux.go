package linux

import (
	"errors"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"github.com/caisson-dev/caisson/guest/protocol"
	"golang.org/x/sys/unix"
)

// facts returns what the kernel enforces on this process.
func facts() *protocol.Facts {
	f := &protocol.Facts{Arch: runtime.GOARCH, UID: os.Getuid(), GID: os.Getgid()}
	f.Groups, _ = os.Getgroups()
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		value = strings.TrimSpace(value)
		switch key {
		case "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb":
			set, _ := strconv.ParseUint(value, 16, 64)
			f.Capabilities |= set
		case "NoNewPrivs":
			f.NoNewPrivs = value == "1"
		case "Seccomp":
			f.Seccomp, _ = strconv.Atoi(value)
		}
	}
	f.OwnFilter = errors.Is(unix.Unshare(protocol.FilterMark), syscall.Errno(protocol.FilterAnswer))
	var root unix.Statfs_t
	if unix.Statfs("/", &root) == nil {
		f.ReadOnlyRoot = root.Flags&unix.ST_RDONLY != 0
	}
	limits(f)
	return f
}

// limits fills in the limits of the cgroup. One that cannot be read is 0, as if there were none.
func limits(f *protocol.Facts) {
	memory, v2 := findCgroup("memory")
	if v2 {
		f.Memory = memory.smallest("memory.max")
		if swap := memory.smallest("memory.swap.max"); f.Memory > 0 && (swap > 0 || memory.allows("memory.swap.max", "0")) {
			f.Swap = f.Memory + swap
		}
	} else {
		f.Memory = memory.smallest("memory.limit_in_bytes")
		f.Swap = memory.smallest("memory.memsw.limit_in_bytes")
	}
	pids, _ := findCgroup("pids")
	f.PIDs = pids.smallest("pids.max")
	cpu, v2 := findCgroup("cpu")
	for dir := range cpu.up() {
		var quota, period string
		if v2 {
			quota, period, _ = strings.Cut(read(dir, "cpu.max"), " ")
		} else {
			quota, period = read(dir, "cpu.cfs_quota_us"), read(dir, "cpu.cfs_period_us")
		}
		q, err := strconv.ParseFloat(quota, 64)
		p, err2 := strconv.ParseFloat(period, 64)
		if err == nil && err2 == nil && q > 0 && p > 0 && (f.CPUs == 0 || q/p < f.CPUs) {
			f.CPUs = q / p
		}
	}
}
