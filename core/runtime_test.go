package core_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
)

// specifiers that people write, for each manager.
var specifiers = map[core.PackageManager][]string{
	core.Pip: {
		"numpy", "scikit-learn", "zope.interface", "ruamel.yaml", "A", "a1", "pandas==2.2.0", "pandas>=2", "pandas>=2,<3", "pandas~=1.0", "x!=1.5", "x===1.0",
		"requests[socks]", "requests[socks,use_chardet_on_py3]>=2.31", "torch==2.1.0+cpu", "x==1.*", "x==1!2.0", "x>=1.0rc1",
	},
	core.Npm: {
		"react", "@types/react", "@types/react@18", "lodash@4.17.21", "vite@^5", "vite@~5.1", "x@latest", "x@>=1.2.0", "x@1.x", "x@*", "x@1.0.0-beta.1", "JSONStream", "@s/p@^1", "a.b",
	},
	core.Apt: {
		"git", "g++", "libstdc++6", "python3.11", "libc6:i386", "git=1:2.39.2-1", "curl=7.88.1-10+deb12u5", "nodejs=18.13.0~dfsg1-1",
	},
	core.Cargo: {"ripgrep", "cargo-edit", "fd-find@8.7.0", "x@^1.0", "x@~1.2", "x@=1.0.0", "serde_json", "x@1.0.0-rc.1+build"},
}

// injections are what must never reach a build file, whatever the manager.
var injections = []string{
	"", " ", "-r", "-e", "--index-url=http://x", "--extra-index-url", "-rrequirements.txt", "a b", "a\tb", "a\nb", "pip\n", "a\r", "a\x00", "a;id", "a&&id", "a|id", "$(id)", "`id`", "a$x", "${x}", "a'", `a"`, `a\`,
	"a> b", "a<(id)", "../x", "./x", "/etc/passwd", ".", "..", "~", "http://x/y.whl", "https://x", "git+https://x/y", "file:///x", "a@file:///x", "a @ https://x", "x@npm:y", "user/repo", "x@git+ssh://y", "a#b", "a?b", "*", "[x]", "{a,b}",
	"a==1.0 ; python_version<'3'", "ünï", "\xff", "a\u00a0b", "\u2212r", "=2.0", "==1", "@", "@/x", "a/b/c", strings.Repeat("a", 257),
}

func TestPackages(t *testing.T) {
	accepted := 0
	for manager, list := range specifiers {
		for _, p := range list {
			rt := &core.Runtime{BaseImage: "debian", PackageManager: manager, Packages: []string{p}}
			require.NoError(t, rt.Validate(), "%s %q", manager, p)
			accepted++
		}
	}
	require.GreaterOrEqual(t, accepted, 40)
	require.GreaterOrEqual(t, len(injections), 30)
	for manager := range specifiers {
		for _, p := range injections {
			rt := &core.Runtime{BaseImage: "debian", PackageManager: manager, Packages: []string{"x1", p}}
			require.ErrorIs(t, rt.Validate(), core.ErrInvalid, "%s %q", manager, p)
		}
	}
	for manager, list := range map[core.PackageManager][]string{
		core.Pip: {"a.whl", "a.tar.gz", "a[x]b", "a[]", "a==", "a>=,<", "a==1,"}, core.Npm: {"a.tgz", "@types", "@Types/x"},
		core.Apt: {"git-", "Git", "a", "git=-1", "git=1-"}, core.Cargo: {"1a", "x@latest", "a.b"},
	} {
		for _, p := range list {
			if p == "a" {
				continue // one letter is a package
			}
			rt := &core.Runtime{BaseImage: "debian", PackageManager: manager, Packages: []string{p}}
			require.ErrorIs(t, rt.Validate(), core.ErrInvalid, "%s %q", manager, p)
		}
	}
}

// FuzzPackages: what is accepted is one word that no shell, option parser or build file takes for more.
func FuzzPackages(f *testing.F) {
	for _, p := range injections {
		f.Add(p)
	}
	for _, list := range specifiers {
		f.Add(list[0])
	}
	f.Fuzz(func(t *testing.T, p string) {
		for manager := range specifiers {
			if (&core.Runtime{BaseImage: "x", PackageManager: manager, Packages: []string{p}}).Validate() != nil {
				continue
			}
			require.NotEmpty(t, p)
			require.False(t, strings.HasPrefix(p, "-"), "%s %q", manager, p)
			require.False(t, strings.ContainsAny(p, " \t\r\n\x00;&|$`'\"\\(){}#?"), "%s %q", manager, p)
			require.NotContains(t, p, "://")
		}
	})
}

