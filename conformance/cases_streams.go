package conformance

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/caisson-dev/caisson/core"
)

// What comes out of a command.
func streamCases() []Case {
	return []Case{
		{ID: "streams/separate", Title: "stdout and stderr are kept apart", Level: Core, Run: func(e *Env) {
			res := e.exec(e.Sandbox(), core.Shell("echo out; echo err >&2; echo out2"))
			want(e, "stdout", string(res.Stdout.Bytes()), "out\nout2\n")
			want(e, "stderr", string(res.Stderr.Bytes()), "err\n")
		}},
		{ID: "streams/combined", Title: "the combined output holds both in the order of arrival", Level: Core, Run: func(e *Env) {
			res := e.exec(e.Sandbox(), core.Shell("echo 1; sleep 0.2; echo 2 >&2; sleep 0.2; echo 3"))
			want(e, "combined output", string(res.Combined.Bytes()), "1\n2\n3\n")
			want(e, "its total", res.Combined.Total, 6)
		}},
		{ID: "streams/binary", Title: "every byte passes both outputs unchanged", Level: Core, Run: func(e *Env) {
			data := make([]byte, 0, 512)
			for i := range 512 {
				data = append(data, byte(i))
			}
			res := e.exec(e.Sandbox(), &core.Command{Shell: "tee /dev/stderr", Stdin: bytes.NewReader(data)})
			wantBytes(e, "stdout", res.Stdout.Bytes(), data)
			wantBytes(e, "stderr", res.Stderr.Bytes(), data)
		}},
		{ID: "streams/no-last-newline", Title: "output is neither trimmed nor ended with a line end", Level: Core, Run: func(e *Env) {
			want(e, "printf", e.sh(e.Sandbox(), `printf ' \n a \n\n b '`), " \n a \n\n b ")
		}},
		{ID: "streams/last-bytes", Title: "what a command writes just before its end is never lost", Level: Core, Run: lastBytes},
		{ID: "streams/live", Title: "a writer gets output while the command runs", Level: Core, Run: live},
		{ID: "streams/not-captured", Title: "an output that goes to a writer is not captured too", Level: Core, Run: func(e *Env) {
			var out bytes.Buffer
			res := e.exec(e.Sandbox(), &core.Command{Shell: "echo out; echo err >&2", Stdout: &out})
			want(e, "the writer", out.String(), "out\n")
			want(e, "captured stdout", string(res.Stdout.Bytes()), "")
			want(e, "captured stderr", string(res.Stderr.Bytes()), "err\n")
		}},
		{ID: "streams/one-writer", Title: "one writer may take both outputs", Level: Core, Run: func(e *Env) {
			var both bytes.Buffer // without a lock: the two are written one after the other
			e.exec(e.Sandbox(), &core.Command{Shell: "for i in 1 2 3 4 5 6 7 8 9; do echo out$i; echo err$i >&2; done", Stdout: &both, Stderr: &both})
			want(e, "lines of both", strings.Count(both.String(), "out")+strings.Count(both.String(), "err"), 18)
			want(e, "bytes of both", both.Len(), 90)
		}},
		{ID: "streams/writer-fails", Title: "a writer that fails ends the command, with its error", Level: Core, Run: writerFails},
		{ID: "streams/truncated", Title: "a larger output keeps head and tail up to the limit, is counted whole, and says so", Level: Core, Run: truncated},
		{ID: "streams/truncated-stderr", Title: "the limit holds for each output by itself", Level: Core, Run: func(e *Env) {
			res := e.exec(e.Sandbox(), &core.Command{Shell: "head -c 300000 /dev/zero >&2; head -c 200000 /dev/zero", OutputLimit: 100_000})
			for name, o := range map[string]*core.Output{"stdout": &res.Stdout, "stderr": &res.Stderr} {
				total := int64(map[string]int{"stdout": 200_000, "stderr": 300_000}[name])
				want(e, name+": total", o.Total, total)
				want(e, name+": truncated", o.Truncated, true)
				want(e, name+": kept", len(o.Bytes()), 100_000)
			}
			want(e, "combined: total", res.Combined.Total, 500_000)
			want(e, "combined: kept no more than the limit", len(res.Combined.Bytes()) <= 100_000, true)
		}},
		{ID: "streams/limit-exact", Title: "an output as large as the limit is whole, one byte more is truncated", Level: Core, Run: limitExact},
		{ID: "streams/default-limit", Title: "without a limit of its own a command's output is kept up to 1 MiB", Level: Core, Run: func(e *Env) {
			sb := e.Sandbox()
			want(e, "1 MiB: truncated", e.exec(sb, core.Shell("head -c 1048576 /dev/zero")).Stdout.Truncated, false)
			res := e.exec(sb, core.Shell("head -c 1048577 /dev/zero"))
			want(e, "1 MiB and a byte: truncated", res.Stdout.Truncated, true)
			want(e, "1 MiB and a byte: kept", len(res.Stdout.Bytes()), core.DefaultOutputLimit)
		}},
		{ID: "streams/writer-unlimited", Title: "a writer gets all of an output, beyond every limit", Level: Core, Run: func(e *Env) {
			var n counter
			e.exec(e.Sandbox(), &core.Command{Shell: "head -c 5000000 /dev/zero", Stdout: &n, OutputLimit: 1000})
			want(e, "bytes written", int64(n), 5_000_000)
		}},
		{ID: "streams/flood", Title: "200 MB of output are counted, bounded and hold nothing up", Level: Gold, Run: func(e *Env) {
			res := e.exec(e.Sandbox(), core.Shell("head -c 200000000 /dev/zero; head -c 1000000 /dev/zero >&2; exit 3"))
			wantExit(e, "200 MB of output", res, 3)
			want(e, "total of stdout", res.Stdout.Total, 200_000_000)
			want(e, "total of stderr", res.Stderr.Total, 1_000_000)
			want(e, "kept of stdout", len(res.Stdout.Bytes()), core.DefaultOutputLimit)
		}},
		{ID: "streams/writer-blocks", Title: "a writer that blocks does not keep Execute beyond its timeout", Level: Gold, Waits: true, Run: func(e *Env) {
			sb := e.Sandbox()
			r, w := io.Pipe()
			e.Cleanup(func() { _ = r.Close() })
			e.within(5*time.Second, "flood a writer that blocks, with a timeout of 500 ms", func() {
				res, err := sb.Execute(e.Context(), &core.Command{Args: []string{"yes"}, Stdout: w, Timeout: 500 * time.Millisecond})
				want(e, "error", err, nil)
				if res != nil {
					want(e, "Reason", res.Reason, core.TimedOut)
				}
			})
			want(e, "the next command", e.sh(sb, "echo next"), "next\n")
		}},
		{ID: "streams/writer-panics", Title: "a writer that panics ends its own command only", Level: Gold, Run: func(e *Env) {
			sb := e.Sandbox()
			_, err := sb.Execute(e.Context(), &core.Command{Shell: "echo text; sleep 60", Stdout: panicking{}})
			want(e, "an error", err != nil, true)
			want(e, "the next command", e.sh(sb, "echo next"), "next\n")
		}},
	}
}

