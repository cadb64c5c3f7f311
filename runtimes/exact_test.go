package runtimes_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/runtimes"
)

// instruction is one instruction of a build file, with its arguments if they are in exec form.
type instruction struct {
	name, text string
	argv       []string
}

// parse reads a build file by the rules that all engines share: comments and
// empty lines go, a backslash at the end joins lines, then a name and the rest.
func parse(t *testing.T, dockerfile string) []instruction {
	t.Helper()
	var list []instruction
	joined := ""
	for _, line := range strings.Split(dockerfile, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		require.LessOrEqual(t, len(line), 60_000, "a line that an engine may not take")
		require.NotContains(t, line, "<<", "a parser could take it for a here-document")
		if rest, more := strings.CutSuffix(line, `\`); more {
			joined += rest
			continue
		}
		name, text, _ := strings.Cut(joined+line, " ")
		joined = ""
		in := instruction{name: name, text: text}
		if name == "RUN" {
			require.NoError(t, json.Unmarshal([]byte(text), &in.argv), "RUN is not in exec form: %s", text)
		}
		list = append(list, in)
	}
	require.Empty(t, joined)
	return list
}

// requireExact checks that the build file of rt runs just what rt says, with every text as one argument.
func requireExact(t *testing.T, rt *core.Runtime, b *runtimes.Build) {
	t.Helper()
	var setup [][]string
	var packages []string
	for _, in := range parse(t, b.Dockerfile) {
		switch in.name {
		case "FROM", "USER", "WORKDIR", "COPY", "ENV", "LABEL":
		case "RUN":
			switch {
			case len(in.argv) == 3 && in.argv[1] == "-c":
				setup = append(setup, in.argv)
				require.Empty(t, packages, "setup after packages")
			case in.argv[0] == "rm" || len(in.argv) == 3 && in.argv[1] == "-ec":
			default:
				at := strings.Index(strings.Join(in.argv, "\x00"), "\x00install\x00")
				require.Positive(t, at)
				packages = in.argv[len(in.argv)-len(rt.Packages):]
				require.Equal(t, "install", in.argv[len(in.argv)-len(rt.Packages)-1])
				require.Contains(t, in.argv[len(in.argv)-len(rt.Packages)-2], `-- "$@"`)
			}
		default:
			t.Fatalf("unexpected instruction %s %q", in.name, in.text)
		}
	}
	var want [][]string
	for _, c := range rt.SetupCommands {
		want = append(want, []string{"/bin/sh", "-c", c})
	}
	require.Empty(t, cmp.Diff(want, setup), "setup (-want +got)")
	require.Equal(t, rt.Packages, packages)
}

var legitimate = map[core.PackageManager][]string{
	core.Pip: {
		"pandas", "scikit-learn", "ruamel.yaml", "zope.interface", "a", "A_b-c.D", "numpy==1.26.4", "numpy>=1,<2", "numpy~=1.0", "numpy!=1.25.*",
		"pandas==2.*", "a===1.0", "a<2", "a>1", "a<=2.0rc1", "a>=1.0.dev0", "a==1.0+cpu", "a==1!2.0", "uvicorn[standard]", "a[x,y-z]>=1,!=1.5,<2",
	},
	core.Npm: {
		"react", "@types/react", "@s/p@^1", "vite@5", "vite@~5.0.1", "vite@>=5", "vite@5.x", "typescript@latest", "a@1.0.0-beta.1+b", "lodash.get", "JSONStream", "a@*",
	},
	core.Apt: {
		"git", "g++", "libstdc++6", "libc6:amd64", "pkg=1.2-3", "jq=1.6-2.1+deb12u1", "a1=1:2.3~rc1-1", "python3.11-venv", "libc6:amd64=2.36-9",
	},
	core.Cargo: {
		"ripgrep", "cargo-edit", "fd-find@10", "tokei@12.1.2", "a_b@^1.2", "a@~1", "a@=1.0.0", "a@>=1", "a@1.0.0-rc.1",
	},
}

func TestLegitimateSpecifiersArriveAsOneArgument(t *testing.T) {
	t.Parallel()
	count := 0
	for manager, list := range legitimate {
		rt := &core.Runtime{BaseImage: "debian", PackageManager: manager, Packages: list}
		requireExact(t, rt, build(t, rt, nil))
		count += len(list)
	}
	require.GreaterOrEqual(t, count, 40)
}

func TestInjectionsDoNotReachABuildFile(t *testing.T) {
	t.Parallel()
	var cases []*core.Runtime
	add := func(rt core.Runtime) {
		if rt.BaseImage == "" {
			rt.BaseImage = "debian"
		}
		cases = append(cases, &rt)
	}
	for _, p := range []string{
		"--index-url=http://x", "-r requirements.txt", "-e .", "x;id", "x\nRUN id", "x\n", "$(id)", "`id`", "a b", "", " a", "http://x/y.whl",
		"./a", "/a", "../a", "git+https://x/y", "a @ file:///x", "a>=1 --pre", `a"`, `a\`, "a&&id", "a|id", "a>=1,", "é", "a\x00", "a,b", "a[",
	} {
		for _, m := range []core.PackageManager{core.Pip, core.Npm, core.Apt, core.Cargo} {
			add(core.Runtime{PackageManager: m, Packages: []string{"abc", p}})
		}
	}
	for _, c := range []string{"", " ", "true\nUSER root", "true\r", "a\x00b", "a\xff", strings.Repeat("x", 9000)} {
		add(core.Runtime{SetupCommands: []string{c}})
	}
	for _, k := range []string{"", "1A", "A B", "A=B", "A-B", "A\nB"} {
		add(core.Runtime{Env: map[string]string{k: "v"}})
	}
	for _, image := range []string{"debian\nUSER root", "debian AS x", "--platform=x debian", "deb ian", "$IMAGE", "Debian"} {
		add(core.Runtime{BaseImage: image})
	}
	for _, dir := range []string{"/a\nUSER root", "/a b", "/$HOME", "/../etc", "a", "/proc/self", `/a\`} {
		add(core.Runtime{WorkDir: dir})
	}
	for _, name := range []string{"a\nb", "A", "a/b", "a:b", "../a", "-a"} {
		add(core.Runtime{Name: name})
	}
	for _, user := range []string{"root", "0:0", "1000", "1000:1000\nUSER root"} {
		add(core.Runtime{User: user})
	}
	require.GreaterOrEqual(t, len(cases), 30)
	for _, rt := range cases {
		_, err := runtimes.NewBuild(rt, runtimes.BaseImage{ID: baseID}, nil)
		require.ErrorIs(t, err, core.ErrInvalid, "%#v", *rt)
	}
}

// FuzzBuildFile checks that whatever a valid runtime says is read back from its build file unchanged.
func FuzzBuildFile(f *testing.F) {
	f.Add("pip", "a>=1,<2", `echo "$HOME" \`, "/workspace", "https://user:pass@x.example/y", `a"b\c$d`)
	f.Add("npm", "@s/p@^1", "cat <<EOF # ", "/app", "", "x")
	f.Add("apt", "g++=1:2", "\\", "/a/b.c", "http://[::1]:80", "")
	f.Add("cargo", "a@1", "\t\"]\u2028\x7f", "/w", "https://x", "'")
	f.Fuzz(func(t *testing.T, manager, pkg, setup, dir, index, env string) {
		rt := &core.Runtime{
			BaseImage: "debian", PackageManager: core.PackageManager(manager), Packages: []string{pkg, pkg}, SetupCommands: []string{setup},
			WorkDir: dir, Source: core.PackageSource{Index: index, CA: []byte(certificate)},
		}
		b, err := runtimes.NewBuild(rt, runtimes.BaseImage{ID: baseID, Env: []string{"V=" + env}}, nil)
		if err != nil {
			return
		}
		requireExact(t, rt, b)
		plain := *rt
		plain.Source = core.PackageSource{}
		requireExact(t, &plain, build(t, &plain, nil))
		// The environment of the base image is the one text outside of JSON.
		for _, in := range parse(t, b.Dockerfile) {
			if in.name == "ENV" && strings.HasPrefix(in.text, "V=") {
				require.Equal(t, env, unquote(t, strings.TrimPrefix(in.text, "V=")))
			}
		}
	})
}

// unquote reads a double quoted value as a build file's words are read.
func unquote(t *testing.T, word string) string {
	t.Helper()
	require.GreaterOrEqual(t, len(word), 2)
	require.True(t, word[0] == '"' && word[len(word)-1] == '"')
	var out strings.Builder
	for body := word[1 : len(word)-1]; body != ""; body = body[1:] {
		switch body[0] {
		case '\\':
			require.Greater(t, len(body), 1)
			require.Contains(t, `\"$`, body[1:2])
			body = body[1:]
		case '"', '$':
			t.Fatalf("%q ends or expands", word)
		}
		out.WriteByte(body[0])
	}
	return out.String()
}

func TestGuardedStepsAreTheSameSteps(t *testing.T) {
	t.Parallel()
	rt := &core.Runtime{BaseImage: "debian", Packages: []string{"a>=1"}, SetupCommands: []string{"true"}, Source: core.PackageSource{CA: []byte(certificate)}}
	plain, guarded := build(t, rt, nil), build(t, rt, &runtimes.BuildOptions{Guard: true})
	require.Equal(t, plain.Tag, guarded.Tag)
	require.Equal(t, plain.Steps, guarded.Steps)
	want, got := parse(t, plain.Dockerfile), parse(t, guarded.Dockerfile)
	for i, in := range got {
		if in.name == "RUN" {
			require.Equal(t, []string{"/bin/sh", "-c"}, in.argv[:2])
			require.Contains(t, in.argv[2], runtimes.GuardLine)
			require.Equal(t, want[i].argv, in.argv[4:])
		}
	}
}
