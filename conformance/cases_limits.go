package conformance

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"github.com/caisson-dev/caisson/core"
)

// What bounds a sandbox, and what happens at the bounds.
func limitCases() []Case {
	return []Case{
		{ID: "limits/memory", Title: "a command that takes more memory than there is dies of it, and nobody else", Level: Extended, Requires: core.CapLimitMemory, Run: memoryLimit},
		{ID: "limits/pids", Title: "no more processes than the limit, and the sandbox works on", Level: Extended, Requires: core.CapLimitPIDs, Run: pidsLimit},
		{ID: "limits/orphans", Title: "orphans that end are reaped, however many", Level: Extended, Requires: core.CapLimitPIDs, Run: func(e *Env) {
			sb := e.Own(func(s *core.Spec) { s.Limits.PIDs = 64 })
			for range 4 { // 100 in all, more than the limit
				e.sh(sb, "i=0; while [ $i -lt 25 ]; do (setsid sh -c 'exit' &); i=$((i + 1)); done; true")
			}
			e.eventually(5*time.Second, "40 processes at once after 100 orphans", func() bool {
				res := e.exec(sb, core.Shell("i=0; while [ $i -lt 30 ]; do sleep 0.3 & i=$((i + 1)); done; wait; echo all"))
				return string(res.Stdout.Bytes()) == "all\n" && len(res.Stderr.Bytes()) == 0
			})
		}},
		{ID: "limits/cpu", Title: "4 spinning processes get no more than the CPUs of the limit", Level: Extended, Requires: core.CapLimitCPU, Serial: true, Run: func(e *Env) {
			sb := e.Own(func(s *core.Spec) { s.Limits.CPUs = 0.5 })
			spin := "timeout 0.5 sh -c 'while :; do :; done'"
			start := time.Now()
			res := e.exec(sb, core.Shell(strings.Repeat(spin+" & ", 4)+"wait"))
			wall := time.Since(start)
			if res.Usage == nil {
				e.Fatalf("usage: expected the CPU time of the command, got none")
			}
			cpu := res.Usage.UserTime + res.Usage.SystemTime
			want(e, fmt.Sprintf("%v of CPU time in %v: at most 1.3 times the half of it", cpu, wall), cpu <= wall*13/20, true)
		}},
		{ID: "limits/file-size", Title: "a file cannot grow beyond the limit, by a command or by an upload", Level: Extended, Run: func(e *Env) {
			const limit = 1 << 20
			sb := e.Own(func(s *core.Spec) { s.Limits.FileSize = limit })
			e.exec(sb, core.Shell("head -c 3000000 /dev/zero > file; true"))
			want(e, "3 MB written by a command: kept at most 1 MiB", len(e.read(sb, "file", nil)) <= limit, true)
			err := sb.Upload(e.Context(), "dir/upload", bytes.NewReader(noise(3_000_000)), nil)
			wantCode(e, "upload of 3 MB", err, core.ErrTooLarge)
			want(e, "what is left of it", e.sh(sb, "ls -A dir"), "")
			e.upload(sb, "whole", noise(limit))
		}},
		{ID: "limits/open-files", Title: "a process has the open files of the limit", Level: Extended, Requires: core.CapIsolation, Run: func(e *Env) {
			sb := e.Own(func(s *core.Spec) { s.Limits.OpenFiles = 100 })
			want(e, "ulimit -n", e.sh(sb, "ulimit -n"), "100\n")
			want(e, "ulimit -n after an attempt to raise it", e.sh(sb, "ulimit -n 200 2>/dev/null; ulimit -n"), "100\n")
		}},
		{ID: "limits/core-dump", Title: "a crash leaves no core file, whatever the command tries", Level: Extended, Requires: core.CapIsolation, Run: func(e *Env) {
			sb := e.Sandbox()
			dir := e.Dir(sb)
			res := e.exec(sb, core.Shell("cd "+dir+"; ulimit -c unlimited 2>/dev/null; ulimit -c; sh -c 'kill -SEGV $$'; ls -A"))
			want(e, "ulimit -c and the files after a crash", string(res.Stdout.Bytes()), "0\n")
		}},
		{ID: "limits/tmp", Title: "/tmp is bounded, and filling it breaks nothing", Level: Extended, Requires: core.CapIsolation, Run: func(e *Env) {
			sb := e.Own(func(s *core.Spec) { s.Limits.Tmp = 8 << 20 })
			e.upload(sb, "/tmp/old", []byte("old"))
			res := e.exec(sb, core.Shell("head -c 30000000 /dev/zero > /tmp/fill; wc -c < /tmp/fill"))
			var size int
			_, _ = fmt.Sscan(string(res.Stdout.Bytes()), &size)
			want(e, fmt.Sprintf("30 MB into 8 MiB: %d bytes are more than none and at most the limit", size), size > 0 && size <= 8<<20, true)
			err := sb.Upload(e.Context(), "/tmp/upload", bytes.NewReader(noise(1<<20)), nil)
			wantCode(e, "upload to a full /tmp", err, core.ErrResource)
			wantCode(e, "upload over a file there", sb.Upload(e.Context(), "/tmp/old", bytes.NewReader(noise(1<<20)), nil), core.ErrResource)
			want(e, "that file", e.sh(sb, "cat /tmp/old"), "old")
			want(e, "the next command", e.sh(sb, "rm /tmp/fill; ls -A /tmp | grep -c caisson || true"), "0\n")
			e.upload(sb, "/tmp/upload", noise(1<<20))
		}},
	}
}

