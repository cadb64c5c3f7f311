package conformance

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/caisson-dev/caisson/core"
)

// probe looks at all that a command can see, and at what calls return.
func (o *observer) probe(ctx context.Context) {
	if res, err := o.sb.Execute(ctx, core.Shell("cat /etc/hostname 2>/dev/null || hostname")); err == nil {
		o.host = strings.TrimSpace(string(res.Stdout.Bytes()))
	}
	for _, p := range viewProbes {
		o.lines(ctx, p.what, p.script)
	}
	for _, p := range commandProbes {
		o.command(ctx, p.what, p.cmd())
	}
	o.files(ctx)
	o.describe(ctx)
}

// viewProbes print lines of a key and a value.
var viewProbes = []struct{ what, script string }{
	{"environment", "env | sort"},
	{"user", `echo "uid $(id -u)"; echo "gid $(id -g)"; echo "groups $(id -G)"; echo "name $(id -un 2>/dev/null || echo none)"`},
	{"process", `echo "cwd $(pwd)"; echo "umask $(umask)"; echo "open-files $(ls /proc/self/fd | wc -l)"; echo "session-leader $(cut -d' ' -f6 /proc/self/stat | grep -qx $$ && echo yes || echo no)"; echo "nice $(nice)"; echo "coredump-filter $(cat /proc/self/coredump_filter)"; echo "security-module $(cat /proc/self/attr/current 2>/dev/null || echo none)"; echo "terminal $(tty 2>/dev/null || true)"`},
	// A command is preferred as a victim a moment after it has begun.
	{"memory", `for i in 1 2 3 4 5; do grep -qx 1000 /proc/self/oom_score_adj && break; sleep 0.1; done; echo "victim-score $(cat /proc/self/oom_score_adj)"; echo "first-process-score $(cat /proc/1/oom_score_adj)"`},
	{"status", `grep -E '^(Cap|NoNewPrivs|Seccomp:|Sig(Blk|Ign|Cgt)|Groups|Uid|Gid|Umask|Cpus_allowed_list|THP_enabled|Speculation)' /proc/self/status`},
	{"limit", `for l in c d f l m n s t u v; do echo "ulimit-$l $(ulimit -S$l 2>/dev/null) $(ulimit -H$l 2>/dev/null)"; done`},
	{"directory", `for d in / /tmp /var/tmp /dev/shm /uploads /etc /home "$HOME" "$(pwd)"; do echo "$d $(stat -L -c '%a %u:%g' "$d" 2>/dev/null || echo missing) $(test -w "$d" && echo writable)"; done`},
	{"mount", `while read -r dev dir type opts rest; do case $dir in /|/tmp|/dev|/dev/shm|/dev/pts|/dev/mqueue|/proc|/sys|/sys/fs/cgroup|/workspace|/run|/var/tmp|/etc/*) case $type in ext?|xfs|btrfs|f2fs|zfs) type=disk;; esac; echo "$dir $type $(echo "$opts" | tr , '\n' | grep -E '^(ro|rw|nosuid|nodev|noexec|size=.*|mode=.*|nr_inodes=.*)$' | sort | tr '\n' ' ')";; esac; done < /proc/mounts | sort`},
	{"masked", `for f in /proc/kcore /proc/keys /proc/latency_stats /proc/timer_list /proc/sched_debug /proc/scsi /proc/acpi /proc/asound /proc/interrupts /sys/firmware /sys/devices/virtual/powercap /sys/fs/selinux; do echo "$f $( { test -d $f && ls -A $f | head -c 1 | wc -c; } || { head -c 1 $f 2>/dev/null | wc -c; } )"; done; for f in /proc/sys /proc/sysrq-trigger /proc/irq /proc/bus /proc/fs /sys; do echo "$f $(test -w $f && echo writable || echo read-only)"; done`},
	{"device", `ls -l /dev | while read -r mode links user group rest; do case $mode in [cbl]*) echo "${rest##* } $mode";; esac; done | sort`},
	{"network", `echo "interfaces $(tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' ' | tr '\n' ' ')"; echo "routes $(tail -n +2 /proc/net/route | wc -l)"; echo "lowest-port $(cat /proc/sys/net/ipv4/ip_unprivileged_port_start 2>/dev/null)"; echo "ping-groups $(cat /proc/sys/net/ipv4/ping_group_range 2>/dev/null | tr '\t' ' ')"; echo "ipv6 $(test -e /proc/net/if_inet6 && wc -l < /proc/net/if_inet6 || echo none)"`},
	{"file", `for f in /etc/hosts /etc/resolv.conf /etc/hostname /etc/passwd /etc/group /etc/localtime /.dockerenv /run/.containerenv; do echo "$f $(cat $f 2>/dev/null | grep -v -e '^#' -e '^$' | tr '\n\t' '; ' || true) $(test -e $f || echo missing)"; done`},
	{"kernel", `cd /proc/sys && for f in kernel/msgmax kernel/msgmnb kernel/msgmni kernel/sem kernel/shmall kernel/shmmax kernel/shmmni kernel/shm_rmid_forced fs/mqueue/msg_max fs/mqueue/msgsize_max fs/mqueue/queues_max net/core/somaxconn net/ipv4/ip_forward net/ipv4/ip_local_port_range net/ipv4/tcp_keepalive_time; do echo "$f $(cat $f 2>/dev/null | tr '\t' ' ' || echo missing)"; done`},
	{"control group", `echo "own $(cut -d: -f3 /proc/self/cgroup | sort -u | tr '\n' ' ')"; cd /sys/fs/cgroup && for f in memory/memory.limit_in_bytes memory/memory.memsw.limit_in_bytes memory/memory.swappiness memory/memory.use_hierarchy cpu/cpu.cfs_quota_us cpu/cpu.cfs_period_us cpu/cpu.shares pids/pids.max memory.max memory.swap.max memory.oom.group cpu.max cpu.weight pids.max; do echo "$f $(cat $f 2>/dev/null || echo missing)"; done`},
	{"first process", `grep -E '^(Name|Uid|Gid|NoNewPrivs|Seccomp:|CapEff|CapBnd)' /proc/1/status`},
	{"machine", `echo "system $(uname -s -m)"; echo "processors $(nproc)"; echo "length-of-host-name $(hostname | tr -d '\n' | wc -c)"; echo "domain $(hostname -d 2>/dev/null || true)"`},
	{"size", `for d in /tmp /dev/shm; do echo "$d $(df -k $d 2>/dev/null | tail -n 1 | tr -s ' ' | cut -d' ' -f2) KiB"; done`},
	{"namespace", `for n in cgroup ipc mnt net pid user uts; do echo "$n $(test "$(readlink /proc/self/ns/$n)" = "$(readlink /proc/1/ns/$n 2>/dev/null)" && echo "as the first process" || echo "own or hidden")"; done`},
}

