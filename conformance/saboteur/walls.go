package saboteur

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/caisson-dev/caisson/core"
)

// shows is a saboteur whose sandbox would show something else where a command
// looks: the answer to a script that begins so is changed.
func shows(name, target, breaks, script string, change func(out string, ok bool) (string, bool)) Saboteur {
	return onResult(name, target, breaks, func(cmd *core.Command, r *core.Result) {
		if !strings.HasPrefix(strings.Join(append(append([]string(nil), cmd.Args...), cmd.Shell), " "), script) || r.Reason != core.Exited {
			return
		}
		out, ok := change(string(r.Stdout.Bytes()), r.ExitCode == 0)
		r.Stdout, r.ExitCode = capture([]byte(out), 0), 1
		if ok {
			r.ExitCode = 0
		}
	})
}

// replaced changes text in what a command prints.
func replaced(old, text string) func(string, bool) (string, bool) {
	return func(out string, ok bool) (string, bool) { return strings.ReplaceAll(out, old, text), ok }
}

// allowed lets a command succeed.
func allowed(out string, _ bool) (string, bool) { return out, true }

// limited is a saboteur that starts sandboxes with other limits.
func limited(name, target, breaks string, change func(l *core.Limits)) Saboteur {
	return onStart(name, target, breaks, func(ctx context.Context, d core.Driver, spec *core.Spec) (core.Backend, error) {
		s := *spec
		change(&s.Limits)
		return d.Start(ctx, &s)
	})
}

