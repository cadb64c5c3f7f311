package linux

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseStat(t *testing.T) {
	const rest = "1 2 3 0 -1 4194560 10 11 12 13 14 15 16 17 20 0 5 0 987654321 1000 22"
	want := proc{pid: 42, parent: 1, start: 987654321, state: 'S', threads: 5}
	for name, line := range map[string]string{
		"plain":               "42 (sh) S " + rest,
		"spaces":              "42 (a b c) S " + rest,
		"parenthesis":         "42 (x) R 7 (y)) S " + rest,
		"looks like a line":   "42 (1 (sh) Z 99 1) S " + rest,
		"line end":            "42 (\n) S " + rest + "\n",
		"empty name":          "42 () S " + rest,
		"cut after the start": "42 (sh) S " + strings.TrimSuffix(rest, " 1000 22"),
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := parseStat(42, line)
			require.True(t, ok)
			require.Equal(t, want, got)
		})
	}
	for _, bad := range []string{
		"", "42 (sh", "42 (sh)", "42 (sh) S", "42 (sh) S x 2 3 0 -1 4194560 10 11 12 13 14 15 16 17 20 0 5 0 987",
		"42 (sh) S 1 2 3 0 -1 4194560 10 11 12 13 14 15 16 17 20 0 x 0 987", "42 (sh) S 1 2 3 0 -1 4194560 10 11 12 13 14 15 16 17 20 0 5 0 -1",
	} {
		_, ok := parseStat(42, bad)
		require.False(t, ok, "%q", bad)
	}
	for _, c := range []struct {
		proc  proc
		ended bool
	}{
		{proc{state: 'Z'}, true}, {proc{state: 'Z', threads: 1}, true}, {proc{state: 'Z', threads: 2}, false},
		{proc{state: 'S', threads: 1}, false}, {proc{state: 'T', threads: 1}, false},
	} {
		require.Equal(t, c.ended, c.proc.ended(), "%+v", c.proc)
	}
}

func FuzzParseStat(f *testing.F) {
	own, err := os.ReadFile("/proc/self/stat")
	require.NoError(f, err)
	f.Add(string(own))
	f.Add("1 () S 0")
	f.Add("1 (((() ) S  0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0")
	f.Fuzz(func(t *testing.T, line string) {
		// A hostile process chooses its name. That must not lend it another's place in the tree.
		got, ok := parseStat(1, line)
		again, okAgain := parseStat(1, "1 (x) S 9 9) "+line)
		if strings.Contains(line, ")") && (got != again || ok != okAgain) {
			t.Errorf("parseStat(%q) = %+v, %v, but with another name %+v, %v", line, got, ok, again, okAgain)
		}
	})
}

const (
	mountsV1 = `25 30 0:22 / /sys ro,nosuid shared:7 - sysfs sysfs rw
33 25 0:28 / /sys/fs/cgroup ro shared:9 - tmpfs tmpfs ro,mode=755
35 33 0:30 /docker/abc /sys/fs/cgroup/cpu,cpuacct ro,nosuid master:16 - cgroup cgroup rw,cpu,cpuacct
36 33 0:31 /docker/abc /sys/fs/cgroup/memory ro,nosuid master:17 - cgroup cgroup rw,memory
`
	mountsHost = `36 33 0:31 / /sys/fs/cgroup/memory rw shared:17 - cgroup cgroup rw,memory
40 33 0:35 / /sys/fs/cgroup/unified rw shared:20 - cgroup2 cgroup2 rw,nsdelegate
`
	mountsV2 = `33 25 0:28 / /sys/fs/cgroup ro,nosuid - cgroup2 cgroup rw,nsdelegate,memory_recursiveprot
`
	mountsNested = `33 25 0:28 /system.slice/pod /sys/fs/cgroup ro,nosuid - cgroup2 cgroup rw
`
)

