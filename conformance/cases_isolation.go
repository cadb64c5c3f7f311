package conformance

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caisson-dev/caisson/core"
)

// What keeps a sandbox apart. Nothing here sends a packet or touches what is
// not the sandbox's own: that there is no way out is shown by what is there.
func isolationCases() []Case {
	cases := []Case{
		{ID: "isolation/capabilities", Title: "no process has a capability, in any set", Run: func(e *Env) {
			for _, set := range []string{"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"} {
				want(e, set, e.status(e.Sandbox(), set), "0000000000000000")
			}
		}},
		{ID: "isolation/no-new-privileges", Title: "no program gives new privileges", Run: func(e *Env) {
			want(e, "NoNewPrivs", e.status(e.Sandbox(), "NoNewPrivs"), "1")
		}},
		{ID: "isolation/seccomp", Title: "system calls are filtered", Run: func(e *Env) {
			want(e, "Seccomp", e.status(e.Sandbox(), "Seccomp"), "2")
		}},
		{ID: "isolation/ids", Title: "commands run as the runtime's user, never as root or in its group", Run: func(e *Env) {
			sb := e.Sandbox()
			want(e, "user and group", e.sh(sb, "echo $(id -u):$(id -g)"), sb.Spec().Runtime.User+"\n")
			for _, g := range strings.Fields(e.sh(sb, "id -G")) {
				want(e, "group "+g+" is root's", g == "0", false)
			}
		}},
		{ID: "isolation/network", Title: "with network none there is the loopback interface and no route", Run: func(e *Env) {
			sb := e.Sandbox()
			want(e, "Network", sb.Spec().Network, core.NetworkNone)
			want(e, "interfaces", e.sh(sb, "tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '"), "lo\n")
			want(e, "routes", e.sh(sb, "tail -n +2 /proc/net/route"), "")
		}},
		{ID: "isolation/read-only-root", Title: "the root file system cannot be written; work directory and /tmp can, and run programs", Run: readOnlyRoot},
		{ID: "isolation/devices", Title: "/dev holds the standard devices and no disk", Run: func(e *Env) {
			sb := e.Sandbox()
			want(e, "block devices", e.sh(sb, "find /dev -type b 2>/dev/null; true"), "")
			standard := " console core fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero "
			for _, name := range strings.Fields(e.sh(sb, "ls /dev")) {
				want(e, "/dev/"+name+" is standard", strings.Contains(standard, " "+name+" "), true)
			}
		}},
		{ID: "isolation/mknod", Title: "no device can be made", Needs: []string{"mknod"}, Run: func(e *Env) {
			sb := e.Sandbox()
			dir := e.Dir(sb)
			want(e, "mknod succeeds", e.exec(sb, core.Program("mknod", dir+"/disk", "b", "8", "0")).Success(), false)
			want(e, "devices", e.sh(sb, "ls -A "+dir), "")
		}},
		{ID: "isolation/namespaces", Title: "no user, network, mount or pid namespace can be made", Needs: []string{"unshare"}, Run: func(e *Env) {
			for _, flags := range []string{"-U", "-Ur", "-n", "-m", "-p", "-Urn"} {
				res := e.exec(e.Sandbox(), core.Program("unshare", flags, "true"))
				want(e, "unshare "+flags+" succeeds", res.Success(), false)
			}
		}},
		{ID: "isolation/setuid", Title: "a set-user-id program gives nothing", Run: setUserID},
		{ID: "isolation/proc-masked", Title: "what /proc and /sys have for the host's root is masked or read-only", Run: procMasked},
		{ID: "isolation/engine-socket", Title: "no socket of a container engine is in the sandbox", Run: func(e *Env) {
			for _, p := range []string{"/var/run/docker.sock", "/run/docker.sock", "/run/podman/podman.sock", "/run/containerd/containerd.sock", "/run/crio/crio.sock"} {
				want(e, p+" is there", e.exec(e.Sandbox(), core.Program("test", "-e", p)).Success(), false)
			}
		}},
		{ID: "isolation/processes", Title: "a sandbox sees its own processes only", Run: func(e *Env) {
			a, b := e.Own(), e.Sandbox()
			mark := "31" + strconv.FormatInt(time.Now().UnixNano()%1e9, 10)
			e.sh(b, "sleep "+mark+" & echo $! > pid-"+e.Marker)
			e.Cleanup(func() { e.sh(b, "kill -9 $(cat pid-"+e.Marker+"); rm pid-"+e.Marker) })
			want(e, "the other's process in its own list", e.sees(b, mark), true)
			want(e, "the other's process in this list", e.sees(a, mark), false)
		}},
		{ID: "isolation/tmp", Title: "sandboxes share no /tmp, no shared memory and no host name", Run: func(e *Env) {
			a, b := e.Own(), e.Sandbox()
			for _, dir := range []string{"/tmp", "/dev/shm"} {
				file := dir + "/only-" + e.Marker
				if e.exec(a, core.Shell("echo a > "+file)).Success() {
					want(e, "the other sees "+file, e.exec(b, core.Program("test", "-e", file)).Success(), false)
				}
			}
			want(e, "the same host name", e.sh(a, "hostname") == e.sh(b, "hostname"), false)
		}},
		{ID: "isolation/own-namespaces", Title: "sandboxes share no process, network, mount, IPC or host name namespace", Run: func(e *Env) {
			a, b := e.Own(), e.Sandbox()
			for _, kind := range []string{"pid", "net", "mnt", "ipc", "uts"} {
				read := "readlink /proc/self/ns/" + kind
				want(e, kind+" namespaces of two sandboxes are one", e.sh(a, read) == e.sh(b, read), false)
			}
		}},
		{ID: "isolation/first-process", Title: "the first process belongs to another user: it cannot be signalled or looked into", Run: func(e *Env) {
			sb := e.Sandbox()
			for _, script := range []string{"kill -TERM 1", "kill -KILL 1", "cat /proc/1/environ", "ls /proc/1/fd/", "echo x > /proc/1/fd/1", "cat /proc/1/mem"} {
				want(e, script+" succeeds", e.exec(sb, core.Shell("("+script+") >/dev/null 2>&1")).Success(), false)
			}
			want(e, "the next command", e.sh(sb, "echo next"), "next\n")
		}},
		{ID: "isolation/first-process-status", Title: "the first process is neither root nor the workload, and as confined as that", Run: func(e *Env) {
			sb := e.Sandbox()
			own := strings.Fields(e.status(sb, "Uid"))
			for _, id := range strings.Fields(e.statusOf(sb, "1", "Uid")) {
				want(e, "user "+id+" of the first process is root's or the workload's", id == "0" || slices.Contains(own, id), false)
			}
			for _, set := range []string{"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"} {
				want(e, set, e.statusOf(sb, "1", set), "0000000000000000")
			}
			want(e, "NoNewPrivs", e.statusOf(sb, "1", "NoNewPrivs"), "1")
			want(e, "Seccomp", e.statusOf(sb, "1", "Seccomp"), "2")
		}},
		{ID: "isolation/standard", Title: "profile standard has a writable root layer and the same walls", Run: func(e *Env) {
			sb := e.Own(func(s *core.Spec) { s.Profile = core.Standard })
			want(e, "write to /var/tmp", e.sh(sb, "[ ! -d /var/tmp ] || echo x > /var/tmp/"+e.Marker+" && echo written"), "written\n")
			want(e, "CapBnd", e.status(sb, "CapBnd"), "0000000000000000")
			want(e, "NoNewPrivs", e.status(sb, "NoNewPrivs"), "1")
			want(e, "Seccomp", e.status(sb, "Seccomp"), "2")
		}},
		{ID: "isolation/relaxed", Title: "profile relaxed is root inside with the five capabilities of a package manager, and no more", Run: func(e *Env) {
			sb := e.Own(func(s *core.Spec) { s.Profile = core.Relaxed })
			want(e, "user", e.sh(sb, "id -u"), "0\n")
			const five = 1<<0 | 1<<1 | 1<<3 | 1<<6 | 1<<7 // chown, dac_override, fowner, setgid, setuid
			for _, set := range []string{"CapBnd", "CapPrm", "CapEff"} {
				text := e.status(sb, set)
				caps, err := strconv.ParseUint(text, 16, 64)
				want(e, fmt.Sprintf("%s %q is a number", set, text), err, nil)
				want(e, set+" beyond the five", fmt.Sprintf("%x", caps&^five), "0")
				want(e, set+" of the five", fmt.Sprintf("%x", caps&five), fmt.Sprintf("%x", five))
			}
			want(e, "Seccomp", e.status(sb, "Seccomp"), "2")
			want(e, "a file in /etc", e.sh(sb, "echo x > /etc/"+e.Marker+" && echo written"), "written\n")
		}},
		{ID: "isolation/kill-all", Title: "a command that kills all it can leaves the sandbox working, or lost with a code", Level: Gold, Serial: true, Run: func(e *Env) { survives(e, "kill -9 -1; sleep 5") }},
		{ID: "isolation/fork-bomb", Title: "a fork bomb ends with its timeout, and a neighbour does not notice", Level: Gold, Serial: true, Requires: core.CapLimitPIDs, Run: func(e *Env) {
			survives(e, "b() { b | b & }; b; sleep 60")
		}},
		{ID: "isolation/fork-storm", Title: "processes that fork away from a kill end with the timeout", Level: Gold, Serial: true, Requires: core.CapLimitPIDs, Run: func(e *Env) {
			survives(e, "f() { while :; do setsid sh -c 'sleep 60' & done; }; f & f & f & f & sleep 60")
		}},
	}
	for i := range cases {
		if cases[i].Level == "" {
			cases[i].Level = Extended
		}
		if cases[i].Requires == "" {
			cases[i].Requires = core.CapIsolation
		}
	}
	return cases
}