// Wrong about limits, and about what keeps sandboxes apart.
func walls() []Saboteur {
	const status = "cat /proc/self/status"
	return []Saboteur{
		shows("isolation/keeps-capabilities", "isolation/capabilities", "it drops no capability from the bounding set", status, replaced("CapBnd:\t0000000000000000", "CapBnd:\t00000000a80425fb")),
		shows("isolation/new-privileges", "isolation/no-new-privileges", "it lets programs gain privileges", status, replaced("NoNewPrivs:\t1", "NoNewPrivs:\t0")),
		shows("isolation/unfiltered", "isolation/seccomp", "it filters no system calls", status, replaced("Seccomp:\t2", "Seccomp:\t0")),
		shows("isolation/group-root", "isolation/ids", "it gives commands the group of root", "id -G", func(out string, ok bool) (string, bool) { return "0 " + out, ok }),
		shows("isolation/networked", "isolation/network", "it attaches sandboxes to the engine's network", "tail -n +3 /proc/net/dev", func(out string, ok bool) (string, bool) { return out + "eth0\n", ok }),
		shows("isolation/writable-root", "isolation/read-only-root", "it lets commands write to the root file system", "echo x > /usr/", allowed),
		shows("isolation/disks", "isolation/devices", "it shows the host's disks", "ls /dev", func(out string, ok bool) (string, bool) { return out + "sda\n", ok }),
		shows("isolation/makes-devices", "isolation/mknod", "it lets commands make devices", "mknod ", allowed),
		shows("isolation/makes-namespaces", "isolation/namespaces", "it lets commands make user namespaces", "unshare -U", allowed),
		onResult("isolation/effective-root", "isolation/setuid", "it lets set-user-id programs have another user", func(cmd *core.Command, r *core.Result) {
			if strings.Contains(cmd.Shell, "-perm -4000") {
				r.Stdout = capture([]byte(strings.ReplaceAll(string(r.Stdout.Bytes()), "Uid: 1000 1000", "Uid: 1000 0")), 0)
			}
		}),
		shows("isolation/root-first", "isolation/first-process-status", "it runs the first process as root", "cat /proc/1/status", replaced("Uid:\t65532", "Uid:\t0")),
		shows("isolation/first-keeps-capabilities", "isolation/first-process-status", "it leaves the first process its capabilities", "cat /proc/1/status", replaced("CapEff:\t0000000000000000", "CapEff:\t0000000000000020")),
		shows("isolation/set-user-id", "isolation/setuid", "it honours set-user-id programs", "su -c id", func(string, bool) (string, bool) { return "uid=0(root) gid=0(root)\n", true }),
		shows("isolation/proc-unmasked", "isolation/proc-masked", "it masks nothing of /proc", "(head -c 1 /proc/kcore", allowed),
		shows("isolation/engine-mounted", "isolation/engine-socket", "it mounts the engine's socket", "test -e /var/run/docker.sock", allowed),
		shows("isolation/signals-first", "isolation/first-process", "it runs the first process as the workload's user", "(kill -TERM 1", allowed),
		shows("isolation/standard-is-strict", "isolation/standard", "it gives profile standard a read-only root", "[ ! -d /var/tmp ]", func(string, bool) (string, bool) { return "", true }),
		shows("isolation/relaxed-is-privileged", "isolation/relaxed", "it gives profile relaxed every capability", status, replaced("CapBnd:\t00000000000000cb", "CapBnd:\t000001ffffffffff")),
		shows("isolation/relaxed-is-powerless", "isolation/relaxed", "it gives root of profile relaxed no capabilities", status, replaced("CapEff:\t00000000000000cb", "CapEff:\t0000000000000000")),
		{Name: "isolation/common-processes", Target: "isolation/processes", Breaks: "it shows all sandboxes' processes to each", arm: func() *methods {
			var mu sync.Mutex
			var seen bytes.Buffer
			return &methods{execute: func(ctx context.Context, b core.Backend, cmd *core.Command) (*core.Result, error) {
				res, err := b.Execute(ctx, cmd)
				mu.Lock()
				defer mu.Unlock()
				if err == nil && strings.HasPrefix(cmd.Shell, "for f in /proc/[0-9]*/cmdline") {
					seen.Write(res.Stdout.Bytes())
					res.Stdout = capture(seen.Bytes(), 0)
				}
				return res, err
			}}
		}},
		shows("isolation/host-ipc", "isolation/own-namespaces", "it runs sandboxes in the host's IPC namespace", "readlink /proc/self/ns/ipc", func(string, bool) (string, bool) {
			return "ipc:[4026531839]\n", true
		}),
		shows("isolation/common-tmp", "isolation/tmp", "it mounts the host's /tmp", "test -e /tmp/only-", allowed),
		onRead("isolation/reads-host", "paths/host-file", "it follows links on the host", func(ctx context.Context, b core.Backend, p string, o *core.ReadOptions) (io.ReadCloser, error) {
			r, err := b.Read(ctx, p, o)
			if errors.Is(err, core.ErrNotFound) && strings.HasSuffix(p, "/link") {
				to, _ := sh(ctx, b, `readlink "$1"`, p)
				if f, hostErr := os.Open(strings.TrimSpace(to)); hostErr == nil {
					return f, nil
				}
			}
			return r, err
		}),
		{Name: "isolation/dies-of-kill-all", Target: "isolation/kill-all", Breaks: "its sandbox hangs once a command has killed the runner", arm: hangs("kill -9 -1")},
		{Name: "isolation/dies-of-bomb", Target: "isolation/fork-bomb", Breaks: "its sandbox hangs after a fork bomb", arm: hangs("b() {")},
		{Name: "isolation/dies-of-storm", Target: "isolation/fork-storm", Breaks: "its sandbox hangs after a storm of forks", arm: hangs("f() {")},
		{Name: "isolation/bomb-destroys", Target: "isolation/fork-bomb", Breaks: "it ends a sandbox with a fork bomb, and its files too", arm: func() *methods {
			var gone sync.Map // by backend
			return &methods{execute: func(ctx context.Context, b core.Backend, cmd *core.Command) (*core.Result, error) {
				if _, yes := gone.Load(b); yes {
					return nil, core.Errorf(core.ErrLost, "execute", "no such container")
				}
				res, err := b.Execute(ctx, cmd)
				if strings.HasPrefix(cmd.Shell, "b() {") {
					_ = b.(good).Remove(ctx, "kept", false) // which needs no room for a process
					gone.Store(b, nil)
				}
				return res, err
			}}
		}},
		onResult("limits/oom-is-137", "limits/memory", "it reports a death for want of memory as exit code 137", func(_ *core.Command, r *core.Result) {
			if r.Reason == core.OutOfMemory {
				r.Reason = core.Exited
			}
		}),
		limited("limits/memory-ignored", "limits/memory", "it does not limit memory", func(l *core.Limits) { l.Memory = 64 << 30 }),
		limited("limits/pids-ignored", "limits/pids", "it does not limit processes", func(l *core.Limits) { l.PIDs = 1 << 20 }),
		limited("limits/file-size-ignored", "limits/file-size", "it does not limit the size of a file", func(l *core.Limits) { l.FileSize = 1 << 40 }),
		limited("limits/open-files-ignored", "limits/open-files", "it does not limit open files", func(l *core.Limits) { l.OpenFiles = 4096 }),
		limited("limits/tmp-ignored", "limits/tmp", "it does not limit /tmp", func(l *core.Limits) { l.Tmp = 1 << 30 }),
		onUpload("limits/full-empties", "limits/tmp", "it empties a file before it finds that there is no room for the new content", func(ctx context.Context, b core.Backend, p string, src io.Reader, o *core.UploadOptions) error {
			err := b.Upload(ctx, p, src, o)
			if errors.Is(err, core.ErrResource) {
				sh(ctx, b, `: > "$1"`, p)
			}
			return err
		}),
		limited("limits/cpu-ignored", "limits/cpu", "it does not limit the processors", func(l *core.Limits) { l.CPUs = 2 }),
		onResult("limits/dumps-core", "limits/core-dump", "it lets a crash leave a core file", func(cmd *core.Command, r *core.Result) {
			if strings.Contains(cmd.Shell, "ulimit -c unlimited") {
				r.Stdout = capture([]byte("unlimited\ncore\n"), 0)
			}
		}),
		onResult("limits/zombies", "limits/orphans", "it does not reap orphans", func(cmd *core.Command, r *core.Result) {
			if strings.HasSuffix(cmd.Shell, "wait; echo all") {
				r.Stdout, r.Stderr = core.Output{}, capture([]byte("sh: Cannot fork\n"), 0)
			}
		}),
	}
}

// hangs has an Execute that does not come back, for a while, once a script that begins so was run.
func hangs(text string) func() *methods {
	return func() *methods {
		var hung sync.Map // by backend
		return &methods{execute: func(ctx context.Context, b core.Backend, cmd *core.Command) (*core.Result, error) {
			if _, yes := hung.Load(b); yes {
				return nil, wait(ctx, 16*time.Second)
			}
			if strings.HasPrefix(cmd.Shell, text) {
				defer hung.Store(b, nil)
			}
			return b.Execute(ctx, cmd)
		}}
	}
}