func TestLocateCgroup(t *testing.T) {
	for _, c := range []struct {
		name, controller, paths, mounts string
		top, dir                        string
	}{
		{"v1 container", "memory", "11:memory:/docker/abc\n1:name=systemd:/docker/abc\n", mountsV1, "/sys/fs/cgroup/memory", "/sys/fs/cgroup/memory"},
		{"v1 joined controllers", "cpu", "3:cpu,cpuacct:/docker/abc\n", mountsV1, "/sys/fs/cgroup/cpu,cpuacct", "/sys/fs/cgroup/cpu,cpuacct"},
		{"v1 below", "memory", "11:memory:/docker/abc/inner\n", mountsV1, "/sys/fs/cgroup/memory", "/sys/fs/cgroup/memory/inner"},
		{"v1 path that only begins alike", "memory", "11:memory:/docker/abcdef\n", mountsV1, "/sys/fs/cgroup/memory", "/sys/fs/cgroup/memory"},
		{"v1 host", "memory", "11:memory:/user.slice/a\n0::/init\n", mountsHost, "/sys/fs/cgroup/memory", "/sys/fs/cgroup/memory/user.slice/a"},
		{"v1 own namespace", "memory", "11:memory:/\n", mountsHost, "/sys/fs/cgroup/memory", "/sys/fs/cgroup/memory"},
		{"v1 outside the namespace", "memory", "11:memory:/../other\n", mountsHost, "/sys/fs/cgroup/memory", "/sys/fs/cgroup/memory"},
		{"v1 not mounted", "pids", "11:memory:/docker/abc\n", mountsV1, "", ""},
		{"v1 mounted but not a member", "memory", "11:pids:/docker/abc\n", mountsV1, "", ""},
		{"v1 in a system of v2", "memory", "0::/\n", mountsV2, "", ""},
		{"v2 container", "", "0::/\n", mountsV2, "/sys/fs/cgroup", "/sys/fs/cgroup"},
		{"v2 host", "", "0::/user.slice/user-0.slice\n", mountsV2, "/sys/fs/cgroup", "/sys/fs/cgroup/user.slice/user-0.slice"},
		{"v2 nested", "", "0::/system.slice/pod/box\n", mountsNested, "/sys/fs/cgroup", "/sys/fs/cgroup/box"},
		{"v2 outside the namespace", "", "0::/../../other\n", mountsV2, "/sys/fs/cgroup", "/sys/fs/cgroup"},
		{"v2 beside v1", "", "11:memory:/a\n0::/b\n", mountsHost, "/sys/fs/cgroup/unified", "/sys/fs/cgroup/unified/b"},
		{"named hierarchy is not v2", "", "1:name=systemd:/a\n", mountsV2, "", ""},
		{"empty", "memory", "", "", "", ""},
		{"cut off", "memory", "11:memory\n:\n", "36 33 0:31\n - \n36 33 0:31 / / - cgroup", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, ok := locate(c.controller, c.paths, c.mounts)
			require.Equal(t, c.top != "", ok)
			require.Equal(t, cgroup{top: c.top, dir: c.dir}, got)
		})
	}
}

func FuzzLocateCgroup(f *testing.F) {
	f.Add("memory", "11:memory:/docker/abc\n", mountsV1)
	f.Add("", "0::/a\n", mountsV2)
	f.Add("", "0::/../a\n", mountsNested)
	f.Fuzz(func(t *testing.T, controller, paths, mounts string) {
		c, ok := locate(controller, paths, mounts)
		if !ok {
			require.Equal(t, cgroup{}, c)
			return
		}
		steps := 0
		for dir := range c.up() {
			require.True(t, within(c.top, dir), "%q is not below %q", dir, c.top)
			steps++
		}
		require.Positive(t, steps)
	})
}

func within(top, dir string) bool {
	top, dir = filepath.Clean("/"+top), filepath.Clean("/"+dir)
	return dir == top || strings.HasPrefix(dir, strings.TrimSuffix(top, "/")+"/")
}

func TestLimitsOfACgroup(t *testing.T) {
	top := t.TempDir()
	dir := filepath.Join(top, "a", "b")
	require.NoError(t, os.MkdirAll(dir, 0o755))
	c := cgroup{top: top, dir: dir}
	require.Equal(t, []string{dir, filepath.Dir(dir), top}, slices.Collect(c.up()))
	require.Empty(t, slices.Collect(cgroup{}.up()))
	require.Zero(t, c.smallest("memory.max"))
	for _, step := range []struct {
		dir, text string
		want      int64
	}{
		{dir, "max\n", 0},
		{top, "9223372036854771712\n", 0}, // how version 1 says none
		{top, "1073741824\n", 1 << 30},
		{dir, "2147483648\n", 1 << 30},
		{filepath.Dir(dir), "536870912\n", 1 << 29},
		{top, "garbage\n", 1 << 29},
		{filepath.Dir(dir), "-1\n", 1 << 31},
	} {
		require.NoError(t, os.WriteFile(filepath.Join(step.dir, "memory.max"), []byte(step.text), 0o644))
		require.Equal(t, step.want, c.smallest("memory.max"), "after %q", step.text)
	}
	require.True(t, c.allows("memory.max", "garbage"))
	require.False(t, c.allows("memory.max", "0"))
}

func TestOOMKills(t *testing.T) {
	for text, want := range map[string]int64{
		"": 0,
		"oom_kill_disable 0\nunder_oom 0\noom_kill 7\n":               7, // version 1
		"low 0\nhigh 0\nmax 5\noom 3\noom_kill 2\noom_group_kill 1\n": 2,
		"oom_kill\n":   0,
		"oom_kill x\n": 0,
	} {
		require.Equal(t, want, oomKills(text), "%q", text)
	}
}

func TestSignalNames(t *testing.T) {
	for n, want := range map[int]string{0: "SIG0", 1: "SIGHUP", 9: "SIGKILL", 15: "SIGTERM", 17: "SIGCHLD", 31: "SIGSYS", 32: "SIGRTMIN+0", 34: "SIGRTMIN+2", 64: "SIGRTMIN+32"} {
		require.Equal(t, want, signalName(n), fmt.Sprint(n))
	}
}