// status returns a field of the command's own /proc/self/status.
func (e *Env) status(sb core.Backend, field string) string {
	e.Helper()
	return e.statusOf(sb, "self", field)
}

// statusOf returns a field of a process's status.
func (e *Env) statusOf(sb core.Backend, process, field string) string {
	e.Helper()
	for line := range strings.Lines(e.sh(sb, "cat /proc/"+process+"/status")) {
		if value, ok := strings.CutPrefix(line, field+":"); ok {
			return strings.TrimSpace(value)
		}
	}
	return "missing"
}

// sees reports whether a process with this argument is in the sandbox's list.
func (e *Env) sees(sb core.Backend, arg string) bool {
	e.Helper()
	return strings.Contains(e.sh(sb, "for f in /proc/[0-9]*/cmdline; do tr '\\0' ' ' < $f 2>/dev/null; echo; done; true"), " "+arg+" ")
}

// setUserIDs starts set-user-id programs of root's, holds each up by a pipe that
// is full, and prints the user IDs that it has.
const setUserIDs = `rm -f full; mkfifo full && exec 3<>full && timeout 0.3 yes >&3 2>/dev/null
n=0
for f in $(find / -xdev -type f -user 0 -perm -4000 2>/dev/null); do
	"$f" --help >&3 2>&3 </dev/null &
	p=$! i=0
	until [ "$(cat /proc/$p/comm 2>/dev/null)" != sh ] || [ $i = 40 ]; do sleep 0.05; i=$((i + 1)); done
	sleep 0.1
	echo "$f" $(grep Uid: /proc/$p/status 2>/dev/null)
	kill -9 $p 2>/dev/null
	n=$((n + 1))
	[ $n = 3 ] && break
done
rm full`