func TestImageReferences(t *testing.T) {
	digest := strings.Repeat("0a", 32)
	for _, ref := range []string{
		"debian", "python:3.12-slim", "library/debian:bookworm", "ghcr.io/owner/image:v1", "localhost:5000/a/b_c/d--e:T.a_g-1", "127.0.0.1:5000/x", "x@sha256:" + digest, "r.example/x:1@sha256:" + digest, digest, "sha256:" + digest, "REGISTRY.example/x",
	} {
		require.NoError(t, (&core.Runtime{Image: ref}).Validate(), "%q", ref)
		require.NoError(t, (&core.Runtime{BaseImage: ref}).Validate(), "%q", ref)
	}
	for _, ref := range []string{
		" ", "a b", "Debian", "-x", "--platform=x", "a:", ":a", "a/", "/a", "a//b", "a:b:c", "a@sha256:0a", "a@md5:" + digest, "a\nRUN id", "a\n", "$x", "a:-x", "a:" + strings.Repeat("t", 129), "http://x/y", "x/y/../z", "a_-b",
	} {
		require.ErrorIs(t, (&core.Runtime{Image: ref}).Validate(), core.ErrInvalid, "%q", ref)
		require.ErrorIs(t, (&core.Runtime{BaseImage: ref}).Validate(), core.ErrInvalid, "%q", ref)
	}
}

func TestRuntimeIsValidated(t *testing.T) {
	for name, rt := range map[string]*core.Runtime{
		"image":      {Image: "a"},
		"build":      {BaseImage: "a", Packages: []string{"x1"}, SetupCommands: []string{"apt-get update && true # 'quoted'"}, NoCache: true},
		"everything": {Name: "my-1.x_y", Image: "a", Env: map[string]string{"A": "\n'\"$"}, WorkDir: "/srv/app-1.0", User: "10001:20002"},
	} {
		require.NoError(t, rt.Validate(), name)
	}
	for name, rt := range map[string]*core.Runtime{
		"nil": nil, "no source": {}, "two sources": {Image: "a", BaseImage: "b"}, "packages for an image": {Image: "a", Packages: []string{"x"}}, "setup for an image": {Image: "a", SetupCommands: []string{"x"}},
		"name with a slash": {Image: "a", Name: "a/b"}, "name in capitals": {Image: "a", Name: "A"}, "name with a line end": {Image: "a", Name: "a\n"}, "name with two dots": {Image: "a", Name: "a..b"}, "long name": {Image: "a", Name: strings.Repeat("a", 64)},
		"manager":     {BaseImage: "a", PackageManager: "yum", Packages: []string{"x"}},
		"empty setup": {BaseImage: "a", SetupCommands: []string{" "}}, "setup of two lines": {BaseImage: "a", SetupCommands: []string{"a\nb"}}, "setup with a NUL": {BaseImage: "a", SetupCommands: []string{"a\x00"}}, "long setup": {BaseImage: "a", SetupCommands: []string{strings.Repeat("a", 9<<10)}},
		"env key": {Image: "a", Env: map[string]string{"a-b": ""}}, "env value": {Image: "a", Env: map[string]string{"A": "\x00"}},
		"relative work directory": {Image: "a", WorkDir: "work"}, "work directory /": {Image: "a", WorkDir: "/"}, "work directory with dots": {Image: "a", WorkDir: "/a/../b"}, "work directory in /proc": {Image: "a", WorkDir: "/proc/x"},
		"work directory in /dev": {Image: "a", WorkDir: "/dev/shm"}, "work directory in /tmp": {Image: "a", WorkDir: "/tmp/x"}, "work directory with a colon": {Image: "a", WorkDir: "/a:b"}, "work directory with a comma": {Image: "a", WorkDir: "/a,b"}, "work directory with a line end": {Image: "a", WorkDir: "/a\n"},
		"root": {Image: "a", User: "0:0"}, "group root": {Image: "a", User: "1000:0"}, "user alone": {Image: "a", User: "1000"}, "user name": {Image: "a", User: "nobody:nogroup"}, "padded user": {Image: "a", User: "01000:1000"}, "user with a line end": {Image: "a", User: "1:1\n"},
	} {
		require.ErrorIs(t, rt.Validate(), core.ErrInvalid, name)
	}
}

func TestRuntimeDefaults(t *testing.T) {
	rt := &core.Runtime{BaseImage: "a"}
	full := rt.WithDefaults()
	require.Equal(t, core.DefaultWorkDir, full.WorkDir)
	require.Equal(t, core.DefaultUser, full.User)
	require.Equal(t, core.Pip, full.PackageManager)
	require.Empty(t, rt.WorkDir, "the original was changed")
	require.NoError(t, full.Validate())
	own := &core.Runtime{BaseImage: "a", WorkDir: "/x", User: "1:1", PackageManager: core.Npm}
	require.Equal(t, "/x 1:1 npm", fmt.Sprint(own.WithDefaults().WorkDir, " ", own.WithDefaults().User, " ", own.WithDefaults().PackageManager))
}

func TestRuntimeShowsNoEnvironment(t *testing.T) {
	rt := &core.Runtime{Name: "x", Image: "a", Env: map[string]string{"TOKEN": "secret"}}
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		require.NotContains(t, fmt.Sprintf(format, rt), "secret")
	}
}
