package conformance

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/caisson-dev/caisson/core"
)

// What happens at the same time.
func concurrencyCases() []Case {
	return []Case{
		{ID: "concurrency/overlap", Title: "commands of one sandbox run at the same time", Level: Core, Run: func(e *Env) {
			sb := e.Sandbox()
			dir := e.Dir(sb)
			e.sh(sb, "cd "+dir+"; mkfifo ab ba")
			// Each waits for the other's word.
			a := e.execute(e.Context(), sb, &core.Command{Shell: "cd " + dir + "; echo from-a > ab; cat ba", Timeout: 10 * time.Second})
			b := e.execute(e.Context(), sb, &core.Command{Shell: "cd " + dir + "; cat ab; echo from-b > ba", Timeout: 10 * time.Second})
			if e.ended(a, 12*time.Second, "the one") && e.ended(b, 12*time.Second, "the other") && a.err == nil && b.err == nil {
				want(e, "the one got", string(a.res.Stdout.Bytes()), "from-b\n")
				want(e, "the other got", string(b.res.Stdout.Bytes()), "from-a\n")
			}
			want(e, "errors", fmt.Sprint(a.err, b.err), "<nil> <nil>")
		}},
		{ID: "concurrency/not-mixed", Title: "16 commands at once: no output, status or environment is another's", Level: Core, Run: func(e *Env) { notMixed(e, e.Sandbox(), 16) }},
		{ID: "concurrency/hundred", Title: "100 commands at once: no output, status or environment is another's", Level: Gold, Serial: true, Run: func(e *Env) {
			notMixed(e, e.Own(func(s *core.Spec) { s.Limits.PIDs = 1024 }), 100)
		}},
		{ID: "concurrency/one-path", Title: "of many uploads to one path one wins whole", Level: Core, Run: onePath},
		{ID: "concurrency/transfers", Title: "transfers and commands run beside each other", Level: Core, Run: func(e *Env) {
			sb := e.Sandbox()
			dir := e.Dir(sb)
			var all sync.WaitGroup
			for i := range 6 {
				all.Go(func() {
					name, data := fmt.Sprintf("%s/%d", dir, i), noise(1<<20+i)
					if err := sb.Upload(e.Context(), name, bytes.NewReader(data), nil); err != nil {
						e.Errorf("upload %d: %v", i, err)
					}
					got, err := readAll(e.Context(), sb, name, nil)
					if err != nil || !bytes.Equal(got, data) {
						e.Errorf("read %d: expected its own %d bytes, got %d, error %v", i, len(data), len(got), err)
					}
				})
				all.Go(func() {
					res, err := sb.Execute(e.Context(), core.Shell(fmt.Sprint("echo ", i)))
					if err != nil || string(res.Stdout.Bytes()) != fmt.Sprintln(i) {
						e.Errorf("command %d: expected its output, error %v", i, err)
					}
				})
			}
			all.Wait()
		}},
		{ID: "concurrency/slow-writer", Title: "a writer that takes nothing stalls only its own command", Level: Core, Run: func(e *Env) {
			sb := e.Sandbox()
			r, w := io.Pipe()
			ctx, cancel := context.WithCancel(e.Context())
			slow := e.execute(ctx, sb, &core.Command{Args: []string{"yes"}, Stdout: w})
			e.Cleanup(func() { cancel(); _ = r.Close() })
			if _, err := io.ReadFull(r, make([]byte, 100)); err != nil {
				e.Errorf("the first output: %v", err)
			}
			e.within(5*time.Second, "other commands meanwhile", func() {
				for range 5 {
					want(e, "output of 1 MB", len(e.sh(sb, "head -c 1000000 /dev/zero")), 1_000_000)
				}
			})
			cancel()
			_ = r.Close()
			e.ended(slow, 5*time.Second, "the slow command after a cancel")
		}},
		{ID: "concurrency/unread-file", Title: "a reader that is not read stalls nothing else", Level: Core, Run: func(e *Env) {
			sb := e.Sandbox()
			file := e.Dir(sb) + "/file"
			e.upload(sb, file, noise(8<<20))
			r, err := sb.Read(e.Context(), file, nil)
			if err != nil {
				e.Fatalf("read: %v", err)
			}
			defer r.Close()
			e.within(5*time.Second, "other calls meanwhile", func() {
				for range 5 {
					want(e, "a command", e.sh(sb, "echo next"), "next\n")
				}
				wantBytes(e, "another reader of the file", e.read(sb, file, nil), noise(8<<20))
			})
			got, err := io.ReadAll(r)
			want(e, "error of the first reader", err, nil)
			wantBytes(e, "the first reader", got, noise(8<<20))
		}},
		{ID: "concurrency/cancel-one", Title: "cancelling one of many commands ends that one alone", Level: Core, Run: cancelOne},
		{ID: "concurrency/sandboxes", Title: "sandboxes that start at once are each their own", Level: Core, Run: func(e *Env) { sandboxes(e, 4) }},
		{ID: "concurrency/many-sandboxes", Title: "12 sandboxes at once are each their own", Level: Gold, Serial: true, Timeout: 2 * time.Minute, Run: func(e *Env) { sandboxes(e, 12) }},
		{ID: "concurrency/no-leak", Title: "500 commands leave nothing in the caller's process", Level: Gold, Serial: true, Run: func(e *Env) {
			sb := e.Sandbox()
			e.sh(sb, "true")
			e.baseline("500 commands", func() {
				for range 500 {
					e.exec(sb, core.Program("true"))
				}
			})
		}},
	}
}

