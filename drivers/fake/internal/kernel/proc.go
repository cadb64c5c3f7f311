package kernel

import (
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// The files of /proc that something may look for.

func (k *Kernel) installProc() {
	k.namespace = 4026532000 + lastNamespace.Add(1)
	vol := &Volume{limit: 1 << 40}
	k.FS.Install("/proc", Node{Mode: fs.ModeDir | 0o555, Volume: vol})
	for name, made := range map[string]func() string{
		"net/route": func() string {
			return "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
		},
		"net/dev": func() string {
			return "Inter-|   Receive                                                |  Transmit\n" +
				" face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n" +
				"    lo:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0\n"
		},
		"uptime":  func() string { return fmt.Sprintf("%.2f %.2f\n", k.Uptime().Seconds(), k.Uptime().Seconds()) },
		"loadavg": func() string { return "0.00 0.00 0.00 1/1 1\n" },
		"cpuinfo": func() string { return "processor\t: 0\nmodel name\t: Caisson fake\n\n" },
		"meminfo": func() string {
			used, limit := k.RAM.used, k.RAM.limit // the FS's lock is held
			return fmt.Sprintf("MemTotal:       %8d kB\nMemFree:        %8d kB\nMemAvailable:   %8d kB\n", limit>>10, (limit-used)>>10, (limit-used)>>10)
		},
		"version": func() string { return "Linux version " + Release + "\n" },
	} {
		k.FS.Install("/proc/"+name, Node{Mode: 0o444, Made: made})
	}
}

// namespaces are those that every sandbox has of its own.
var namespaces = []string{"cgroup", "ipc", "mnt", "net", "pid", "uts"}

// lastNamespace numbers the kernels of this process.
var lastNamespace atomic.Uint64

func (k *Kernel) procDir(p *Process) string { return "/proc/" + strconv.Itoa(p.PID) }

func (k *Kernel) installProcess(p *Process) {
	dir := k.procDir(p)
	k.FS.Install(dir, Node{Mode: fs.ModeDir | 0o555, Owner: p.User})
	for _, kind := range namespaces {
		k.FS.Install(dir+"/ns/"+kind, Node{Mode: fs.ModeSymlink | 0o777, Owner: p.User, Target: fmt.Sprintf("%s:[%d]", kind, k.namespace)})
	}
	for name, made := range map[string]func(Info) string{"stat": procStat, "status": procStatus, "cmdline": procCmdline, "comm": procComm} {
		k.FS.Install(dir+"/"+name, Node{Mode: 0o444, Owner: p.User, Made: func() string {
			k.mu.Lock()
			info := p.info()
			k.mu.Unlock()
			return made(info)
		}})
	}
}

func (k *Kernel) uninstallProcess(p *Process) { k.FS.Uninstall(k.procDir(p)) }

const maxComm = 15

// Comm returns the short name of a process.
func (i *Info) Comm() string {
	if len(i.Args) == 0 {
		return "?"
	}
	name := i.Args[0][strings.LastIndexByte(i.Args[0], '/')+1:]
	return name[:min(len(name), maxComm)]
}

func procComm(i Info) string { return i.Comm() + "\n" }

func procCmdline(i Info) string {
	if i.State == 'Z' || len(i.Args) == 0 {
		return ""
	}
	return strings.Join(i.Args, "\x00") + "\x00"
}

// ticks is how a time since the start is counted in /proc.
const ticks = time.Second / 100

func procStat(i Info) string {
	return fmt.Sprintf("%d (%s) %c %d %d %d 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 %d 0 0\n",
		i.PID, i.Comm(), i.State, i.Parent, i.Group, i.Session, i.Started.UnixNano()/int64(ticks)%(1<<40))
}

func procStatus(i Info) string {
	states := map[byte]string{'R': "running", 'S': "sleeping", 'T': "stopped", 'Z': "zombie"}
	var caps uint64
	if i.User.UID == 0 {
		caps = RootCapabilities
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Name:\t%s\nUmask:\t0022\nState:\t%c (%s)\nTgid:\t%d\nPid:\t%d\nPPid:\t%d\n", i.Comm(), i.State, states[i.State], i.PID, i.PID, i.Parent)
	fmt.Fprintf(&b, "Uid:\t%[1]d\t%[1]d\t%[1]d\t%[1]d\nGid:\t%[2]d\t%[2]d\t%[2]d\t%[2]d\nGroups:\t%[2]d \n", i.User.UID, i.User.GID)
	fmt.Fprintf(&b, "CapInh:\t%016x\nCapPrm:\t%016x\nCapEff:\t%016x\nCapBnd:\t%016x\nCapAmb:\t%016x\n", 0, caps, caps, caps, 0)
	b.WriteString("NoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t1\n")
	return b.String()
}

// RootCapabilities is what root has in a sandbox: CHOWN, DAC_OVERRIDE, FOWNER, SETGID and SETUID.
const RootCapabilities = 1<<0 | 1<<1 | 1<<3 | 1<<6 | 1<<7
