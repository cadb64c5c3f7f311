package guest_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/drivers/fake"
	"github.com/caisson-dev/caisson/guest"
	"github.com/caisson-dev/caisson/guest/protocol"
	"github.com/caisson-dev/caisson/guest/runner"
)

// What a driver supplies: a stream to a runner, and the removal of the place
// that it works in. Here that is a directory of this host and the runner a part
// of this process, which protects nothing; an engine's driver starts a container
// with the helper of guest/binary in it, and opens the stream by an exec.
func ExampleNewBackend() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "caisson-example")
	if err != nil {
		panic(err)
	}
	sys, err := system() // linux.New, which a process calls once
	if err != nil {
		panic(err)
	}
	b, err := guest.NewBackend(ctx, &guest.Options{
		Driver: "example", ID: "1",
		Config: protocol.Config{WorkDir: dir, Env: []string{"PATH=/usr/bin:/bin"}},
		Open: func(context.Context) (io.ReadWriteCloser, error) {
			ours, theirs := net.Pipe()
			go func() { _ = runner.Serve(theirs, sys) }() // ends with the stream
			return ours, nil
		},
		Remove: func(context.Context) error { return os.RemoveAll(dir) },
	})
	if err != nil {
		panic(err)
	}
	if err := b.Upload(ctx, "words", strings.NewReader("b\na\n"), new(core.UploadOptions)); err != nil {
		panic(err)
	}
	res, err := b.Execute(ctx, core.Program("sort", "words"))
	if err != nil {
		panic(err)
	}
	fmt.Print(res.Stdout.String())
	if err := b.Stop(ctx); err != nil {
		panic(err)
	}
	// Output:
	// a
	// b
}

// The file verbs for a sandbox of any driver: its own, or else derived from the
// four methods.
func ExampleNewFiles() {
	ctx := context.Background()
	sb, err := core.Start(ctx, fake.New(nil), &core.Spec{Runtime: &core.Runtime{Image: "debian:bookworm"}})
	if err != nil {
		panic(err)
	}
	defer func() { _ = sb.Stop(ctx) }()
	if err := sb.Upload(ctx, "src/main.go", strings.NewReader("package main\n"), nil); err != nil {
		panic(err)
	}

	files := guest.NewFiles(sb)
	defer files.Close()
	if _, err := files.Edit(ctx, "src/main.go", "main", "hello", false); err != nil {
		panic(err)
	}
	found, err := files.Glob(ctx, "**/*.go", nil)
	if err != nil {
		panic(err)
	}
	fmt.Println(found.Paths)
	// Output:
	// [/workspace/src/main.go]
}