func notMixed(e *Env, sb core.Backend, n int) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			res, err := sb.Execute(e.Context(), &core.Command{
				Shell: "for k in 1 2 3; do echo out$ID; echo err$ID >&2; done; cat; exit $ID", Stdin: strings.NewReader(fmt.Sprintf("in%d", i)), Env: map[string]string{"ID": fmt.Sprint(i)},
			})
			if err != nil {
				e.Errorf("command %d: %v", i, err)
				return
			}
			out, errs := strings.Repeat(fmt.Sprintf("out%d\n", i), 3)+fmt.Sprintf("in%d", i), strings.Repeat(fmt.Sprintf("err%d\n", i), 3)
			if res.ExitCode != i || string(res.Stdout.Bytes()) != out || string(res.Stderr.Bytes()) != errs {
				e.Errorf("command %d: expected its own status and output, got %s, %q and %q", i, ending(res), res.Stdout.Bytes(), res.Stderr.Bytes())
			}
		})
	}
	all.Wait()
}

func onePath(e *Env) {
	sb := e.Sandbox()
	dir := e.Dir(sb)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			if err := sb.Upload(e.Context(), dir+"/file", bytes.NewReader(bytes.Repeat([]byte{byte('a' + i)}, 200_000)), nil); err != nil {
				e.Errorf("upload %d: %v", i, err)
			}
		})
	}
	all.Wait()
	data := e.read(sb, dir+"/file", nil)
	want(e, "bytes", len(data), 200_000)
	want(e, "content is one upload's", len(data) > 0 && bytes.Count(data, data[:1]) == len(data), true)
	want(e, "files", e.sh(sb, "ls -A "+dir), "file\n")
}

func cancelOne(e *Env) {
	sb := e.Sandbox()
	dir := e.Dir(sb)
	type one struct {
		*background
		cancel context.CancelFunc
	}
	var all []one
	for i := range 5 {
		ctx, cancel := context.WithCancel(e.Context())
		defer cancel()
		script := fmt.Sprintf("cd %s; echo up > up%d; while [ ! -e stop ]; do sleep 0.05; done; echo finished %d", dir, i, i)
		all = append(all, one{e.execute(ctx, sb, core.Shell(script)), cancel})
	}
	for i := range all {
		e.started(sb, fmt.Sprintf("%s/up%d", dir, i), "up\n")
	}
	all[2].cancel()
	if e.ended(all[2].background, 3*time.Second, "the cancelled command") {
		wantError(e, "the cancelled command", all[2].err, context.Canceled)
	}
	e.sh(sb, "touch "+dir+"/stop")
	for i, b := range all {
		if i != 2 && e.ended(b.background, 5*time.Second, "another command") {
			want(e, fmt.Sprintf("error of command %d", i), b.err, nil)
			if b.res != nil {
				want(e, fmt.Sprintf("output of command %d", i), string(b.res.Stdout.Bytes()), fmt.Sprintf("finished %d\n", i))
			}
		}
	}
}

func sandboxes(e *Env, n int) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			spec := e.Spec()
			sb, err := e.run.start(e.Context(), e.Driver(), spec)
			if err != nil {
				e.Errorf("start %d: %v", i, err)
				return
			}
			defer func() { want(e, fmt.Sprintf("stop %d", i), sb.Stop(context.WithoutCancel(e.Context())), nil) }()
			err = sb.Upload(e.Context(), "id", strings.NewReader(fmt.Sprint(i)), nil)
			if err != nil {
				e.Errorf("upload %d: %v", i, err)
				return
			}
			res, err := sb.Execute(e.Context(), core.Shell("sleep 0.2; cat id; ls"))
			if err != nil || string(res.Stdout.Bytes()) != fmt.Sprintf("%did\n", i) {
				e.Errorf("sandbox %d: expected its own file alone, got error %v", i, err)
			}
		})
	}
	all.Wait()
}