func setUserID(e *Env) {
	sb := e.Sandbox()
	dir := e.Dir(sb)
	want(e, "su makes root of a command", strings.Contains(string(e.exec(sb, core.Shell("su -c id </dev/null 2>/dev/null")).Stdout.Bytes()), "uid=0"), false)
	own := strings.Join(strings.Fields(e.status(sb, "Uid")), " ")
	ran := 0
	for line := range strings.Lines(e.sh(sb, "cd "+dir+"; "+setUserIDs)) {
		if program, ids, ok := strings.Cut(strings.TrimSpace(line), " Uid: "); ok {
			ran++
			want(e, "user IDs of a running "+program, ids, own)
		}
	}
	if ran == 0 {
		e.imageLacks("a set-user-id program of root's that runs")
	}
}

func readOnlyRoot(e *Env) {
	sb := e.Sandbox()
	for _, dir := range []string{"/", "/etc", "/usr", "/usr/bin", "/var", "/var/tmp", "/root", "/home", "/opt"} {
		res := e.exec(sb, core.Shell("echo x > "+dir+"/"+e.Marker))
		want(e, "write to "+dir+" succeeds", res.Success(), false)
	}
	for _, dir := range []string{".", "/tmp"} {
		script := fmt.Sprintf("f=%s/%s; printf '#!/bin/sh\\necho ran\\n' > $f && chmod +x $f && $f && rm $f", dir, e.Marker)
		want(e, "a program in "+dir, e.sh(sb, script), "ran\n")
	}
}