// commandProbes are commands of which everything that comes back is compared.
var commandProbes = []struct {
	what string
	cmd  func() *core.Command
}{
	{"exit 3", func() *core.Command { return core.Shell("echo out; sleep 0.1; echo err >&2; exit 3") }},
	{"death by TERM", func() *core.Command { return core.Shell("kill -TERM $$; sleep 5") }},
	{"death by SEGV", func() *core.Command { return core.Shell("kill -SEGV $$; sleep 5") }},
	{"a child killed", func() *core.Command { return core.Shell("sh -c 'kill -KILL $$'; exit $?") }},
	{"missing program", func() *core.Command { return core.Program("no-such-program") }},
	{"missing path", func() *core.Command { return core.Program("/no/such/program") }},
	{"a directory as program", func() *core.Command { return core.Program("/etc") }},
	{"a text as program", func() *core.Command { return core.Program("/etc/hosts") }},
	{"no input", func() *core.Command { return core.Shell("cat; echo end") }},
	{"missing directory", func() *core.Command { return &core.Command{Shell: "true", Dir: "/no/such"} }},
	{"locked directory", func() *core.Command { return &core.Command{Shell: "pwd", Dir: "/root"} }},
	{"timeout", func() *core.Command {
		return &core.Command{Shell: "echo early; sleep 60", Timeout: 300 * time.Millisecond}
	}},
	{"no shell between", func() *core.Command { return core.Program("echo", "$HOME", "*", "`id`", "\xff") }},
	{"broken pipe", func() *core.Command { return core.Shell("yes | head -n 1") }},
	{"order of outputs", func() *core.Command { return core.Shell("echo 1; sleep 0.1; echo 2 >&2; sleep 0.1; echo 3") }},
	{"out of memory", func() *core.Command { return &core.Command{Shell: "exec tail /dev/zero", Timeout: time.Minute} }},
	{"background child", func() *core.Command { return core.Shell("sleep 2 & echo hi") }},
	{"more than the limit", func() *core.Command {
		return &core.Command{Shell: "head -c 5000 /dev/zero | tr '\\0' x", OutputLimit: 20}
	}},
	{"new user namespace", func() *core.Command { return core.Shell("unshare -U true 2>/dev/null; echo $?") }},
	{"new network namespace", func() *core.Command { return core.Shell("unshare -n true 2>/dev/null; echo $?") }},
	{"mount", func() *core.Command { return core.Shell("mount -t tmpfs none /tmp 2>/dev/null; echo $?") }},
	{"a device", func() *core.Command { return core.Shell("mknod /tmp/probe-device c 1 3 2>/dev/null; echo $?") }},
	{"signal to the first process", func() *core.Command { return core.Shell("kill -0 1 2>/dev/null; echo $?") }},
	{"a script in /tmp", func() *core.Command {
		return core.Shell("printf '#!/bin/sh\\necho ran\\n' > /tmp/probe; chmod +x /tmp/probe; /tmp/probe; rm /tmp/probe")
	}},
	{"write to the root", func() *core.Command { return core.Shell("(echo x > /probe) 2>/dev/null; echo $?") }},
	{"write to /var/tmp", func() *core.Command { return core.Shell("(echo x > /var/tmp/probe) 2>/dev/null; echo $?") }},
}

