package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/internal/enginetest"
)

// beMain makes the test binary be caisson itself.
const beMain = "CAISSON_TEST_BE_MAIN"

// shortLease makes it give its sandboxes the shortest lease.
const shortLease = "CAISSON_TEST_SHORT_LEASE"

func TestMain(m *testing.M) {
	if os.Getenv(shortLease) != "" {
		runLease = core.MinLease
	}
	if os.Getenv(beMain) != "" {
		main()
	}
	testscript.Main(m, map[string]func(){"caisson": main})
}

// TestUsage runs the scripts that start no sandbox.
func TestUsage(t *testing.T) {
	scripts(t, "usage", map[string]string{})
}

// TestFallback runs the scripts for a machine without an engine.
func TestFallback(t *testing.T) {
	scripts(t, "fallback", map[string]string{
		"DOCKER_HOST": "unix:///nowhere/docker.sock", "CONTAINER_HOST": "unix:///nowhere/podman.sock",
	})
}

// TestRun runs the scripts that every driver must pass alike.
func TestRun(t *testing.T) {
	t.Run("fake", func(t *testing.T) {
		scripts(t, "script", map[string]string{driverEnv: fakeURL})
	})
	for _, scheme := range []string{"docker", "podman"} {
		t.Run(scheme, func(t *testing.T) {
			if testing.Short() {
				t.Skip("a minute on an engine; run without -short")
			}
			scripts(t, "script", map[string]string{
				driverEnv: enginetest.URL(t, scheme), imageEnv: enginetest.Image(),
			})
		})
	}
}

func scripts(t *testing.T, dir string, env map[string]string) {
	t.Helper()
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", dir),
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			for k, v := range env {
				e.Setenv(k, v)
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
	})
}

// exits runs a command, which must end with the exit status that is its first argument.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits STATUS PROGRAM [ARG...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	err = ts.Exec(args[1], args[2:]...)
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		got = failed.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit status is %d, want %d", got, want)
	}
}
