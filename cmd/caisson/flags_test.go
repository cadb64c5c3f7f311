package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
)

func TestParseUpload(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("a.csv", nil, 0o644))
	require.NoError(t, os.Mkdir("dir", 0o755))
	tests := []struct {
		arg, local, remote string // no remote: an error
	}{
		{"a.csv", "a.csv", "a.csv"},
		{"./a.csv", "./a.csv", "a.csv"},
		{"dir/", "dir/", "dir"},
		{".", ".", "."},
		{"a.csv:b.csv", "a.csv", "b.csv"},
		{"a.csv:data/", "a.csv", "data/a.csv"},
		{"dir:/workspace/in/", "dir", "/workspace/in/dir"},
		{"a.csv:", "", ""},
		{":b.csv", "", ""},
		{"missing", "", ""},
		{"", "", ""},
	}
	for _, tt := range tests {
		got, err := parseUpload(tt.arg)
		if tt.remote == "" {
			require.Error(t, err, "parseUpload(%q)", tt.arg)
			continue
		}
		require.NoError(t, err, "parseUpload(%q)", tt.arg)
		require.Equal(t, transfer{local: tt.local, remote: tt.remote}, got, "parseUpload(%q)", tt.arg)
	}
}

func TestParseDownload(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, os.Mkdir("dir", 0o755))
	tests := []struct {
		arg, remote, local string // no remote: an error
	}{
		{"out.json", "out.json", "out.json"},
		{"/workspace/deep/out.json", "/workspace/deep/out.json", "out.json"},
		{"out.json:mine.json", "out.json", "mine.json"},
		{"out.json:dir", "out.json", filepath.Join("dir", "out.json")},
		{"out.json:", "", ""},
		{":mine.json", "", ""},
		{"", "", ""},
		{"../out.json", "", ""},
		{"/proc/1/environ", "", ""},
	}
	for _, tt := range tests {
		got, err := parseDownload(tt.arg)
		if tt.remote == "" {
			require.Error(t, err, "parseDownload(%q)", tt.arg)
			continue
		}
		require.NoError(t, err, "parseDownload(%q)", tt.arg)
		require.Equal(t, transfer{local: tt.local, remote: tt.remote}, got, "parseDownload(%q)", tt.arg)
	}
}

func TestExitStatus(t *testing.T) {
	tests := []struct {
		result core.Result
		want   int
	}{
		{core.Result{Reason: core.Exited}, 0},
		{core.Result{Reason: core.Exited, ExitCode: 3}, 3},
		{core.Result{Reason: core.TimedOut, ExitCode: core.NoExitCode}, 124},
		{core.Result{Reason: core.OutOfMemory, ExitCode: core.NoExitCode}, 137},
		{core.Result{Reason: core.OutOfMemory, ExitCode: 1}, 137},
		{core.Result{Reason: core.Signaled, Signal: "SIGSEGV", ExitCode: core.NoExitCode}, 139},
		{core.Result{Reason: core.Signaled, Signal: "SIGRTMIN+2", ExitCode: core.NoExitCode}, 162},
		{core.Result{Reason: core.Signaled, Signal: "SIGNEW", ExitCode: core.NoExitCode}, 125},
		{core.Result{Reason: core.Unknown, ExitCode: core.NoExitCode}, 125},
	}
	for _, tt := range tests {
		got := 0
		if err := ended(&tt.result); err != nil {
			require.ErrorAs(t, err, new(status))
			got = int(err.(status)) //nolint:errorlint // never wrapped
		}
		require.Equal(t, tt.want, got, "%+v", tt.result)
	}
}

func TestSignalNumbersAreWhatTheGuestNames(t *testing.T) {
	for name, want := range map[string]int{"SIGHUP": 1, "SIGKILL": 9, "SIGTERM": 15, "SIGXFSZ": 25, "SIGSYS": 31, "SIGRTMIN+0": 32} {
		require.Equal(t, want, signalNumber(name), name)
	}
}