type counter int64

func (c *counter) Write(p []byte) (int, error) { *c += counter(len(p)); return len(p), nil }

type panicking struct{}

func (panicking) Write([]byte) (int, error) { panic("this writer always does") }
func (panicking) Read([]byte) (int, error)  { panic("this reader always does") }

type failing struct{ err error }

func (w failing) Write([]byte) (int, error) { return 0, w.err }
func (w failing) Read([]byte) (int, error)  { return 0, w.err }

func lastBytes(e *Env) {
	for i := range 20 {
		size := 1 + i*9973
		res := e.exec(e.Sandbox(), core.Shell(fmt.Sprintf("head -c %d /dev/zero | tr '\\0' x; printf end; printf last >&2; exit %d", size, i)))
		wantExit(e, "the command", res, i)
		want(e, fmt.Sprintf("stdout of %d bytes ends with its last", size+3), res.Stdout.Total == int64(size+3) && bytes.HasSuffix(res.Stdout.Bytes(), []byte("xend")), true)
		want(e, "stderr", string(res.Stderr.Bytes()), "last")
	}
}

// live talks with a command, each side waiting for the other.
func live(e *Env) {
	r, w := io.Pipe()
	out := newSignalWriter()
	b := e.execute(e.Context(), e.Sandbox(), &core.Command{Shell: "echo ready; while read -r line; do echo \"got $line\"; done; echo over", Stdin: r, Stdout: out})
	e.Cleanup(func() { _ = w.Close() })
	said := "ready\n"
	e.await(out, said)
	for i := range 3 {
		_, _ = fmt.Fprintf(w, "line %d\n", i)
		said += fmt.Sprintf("got line %d\n", i)
		e.await(out, said)
	}
	_ = w.Close()
	if e.ended(b, 5*time.Second, "the command after the end of its input") {
		want(e, "error", b.err, nil)
		want(e, "all it said", out.String(), said+"over\n")
	}
}

func writerFails(e *Env) {
	sb := e.Sandbox()
	dir := e.Dir(sb)
	e.within(5*time.Second, "a command whose writer fails", func() {
		_, err := sb.Execute(e.Context(), &core.Command{Shell: "echo $$ > " + dir + "/pids; echo text; sleep 60; sleep 60", Stdout: failing{errSource}})
		want(e, "an error", err != nil, true)
		want(e, fmt.Sprintf("error %q tells the writer's", err), err != nil && strings.Contains(err.Error(), errSource.Error()), true)
	})
	e.gone(sb, dir)
}

func truncated(e *Env) {
	const limit = 10_000
	res := e.exec(e.Sandbox(), &core.Command{Shell: "printf first; head -c 4194304 /dev/zero | tr '\\0' x; printf final; exit 7", OutputLimit: limit})
	wantExit(e, "the command", res, 7)
	want(e, "total", res.Stdout.Total, 4194304+10)
	want(e, "truncated", res.Stdout.Truncated, true)
	want(e, "kept", len(res.Stdout.Bytes()), limit)
	want(e, "begins with its head", bytes.HasPrefix(res.Stdout.Head, []byte("firstx")), true)
	want(e, "ends with its tail", bytes.HasSuffix(res.Stdout.Tail, []byte("xfinal")), true)
}

func limitExact(e *Env) {
	for _, limit := range []int{1, 2, 4097, 65536} {
		for _, more := range []int{-1, 0, 1} {
			size := limit + more
			res := e.exec(e.Sandbox(), &core.Command{Shell: fmt.Sprintf("head -c %d /dev/zero", size), OutputLimit: limit})
			done := fmt.Sprintf("%d bytes with a limit of %d", size, limit)
			want(e, done+": truncated", res.Stdout.Truncated, more > 0)
			want(e, done+": total", res.Stdout.Total, int64(size))
			want(e, done+": kept", len(res.Stdout.Bytes()), min(size, limit))
		}
	}
}
