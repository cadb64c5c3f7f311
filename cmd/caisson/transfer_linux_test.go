package main

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/drivers/fake"
)

// What is no regular file is written to: to put a file in its place would take, say, a device away.
func TestDownloadIntoAFIFO(t *testing.T) {
	sb, err := core.Start(t.Context(), fake.New(nil), &core.Spec{Runtime: &core.Runtime{Image: "debian"}})
	require.NoError(t, err)
	defer func() { require.NoError(t, sb.Stop(t.Context())) }()
	_, err = sb.Execute(t.Context(), core.Shell("printf text > file"))
	require.NoError(t, err)
	fifo := filepath.Join(t.TempDir(), "fifo")
	require.NoError(t, syscall.Mkfifo(fifo, 0o600))
	read := make(chan string, 1)
	go func() {
		text, _ := os.ReadFile(fifo)
		read <- string(text)
	}()
	require.NoError(t, transfer{remote: "file", local: fifo}.download(t.Context(), sb))
	require.Equal(t, "text", <-read)
	fi, err := os.Lstat(fifo)
	require.NoError(t, err)
	require.Equal(t, os.ModeNamedPipe, fi.Mode().Type())
}