func memoryLimit(e *Env) {
	sb := e.Own(func(s *core.Spec) { s.Limits.Memory = 64 << 20 })
	neighbour := e.Sandbox()
	// tail keeps what it may have to print.
	res := e.exec(sb, &core.Command{Shell: "head -c 200000000 /dev/zero | tail -c 150000000 | wc -c; true", Timeout: 20 * time.Second})
	want(e, "150 MB in 64 MiB", strings.TrimSpace(string(res.Stdout.Bytes())) == "150000000", false)
	res = e.exec(sb, &core.Command{Shell: "head -c 200000000 /dev/zero | tail -c 150000000 > /dev/null", Timeout: 20 * time.Second})
	if res.Reason != core.OutOfMemory {
		e.Errorf("150 MB in 64 MiB as the last of a pipeline: expected %s, got %s", core.OutOfMemory, ending(res))
	}
	want(e, "the next command", e.sh(sb, "echo next"), "next\n")
	want(e, "a neighbour", e.sh(neighbour, "echo fine"), "fine\n")
}

func pidsLimit(e *Env) {
	sb := e.Own(func(s *core.Spec) { s.Limits.PIDs = 64 })
	_, err := sb.Execute(e.Context(), &core.Command{
		// A shell that cannot fork ends, and leaves those that it could start.
		Shell: "i=0; while [ $i -lt 200 ]; do sh -c 'echo up >> ran; exec sleep 4' & i=$((i + 1)); done; wait", Timeout: 3 * time.Second,
	})
	if err != nil {
		e.Fatalf("200 processes with a limit of 64: %v", err)
	}
	up := 0
	e.eventually(5*time.Second, "some of 200 processes run", func() bool {
		data, err := readAll(e.Context(), sb, "ran", nil)
		up = bytes.Count(data, []byte("up\n"))
		return err == nil && up > 0
	})
	want(e, fmt.Sprintf("200 processes with a limit of 64: %d of them ran, no more than that", up), up <= 64, true)
	e.eventually(10*time.Second, "the next command works", func() bool {
		res, err := sb.Execute(e.Context(), core.Shell("echo next"))
		return err == nil && string(res.Stdout.Bytes()) == "next\n"
	})
}
