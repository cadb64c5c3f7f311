package runtimes_test

import (
	"archive/tar"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/runtimes"
)

var update = flag.Bool("update", false, "write the golden files")

const (
	baseID      = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
)

func TestBuildFiles(t *testing.T) {
	t.Parallel()
	pip := &core.Runtime{Name: "ml", BaseImage: "python:3.12-slim", Packages: []string{"a>=1,<2", "b[x]~=1.0"}, SetupCommands: []string{`echo "$HOME" > /etc/motd`, "cat <<X"}}
	for name, rt := range map[string]*core.Runtime{
		"pip":   pip,
		"npm":   {BaseImage: "node:20-slim", WorkDir: "/app", PackageManager: core.Npm, Packages: []string{"@types/react@^18", "vite"}},
		"apt":   {BaseImage: "debian", User: "5:6", PackageManager: core.Apt, Packages: []string{"git", "jq=1.6-2.1"}},
		"cargo": {BaseImage: "rust", PackageManager: core.Cargo, Packages: []string{"ripgrep@14.1.0"}},
		"source": {BaseImage: "debian", PackageManager: core.Apt, Packages: []string{"git"}, SetupCommands: []string{"true"}, Source: core.PackageSource{
			Index: "https://user:s3cret@mirror.example/debian", CA: []byte(certificate), Proxy: "http://u:pr0xy@proxy.example:3128",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := build(t, rt, &runtimes.BuildOptions{ID: "0a"})
			golden := filepath.Join("testdata", name+".dockerfile")
			if *update {
				require.NoError(t, os.WriteFile(golden, []byte(b.Dockerfile), 0o644))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			require.Empty(t, cmp.Diff(string(want), b.Dockerfile), "(-want +got)")
			require.Len(t, b.Steps, len(parse(t, b.Dockerfile)))
		})
	}
}

func TestDigestIsOfWhatMatters(t *testing.T) {
	t.Parallel()
	mk := func(change func(*core.Runtime)) *core.Runtime {
		rt := &core.Runtime{Name: "ml", BaseImage: "python:3.12-slim", Packages: []string{"a", "b"}, SetupCommands: []string{"true"}}
		change(rt)
		return rt
	}
	first := build(t, mk(func(*core.Runtime) {}), nil)
	require.Equal(t, "localhost/caisson/runtime/ml:"+first.Digest, first.Tag)
	for name, change := range map[string]func(*core.Runtime){
		"description": func(rt *core.Runtime) { rt.Description = "other" },
		"environment": func(rt *core.Runtime) { rt.Env = map[string]string{"A": "b"} },
		"authority":   func(rt *core.Runtime) { rt.Source.CA = []byte(certificate) },
		"proxy":       func(rt *core.Runtime) { rt.Source.Proxy = "http://proxy.example" },
		"defaults":    func(rt *core.Runtime) { rt.WorkDir, rt.User, rt.PackageManager = "/workspace", "1000:1000", core.Pip },
		"no cache":    func(rt *core.Runtime) { rt.NoCache = true },
		"tag of base": func(rt *core.Runtime) { rt.BaseImage = "python:3.12-slim-again" },
	} {
		require.Equal(t, first.Tag, build(t, mk(change), &runtimes.BuildOptions{ID: name}).Tag, name)
	}
	seen := map[string]string{first.Digest: "first"}
	for name, change := range map[string]func(*core.Runtime){
		"packages":       func(rt *core.Runtime) { rt.Packages = []string{"b", "a"} },
		"manager":        func(rt *core.Runtime) { rt.PackageManager = core.Npm },
		"setup":          func(rt *core.Runtime) { rt.SetupCommands = []string{"false"} },
		"work directory": func(rt *core.Runtime) { rt.WorkDir = "/app" },
		"user":           func(rt *core.Runtime) { rt.User = "7:7" },
		"index":          func(rt *core.Runtime) { rt.Source.Index = "https://a.example" },
		"other index":    func(rt *core.Runtime) { rt.Source.Index = "https://b.example" },
	} {
		b := build(t, mk(change), nil)
		require.NotContains(t, seen, b.Digest, name)
		seen[b.Digest] = name
	}
	named, err := runtimes.NewBuild(mk(func(rt *core.Runtime) { rt.Name = "" }), runtimes.BaseImage{ID: baseID}, nil)
	require.NoError(t, err)
	require.Equal(t, "localhost/caisson/runtime:"+first.Digest, named.Tag)
	other, err := runtimes.NewBuild(mk(func(*core.Runtime) {}), runtimes.BaseImage{ID: strings.Repeat("f", 64)}, nil)
	require.NoError(t, err)
	require.NotEqual(t, first.Digest, other.Digest)
}

func TestUserOfIndexIsNotPartOfTheDigest(t *testing.T) {
	t.Parallel()
	rt := func(index string) *core.Runtime {
		return &core.Runtime{BaseImage: "debian", Packages: []string{"a"}, Source: core.PackageSource{Index: index}}
	}
	require.Equal(t, build(t, rt("https://a:1@pypi.example/"), nil).Tag, build(t, rt("https://b:2@pypi.example/"), nil).Tag)
}

func TestSecretsAreInTheContextOnly(t *testing.T) {
	t.Parallel()
	for _, manager := range []core.PackageManager{core.Pip, core.Npm, core.Apt, core.Cargo} {
		rt := &core.Runtime{BaseImage: "debian", PackageManager: manager, Packages: []string{"abc"}, Source: core.PackageSource{
			Index: "https://user:s3cret@index.example/path", CA: []byte(certificate), Proxy: "http://u:pr0xy@proxy.example",
		}}
		b := build(t, rt, nil)
		for _, text := range append(b.Steps, b.Dockerfile, b.Tag) {
			require.NotContains(t, text, "s3cret")
			require.NotContains(t, text, "pr0xy")
			require.NotContains(t, text, "AAAA")
			require.NotContains(t, text, "index.example", "the image must not know where its packages came from")
		}
		var all string
		for _, text := range contextFiles(t, b) {
			all += text
		}
		require.Contains(t, all, "AAAA")
		require.Contains(t, all, "index.example/path")
		require.Equal(t, "http://u:pr0xy@proxy.example", b.Args["HTTPS_PROXY"])
		require.Equal(t, b.Args["HTTPS_PROXY"], b.Args["http_proxy"])
		require.NotContains(t, b.Redact("fetch https://user:s3cret@index.example s3cret pr0xy dXNlcjpzM2NyZXQ="), "s3cret")
		require.Equal(t, "*** *** ***", b.Redact("s3cret pr0xy dXNlcjpzM2NyZXQ="))
	}
}

func TestBuildWithoutSourceHasOneStage(t *testing.T) {
	t.Parallel()
	b := build(t, &core.Runtime{BaseImage: "debian", Packages: []string{"a"}, Source: core.PackageSource{Proxy: "http://proxy.example", Network: core.NetworkNone}}, nil)
	require.Equal(t, 1, strings.Count(b.Dockerfile, "FROM "))
	require.Equal(t, core.NetworkNone, b.Network)
	files := contextFiles(t, b)
	require.Equal(t, map[string]string{"Dockerfile": b.Dockerfile}, files)
}

func TestEnvironmentOfBaseImageIsCarriedOver(t *testing.T) {
	t.Parallel()
	rt := &core.Runtime{BaseImage: "debian", Source: core.PackageSource{CA: []byte(certificate)}}
	env := []string{"PATH=/usr/local/bin:/usr/bin", `ODD=a"b\c$HOME #x '`, "EMPTY=", "not a name=x"}
	b, err := runtimes.NewBuild(rt, runtimes.BaseImage{ID: baseID, Env: env}, nil)
	require.NoError(t, err)
	_, after, _ := strings.Cut(b.Dockerfile, "FROM scratch\n")
	require.Contains(t, after, `ENV PATH="/usr/local/bin:/usr/bin"`+" \\\n"+`    ODD="a\"b\\c\$HOME #x '"`+" \\\n"+`    EMPTY=""`+"\nWORKDIR")
	_, err = runtimes.NewBuild(rt, runtimes.BaseImage{ID: baseID, Env: []string{"A=b\nUSER root"}}, nil)
	require.ErrorIs(t, err, core.ErrUnsupported)
}

func TestNothingToBuild(t *testing.T) {
	t.Parallel()
	_, err := runtimes.NewBuild(&core.Runtime{Image: "debian"}, runtimes.BaseImage{ID: baseID}, nil)
	require.ErrorIs(t, err, core.ErrInvalid)
	_, err = runtimes.NewBuild(&core.Runtime{BaseImage: "debian", Packages: []string{"--index-url=x"}}, runtimes.BaseImage{ID: baseID}, nil)
	require.ErrorIs(t, err, core.ErrInvalid)
}

func TestContextIsReproducible(t *testing.T) {
	t.Parallel()
	rt := &core.Runtime{BaseImage: "debian", Packages: []string{"a"}, Source: core.PackageSource{CA: []byte(certificate)}}
	a, err := io.ReadAll(build(t, rt, nil).Context())
	require.NoError(t, err)
	b, err := io.ReadAll(build(t, rt, nil).Context())
	require.NoError(t, err)
	require.Equal(t, a, b)
}

func build(t *testing.T, rt *core.Runtime, opts *runtimes.BuildOptions) *runtimes.Build {
	t.Helper()
	b, err := runtimes.NewBuild(rt, runtimes.BaseImage{ID: baseID, Env: []string{"PATH=/usr/bin:/bin"}}, opts)
	require.NoError(t, err)
	return b
}

func contextFiles(t *testing.T, b *runtimes.Build) map[string]string {
	t.Helper()
	files := map[string]string{}
	for r := tar.NewReader(b.Context()); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		require.NoError(t, err)
		if h.Typeflag == tar.TypeReg {
			text, err := io.ReadAll(r)
			require.NoError(t, err)
			files[h.Name] = string(text)
		}
	}
}
