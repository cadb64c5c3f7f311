package core_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/drivers/fake" // of real engines: drivers/docker, drivers/podman
)

// A sandbox from the engine that a URL names. "docker:", "podman:" and "auto:"
// do the same on a real one, once their packages are imported.
func Example() {
	ctx := context.Background()
	driver, err := core.Open(ctx, "fake:")
	if err != nil {
		panic(err)
	}
	defer driver.Close()
	sb, err := core.Start(ctx, driver, &core.Spec{Runtime: &core.Runtime{Image: "python:3.12-slim"}})
	if err != nil {
		panic(err)
	}
	defer func() { _ = sb.Stop(ctx) }()

	if err := sb.Upload(ctx, "data.csv", strings.NewReader("north,120\nsouth,80\n"), nil); err != nil {
		panic(err)
	}
	res, err := sb.Execute(ctx, core.Shell("sort -t, -k2 -n data.csv > sorted.csv; wc -l < sorted.csv"))
	if err != nil {
		panic(err)
	}
	fmt.Print(res.Stdout.String())
	r, err := sb.Read(ctx, "sorted.csv", nil)
	if err != nil {
		panic(err)
	}
	defer r.Close()
	text, err := io.ReadAll(r)
	if err != nil {
		panic(err)
	}
	fmt.Print(string(text))
	// Output:
	// 2
	// south,80
	// north,120
}

// A lazy sandbox costs nothing until it is used. Start warms it up for who
// cannot wait, and its context bounds that: it may have to build an image.
func ExampleSandbox_Start() {
	ctx := context.Background()
	spec := &core.Spec{
		Runtime: &core.Runtime{BaseImage: "python:3.12-slim", Packages: []string{"pandas"}},
		Lazy:    true,
		Progress: func(p core.Progress) {
			if p.Kind == core.ProgressStep {
				fmt.Printf("%d of %d: %s\n", p.Current, p.Total, p.Text)
			}
		},
	}
	sb, err := core.Start(ctx, fake.New(nil), spec)
	if err != nil {
		panic(err)
	}
	defer func() { _ = sb.Stop(ctx) }()
	fmt.Println("nothing has started yet")

	warm, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	if err := sb.Start(warm); err != nil {
		panic(err)
	}
	res, err := sb.Execute(ctx, core.Program("echo", "ready"))
	if err != nil {
		panic(err)
	}
	fmt.Print(res.Stdout.String())
	// Output:
	// nothing has started yet
	// 1 of 2: FROM python:3.12-slim
	// 2 of 2: pip install pandas
	// ready
}

// How a command ended is a result and no error, whatever its end was.
func ExampleSandbox_Execute() {
	ctx := context.Background()
	sb, err := core.Start(ctx, fake.New(nil), &core.Spec{Runtime: &core.Runtime{
		Image: "debian:bookworm", Env: map[string]string{"GREETING": "hello"},
	}})
	if err != nil {
		panic(err)
	}
	defer func() { _ = sb.Stop(ctx) }()

	for _, cmd := range []*core.Command{
		core.Shell("echo $GREETING $NAME"),
		core.Program("no-such-program"),
		core.Shell("echo begun; sleep 60"),
		core.Shell("kill -SEGV $$"),
	} {
		cmd.Env = map[string]string{"NAME": "world"} // beside those of the runtime
		cmd.Timeout = 200 * time.Millisecond
		res, err := sb.Execute(ctx, cmd)
		if err != nil {
			panic(err)
		}
		fmt.Printf("%s %d %q %q\n", res.Reason, res.ExitCode, res.Signal, res.Stdout.String())
	}
	// Output:
	// exited 0 "" "hello world\n"
	// exited 127 "" ""
	// timed_out -1 "SIGKILL" "begun\n"
	// signaled -1 "SIGSEGV" ""
}

// With writers of its own a command's output streams while it runs, and input
// comes from a reader.
func ExampleCommand() {
	ctx := context.Background()
	sb, err := core.Start(ctx, fake.New(nil), &core.Spec{Runtime: &core.Runtime{Image: "debian:bookworm"}})
	if err != nil {
		panic(err)
	}
	defer func() { _ = sb.Stop(ctx) }()

	var out strings.Builder // or a file, a terminal, a network connection
	_, err = sb.Execute(ctx, &core.Command{
		Args:   []string{"tr", "a-z", "A-Z"},
		Stdin:  strings.NewReader("from a reader\n"),
		Stdout: &out,
	})
	if err != nil {
		panic(err)
	}
	fmt.Print(out.String())
	// Output:
	// FROM A READER
}

// What only some drivers do is an optional interface. As returns it if the
// driver has declared it and it is there.
func ExampleAs() {
	ctx := context.Background()
	sb, err := core.Start(ctx, fake.New(nil), &core.Spec{Runtime: &core.Runtime{Image: "debian:bookworm"}})
	if err != nil {
		panic(err)
	}
	defer func() { _ = sb.Stop(ctx) }()
	if err := sb.Upload(ctx, "src/main.go", strings.NewReader("package main\n\n// TODO: everything\n"), nil); err != nil {
		panic(err)
	}

	grepper, ok := core.As[core.Grepper](sb, core.CapGrep)
	if !ok {
		panic("this driver cannot search files")
	}
	found, err := grepper.Grep(ctx, "TODO", &core.Search{Include: "*.go"})
	if err != nil {
		panic(err)
	}
	for _, m := range found.Matches {
		fmt.Printf("%s:%d: %s\n", m.Path, m.Line, m.Text)
	}
	// Output:
	// /workspace/src/main.go:3: // TODO: everything
}

// Errors have a code, which answers for its twin in the standard library, on
// both sides of a process boundary.
func ExampleCodeOf() {
	ctx := context.Background()
	sb, err := core.Start(ctx, fake.New(nil), &core.Spec{Runtime: &core.Runtime{Image: "debian:bookworm"}})
	if err != nil {
		panic(err)
	}
	_, err = sb.Read(ctx, "missing.txt", nil)
	fmt.Println(core.CodeOf(err), errors.Is(err, core.ErrNotFound), errors.Is(err, fs.ErrNotExist))

	if err := sb.Stop(ctx); err != nil {
		panic(err)
	}
	_, err = sb.Execute(ctx, core.Shell("true"))
	fmt.Println(core.CodeOf(err), errors.Is(err, core.ErrStopped))

	_, err = core.Start(ctx, fake.New(nil), &core.Spec{Runtime: &core.Runtime{Image: "debian", Packages: []string{"git"}}})
	fmt.Println(err)
	// Output:
	// not_found true true
	// stopped true
	// start: invalid: runtime: Packages and SetupCommands need a BaseImage to build from, not an Image
}