func procMasked(e *Env) {
	sb := e.Sandbox()
	for _, script := range []string{
		"head -c 1 /proc/kcore | grep -q .", "head -c 1 /proc/timer_list | grep -q .", "echo h > /proc/sysrq-trigger", "echo 1 > /proc/sys/kernel/panic",
		"echo 1 > /proc/sys/vm/drop_caches", "echo x > /sys/kernel/uevent_helper", "ls /sys/firmware | grep -q .", "echo x > /proc/irq/default_smp_affinity",
	} {
		want(e, script+" succeeds", e.exec(sb, core.Shell("("+script+") 2>/dev/null")).Success(), false)
	}
}

// survives runs a hostile script in a sandbox of its own: whatever it does, it
// ends, the sandbox then works or says that it is lost, the files of its
// workspace are kept in any case, and the neighbour works.
func survives(e *Env, script string) {
	var use []func(*core.Spec)
	if _, keeps := core.AsDriver[core.Workspacer](e.Driver()); keeps {
		use = append(use, workspace(e, "w"))
	}
	sb, neighbour := e.Own(use...), e.Sandbox()
	e.upload(sb, "kept", []byte("kept"))
	hostile := e.execute(e.Context(), sb, &core.Command{Shell: script, Timeout: time.Second})
	want(e, "a neighbour meanwhile", e.sh(neighbour, "echo fine"), "fine\n")
	if !e.ended(hostile, 15*time.Second, "the hostile command") {
		return
	}
	allowed := []core.Code{core.ErrLost}
	if hostile.err != nil {
		wantCode(e, "the hostile command", hostile.err, core.ErrLost, core.ErrIndeterminate, core.ErrResource)
	} else if hostile.res.Reason != core.TimedOut {
		allowed = append(allowed, core.ErrResource) // it ended by itself, so what it left in the background may live on
	}
	e.within(15*time.Second, "the next command", func() {
		res, err := sb.Execute(e.Context(), core.Program("cat", "kept")) // a shell would need room for two processes
		if err != nil {
			wantCode(e, "the next command", err, allowed...)
			return
		}
		want(e, "the next command", string(res.Stdout.Bytes()), "kept")
	})
	want(e, "a neighbour afterwards", e.sh(neighbour, "echo fine"), "fine\n")
	if len(use) > 0 {
		want(e, "stop", sb.Stop(e.Context()), nil)
		want(e, "the file, in the next sandbox of the workspace", string(e.read(e.Own(use...), "kept", nil)), "kept")
	}
}