// files adds what Upload and Read return and leave.
func (o *observer) files(ctx context.Context) {
	upload := func(path string, opts *core.UploadOptions) {
		o.add("upload to "+path, codeText(o.sb.Upload(ctx, path, strings.NewReader("text"), opts)))
	}
	read := func(path string, opts *core.ReadOptions) {
		data, err := readAll(ctx, o.sb, path, opts)
		o.add("read "+path, fmt.Sprintf("%s %.40q", codeText(err), data))
	}
	upload("probe/a/file", nil)
	upload("probe/script", &core.UploadOptions{Mode: 0o750})
	o.lines(ctx, "uploaded", `cd probe; stat -c '%n %a %u:%g %s' a a/file script; mkdir locked; chmod 000 locked; mkfifo fifo; ln -s a/file link; ln -s nothing dangling; ln -s /etc/shadow shadow`)
	for _, path := range []string{"probe/a", "probe/locked/x", "probe/fifo", "probe/link", "probe/dangling", "/dev/null", "/etc/probe", "/probe", "/uploads/probe", "/tmp/probe", "/dev/shm/probe"} {
		upload(path, nil)
		read(path, &core.ReadOptions{Limit: 20})
	}
	for _, path := range []string{"probe/missing", "/etc/shadow", "probe/shadow", "/etc", "/dev/zero"} {
		read(path, &core.ReadOptions{Limit: 20})
	}
	read("probe/a/file", &core.ReadOptions{MaxSize: 3})
	o.lines(ctx, "cleared", "chmod 755 probe/locked; rm -rf probe /tmp/probe /uploads/probe /dev/shm/probe 2>/dev/null; ls")
}

// describe adds what the driver and the sandbox say of themselves.
func (o *observer) describe(ctx context.Context) {
	is := o.info.Isolation
	o.add("driver: platform", o.info.OS+"/"+o.info.Arch)
	o.add("driver: capabilities", fmt.Sprint(o.info.Capabilities))
	o.add("driver: isolation", fmt.Sprintf("%s, runtime %s, rootless %v, cgroup %d, seccomp %v, %v", is.Level, is.Runtime, is.Rootless, is.CgroupVersion, is.Seccomp, is.LSM))
	o.add("driver: missing protections", fmt.Sprint(is.Missing))
	informer, ok := core.As[core.Informer](o.sb, core.CapInfo)
	if !ok {
		return
	}
	info, err := informer.Info(ctx)
	if err != nil {
		o.add("sandbox: error", codeText(err))
		return
	}
	for _, fact := range []struct {
		what  string
		value any
	}{
		{"work directory", info.WorkDir}, {"profile", info.Profile}, {"network", info.Network}, {"memory", info.Limits.Memory},
		{"processors", info.Limits.CPUs}, {"processes", info.Limits.PIDs}, {"tmp", info.Limits.Tmp}, {"open files", info.Limits.OpenFiles},
		{"file size", info.Limits.FileSize}, {"user", fmt.Sprint(info.UID, ":", info.GID)}, {"seccomp", info.Seccomp},
		{"no new privileges", info.NoNewPrivs}, {"capabilities", info.Capabilities},
	} {
		o.add("sandbox: "+fact.what, fmt.Sprint(fact.value))
	}
}
