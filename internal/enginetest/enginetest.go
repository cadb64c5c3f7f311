// Package enginetest gives tests the container engines that the environment names:
//
//	CAISSON_TEST_DOCKER  the socket of a Docker Engine; default the usual one, if it answers
//	CAISSON_TEST_PODMAN  the same of Podman
//	CAISSON_TEST_IMAGE   the image that sandboxes are started from; default caisson-test/base:latest
//	CAISSON_REQUIRE      engines that must be there, as in "docker,podman"
//
// A test whose engine is not there is skipped with the reason, or fails if the engine is required.
package enginetest

import (
	"cmp"
	"context"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caisson-dev/caisson/core"
)

var sockets = map[string]struct{ variable, usual string }{
	"docker": {"CAISSON_TEST_DOCKER", "/var/run/docker.sock"},
	"podman": {"CAISSON_TEST_PODMAN", "/run/podman/podman.sock"},
}

// URL returns the URL of the engine that tests of the scheme use. It skips or fails t without one.
func URL(t testing.TB, scheme string) string {
	t.Helper()
	s := sockets[scheme]
	socket := strings.TrimPrefix(cmp.Or(os.Getenv(s.variable), s.usual), "unix://")
	conn, err := net.DialTimeout("unix", socket, 3*time.Second)
	if err == nil {
		_ = conn.Close()
		return scheme + "://" + socket
	}
	required := slices.Contains(strings.Split(os.Getenv("CAISSON_REQUIRE"), ","), scheme)
	reason := "no " + scheme + " at " + socket + " (" + err.Error() + "); start it, or set " + s.variable
	if required {
		t.Fatal(reason)
	}
	t.Skip(reason)
	return ""
}

// Image returns the image that sandboxes are started from.
func Image() string { return cmp.Or(os.Getenv("CAISSON_TEST_IMAGE"), "caisson-test/base:latest") }

// Open opens the driver of the scheme on the tests' engine and closes it when t ends.
func Open(t testing.TB, scheme string) core.Driver {
	t.Helper()
	drv, err := core.Open(t.Context(), URL(t, scheme))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := drv.Close(); err != nil {
			t.Error(err)
		}
	})
	return drv
}

// Start starts a sandbox of spec, whose Runtime defaults to the tests' image, and stops it when t ends.
func Start(t testing.TB, drv core.Driver, spec *core.Spec) *core.Sandbox {
	t.Helper()
	if spec == nil {
		spec = new(core.Spec)
	}
	if spec.Runtime == nil {
		spec.Runtime = &core.Runtime{Image: Image()}
	}
	sb, err := core.Start(t.Context(), drv, spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sb.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return sb
}
