package runtimes_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/runtimes"
)

// dir makes a directory named project that holds the files.
func dir(t *testing.T, files map[string]string) string {
	t.Helper()
	root := filepath.Join(t.TempDir(), "My Project")
	require.NoError(t, os.Mkdir(root, 0o755))
	for name, text := range files {
		require.NoError(t, os.WriteFile(filepath.Join(root, name), []byte(text), 0o600))
	}
	return root
}

const fullYAML = `# what the team uses
name: ml
description: Machine learning
base_image: python:3.12-slim
packages:
  - torch
  - transformers>=4,<5
setup_commands:
  - apt-get update
  - "apt-get install -y git"
env:
  TOKENIZERS_PARALLELISM: false
  PORT: 8080
work_dir: /work
user: "1234:1234"
no_cache: true
source:
  index: https://pypi.example/simple
  ca_file: ca.pem
  proxy: http://proxy.example:3128
  no_proxy: .example.com
  network: build-net
`

const fullJSON = `{
	"name": "ml", "description": "Machine learning",
	"base_image": "python:3.12-slim",
	"packages": ["torch", "transformers>=4,<5"],
	"setup_commands": ["apt-get update", "apt-get install -y git"],
	"env": {"TOKENIZERS_PARALLELISM": false, "PORT": 8080},
	"work_dir": "\/work", "user": "1234:1234", "no_cache": true,
	"source": {
		"index": "https://pypi.example/simple", "ca_file": "ca.pem",
		"proxy": "http://proxy.example:3128", "no_proxy": ".example.com", "network": "build-net"
	}
}`

func TestLoadRuntimeFile(t *testing.T) {
	t.Parallel()
	want := &core.Runtime{
		Name: "ml", Description: "Machine learning", BaseImage: "python:3.12-slim",
		Packages:      []string{"torch", "transformers>=4,<5"},
		SetupCommands: []string{"apt-get update", "apt-get install -y git"},
		Env:           map[string]string{"TOKENIZERS_PARALLELISM": "false", "PORT": "8080"},
		WorkDir:       "/work", User: "1234:1234", NoCache: true,
		Source: core.PackageSource{
			Index: "https://pypi.example/simple", CA: []byte(certificate), Proxy: "http://proxy.example:3128",
			NoProxy: ".example.com", Network: "build-net",
		},
	}
	root := dir(t, map[string]string{"a.yaml": fullYAML, "b.YML": "\ufeff" + fullYAML, "c.json": fullJSON, "runtime.yaml": fullYAML, "ca.pem": certificate, "package.json": "{"})
	for _, name := range []string{"a.yaml", "b.YML", "c.json", "."} {
		got, err := runtimes.Load(filepath.Join(root, name))
		require.NoError(t, err, name)
		require.Empty(t, cmp.Diff(want, got), "%s (-want +got)", name)
	}
}

func TestLoadErrorsNameTheLine(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ file, text, want string }{
		"unknown key":       {"a.yaml", "name: x\nimage: debian\nimages: debian\n", `a.yaml:3:1: unknown key "images"; use name, description,`},
		"other system":      {"a.yaml", "image: debian\nenv_vars: {A: b}\n", `a.yaml:2:1: unknown key "env_vars"; use env`},
		"duplicate":         {"a.yaml", "image: debian\nname: a\nname: b\n", `a.yaml:3:1: key "name" stands in line 2 already`},
		"syntax":            {"a.yaml", "image: debian\nenv: {A: b\n", "a.yaml:"},
		"tab":               {"a.yaml", "env:\n\tA: b\n", "a.yaml:2: "},
		"package":           {"a.yaml", "base_image: debian\npackages:\n  - good\n  - --bad\n", `a.yaml:4:5: runtime: Packages: "--bad" is not a package for pip`},
		"manager later":     {"a.yaml", "base_image: debian\npackages: [react, '@types/x']\npackage_manager: pip\n", `a.yaml:2:19: runtime: Packages: "@types/x"`},
		"manager unknown":   {"a.yaml", "base_image: debian\npackage_manager: conda\n", `a.yaml:2:18: runtime: PackageManager "conda": use pip`},
		"image and base":    {"a.yaml", "\nimage: debian\nbase_image: debian\n", `a.yaml:2:1: runtime: Image and BaseImage exclude each other`},
		"no image":          {"a.yaml", "name: x\n", `a.yaml:1:1: runtime: set Image or BaseImage`},
		"env key":           {"a.yaml", "image: debian\nenv:\n  GOOD: x\n  1BAD: y\n", `a.yaml:4:3: runtime: Env: key "1BAD"`},
		"env value":         {"a.yaml", "image: debian\nenv:\n  A: [secret]\n", `a.yaml:3:6: use a text, not a list`},
		"nothing":           {"a.yaml", "image: debian\nname:\n", `a.yaml:2:6: use a text, not nothing`},
		"text for a list":   {"a.yaml", "base_image: debian\npackages: jq\n", `a.yaml:2:11: use a list, not a text`},
		"text for a bool":   {"a.yaml", "image: debian\nno_cache: maybe\n", `a.yaml:2:11: use true or false`},
		"list at top":       {"a.yaml", "- a\n", `a.yaml:1:1: use a mapping of keys to values, not a list`},
		"alias":             {"a.yaml", "image: &a debian\nname: *a\n", `a.yaml:2:7: use a text, not an anchor or alias`},
		"two documents":     {"a.yaml", "image: debian\n---\nimage: debian\n", `a.yaml:2: a second document`},
		"empty":             {"a.yaml", "", `a.yaml:1: the file is empty`},
		"comment only":      {"a.yaml", "# nothing\n", `a.yaml:1`},
		"source":            {"a.yaml", "image: debian\nsource:\n  index: pypi.example\n", `a.yaml:3:10: runtime: Source.Index: use a URL`},
		"source key":        {"a.yaml", "image: debian\nsource:\n  ca: x\n", `a.yaml:3:3: unknown key "ca"; use index, ca_file,`},
		"ca file":           {"a.yaml", "image: debian\nsource:\n  ca_file: a.yaml\n", `a.yaml:3:12: runtime: Source.CA: use PEM certificates`},
		"json unknown":      {"a.json", "{\n  \"image\": \"debian\",\n  \"nam\": 1\n}", `a.json:3:3: unknown key "nam"`},
		"json package":      {"a.json", "{\"base_image\": \"debian\", \"packages\": [\n  \"a\",\n  \"b c\"]}", `a.json:3:3: runtime: Packages: "b c"`},
		"json syntax":       {"a.json", "{\n  \"image\": debian\n}", `a.json:2:12: invalid character 'd'`},
		"json cut off":      {"a.json", "{\n  \"image\":", `a.json:2:10: unexpected end of JSON input`},
		"json more":         {"a.json", "{\"image\": \"debian\"}\n{}", `a.json:2:1: invalid character`},
		"json duplicate":    {"a.json", "{\"image\": \"a\",\n\"image\": \"b\"}", `a.json:2:1: key "image" stands in line 1 already`},
		"json deep":         {"a.json", strings.Repeat("[", 100) + strings.Repeat("]", 100), `a.json:1:17: too many lists in lists`},
		"requirements":      {"requirements.txt", "# ours\npandas\n-r more.txt\n", `requirements.txt:3: option "-r"`},
		"requirements url":  {"requirements.txt", "pandas\n\ngit+https://x.example/y\n", `requirements.txt:3: runtime: Packages: "git+https://x.example/y"`},
		"requirements hash": {"requirements.txt", "pandas==1 \\\n  --hash=sha256:00\n", `requirements.txt:1: hashes cannot be checked`},
		"requirements mark": {"requirements.txt", "pandas; python_version < '3'\n", `requirements.txt:1: a condition after ';'`},
		"package.json":      {"package.json", "{\"dependencies\": {\n\"a\": \"^1\",\n\"b\": \"file:../b\"}}", `package.json:3:6: runtime: Packages: "b@file:../b"`},
		"package.json list": {"package.json", "{\"dependencies\": [\"a\"]}", `package.json:1:18: use a mapping`},
		"cargo git":         {"Cargo.toml", "[package]\nname = \"x\"\n[dependencies]\na = \"1\"\nb = { git = \"https://x.example\" }\n", `Cargo.toml:5: crate b: "git" is not supported`},
		"cargo syntax":      {"Cargo.toml", "[dependencies]\na = \n", `Cargo.toml:2: `},
		"cargo feature":     {"Cargo.toml", "[dependencies.a]\nversion = \"1\"\nfeatures = [\"x;id\"]\n", `Cargo.toml:1: crate a: x;id is not a feature`},
		"cargo dotted":      {"Cargo.toml", "[dependencies]\na = \"1\"\nb.git = \"https://x.example\"\n", `Cargo.toml:3: crate b: "git" is not supported`},
		"cargo workspace":   {"Cargo.toml", "[dependencies]\na.workspace = true\n", `Cargo.toml:2: crate a: "workspace" is not supported`},
		"cargo target":      {"Cargo.toml", "[dependencies]\na = \"1\"\n\n[target.'cfg(unix)'.dependencies]\nlibc = \"0.2\"\n", `Cargo.toml:4: "target" is not supported; list what is needed under dependencies`},
		"cargo patch":       {"Cargo.toml", "[patch.crates-io]\na = { git = \"https://x.example\" }\n", `Cargo.toml:1: "patch" is not supported`},
		"cargo dev git":     {"Cargo.toml", "[dependencies]\na = \"1\"\n[dev-dependencies]\na = { path = \"../a\" }\n", `Cargo.toml:4: crate a: "path" is not supported`},
		"npm overrides":     {"package.json", "{\"dependencies\": {\"a\": \"1\"},\n\"overrides\": {\"b\": \"2\"}}", `package.json:2:1: "overrides" is not supported; list what is needed under dependencies`},
		"npm optional":      {"package.json", "{\"optionalDependencies\": {\"b\": \"2\"}}", `package.json:1:2: "optionalDependencies" is not supported`},
		"cargo version":     {"Cargo.toml", "[dependencies]\na = \"1'; id\"\n", `Cargo.toml:2: runtime: Packages: "a@1';id"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(dir(t, map[string]string{c.file: c.text}), c.file)
			_, err := runtimes.Load(path)
			require.ErrorIs(t, err, core.ErrInvalid)
			require.ErrorContains(t, err, filepath.Dir(path)+"/"+c.want)
			require.NotContains(t, err.Error(), "secret")
			require.NotContains(t, err.Error(), "\n")
		})
	}
}

func TestLoadRequirements(t *testing.T) {
	t.Parallel()
	root := dir(t, map[string]string{"requirements.txt": "# data\r\npandas >= 2.0, < 3 # why\nuvicorn [standard] == 0.30.*\n\nnumpy \\\n  ~= 1.26\nzope.interface\n"})
	rt, err := runtimes.Load(root)
	require.NoError(t, err)
	require.Equal(t, "my-project", rt.Name)
	require.Equal(t, "python:3.12-slim", rt.BaseImage)
	require.Equal(t, []string{"pandas>=2.0,<3", "uvicorn[standard]==0.30.*", "numpy~=1.26", "zope.interface"}, rt.Packages)
}

// TestLoadRequirementsJoinsLinesAsPipDoes: the cases are those of pip's own
// rules, in which a comment does not go on in the next line.
func TestLoadRequirementsJoinsLinesAsPipDoes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"# a note \\\npandas\nnumpy\n":        {"pandas", "numpy"},
		"  # a note \\\npandas\n":             {"pandas"},
		"pandas \\\n# a note \\\nnumpy\n":     {"pandas", "numpy"},
		"pandas # a note \\\nnumpy\nscipy\n":  {"pandas", "scipy"},
		"pandas\nnumpy \\":                    {"pandas", "numpy"},
		"pandas\nnumpy\\":                     {"pandas", "numpy"},
		"pandas\nnumpy \\\n":                  {"pandas", "numpy"},
		"num\\\npy\n":                         {"numpy"},
		"\\\npandas\n":                        {"pandas"},
		"pandas \\\n\nnumpy\n":                {"pandas", "numpy"},
		"pandas \\\r\n == 2.0\r\nnumpy\\\r\n": {"pandas==2.0", "numpy"},
	} {
		rt, err := runtimes.Load(dir(t, map[string]string{"requirements.txt": text}))
		require.NoError(t, err, "%q", text)
		require.Equal(t, want, rt.Packages, "%q", text)
	}
	_, err := runtimes.Load(dir(t, map[string]string{"requirements.txt": "# a \\\npandas\n\\\nx y\n"}))
	require.ErrorContains(t, err, "requirements.txt:3: ")
}

func TestLoadPackageJSON(t *testing.T) {
	t.Parallel()
	rt, err := runtimes.Load(dir(t, map[string]string{"package.json": `{"name": "x", "scripts": {"a": null},
		"devDependencies": {"typescript": "~5.4"}, "dependencies": {"@types/react": "^18.2.0", "left-pad": "*", "next": "latest"}}`}))
	require.NoError(t, err)
	require.Equal(t, core.Npm, rt.PackageManager)
	require.Equal(t, "/app", rt.WorkDir)
	require.Equal(t, []string{"@types/react@^18.2.0", "left-pad@*", "next@latest", "typescript@~5.4"}, rt.Packages)
}

func TestLoadCargo(t *testing.T) {
	t.Parallel()
	rt, err := runtimes.Load(dir(t, map[string]string{"Cargo.toml": `[package]
name = "x"
[dependencies]
serde = { version = "1.0", features = ["derive", "rc"], default-features = false }
rand = "0.8"
log.version = "0.4"
log.features = ["std"]
[dependencies.regex]
version = ">= 1.5"
[dev-dependencies]
rand = "0.9"
[build-dependencies]
cc = "1"
[workspace]
`}))
	require.NoError(t, err)
	require.Equal(t, core.Cargo, rt.PackageManager)
	require.Equal(t, []string{
		"cargo new --quiet --lib --vcs none --name crates /usr/local/share/caisson/crates",
		"cd /usr/local/share/caisson/crates && cargo add --quiet --no-default-features --features derive,rc -- 'serde@1.0'",
		"cd /usr/local/share/caisson/crates && cargo add --quiet -- 'rand@0.8'",
		"cd /usr/local/share/caisson/crates && cargo add --quiet --features std -- 'log@0.4'",
		"cd /usr/local/share/caisson/crates && cargo add --quiet -- 'regex@>=1.5'",
		"cd /usr/local/share/caisson/crates && cargo add --quiet --dev -- 'rand@0.9'",
		"cd /usr/local/share/caisson/crates && cargo add --quiet --build -- 'cc@1'",
		`cd /usr/local/share/caisson/crates && cargo fetch && chmod -R a+rX "${CARGO_HOME:-$HOME/.cargo}"`,
	}, rt.SetupCommands)
}

func TestLoadFindsOneFile(t *testing.T) {
	t.Parallel()
	_, err := runtimes.Load(dir(t, map[string]string{"requirements.txt": "a", "package.json": "{}"}))
	require.ErrorIs(t, err, core.ErrInvalid)
	require.ErrorContains(t, err, "holds requirements.txt or package.json; name the one to use")
	_, err = runtimes.Load(dir(t, nil))
	require.ErrorIs(t, err, core.ErrNotFound)
	require.ErrorContains(t, err, "holds none of runtime.yaml,")
	_, err = runtimes.Load(filepath.Join(t.TempDir(), "absent.yaml"))
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = runtimes.Load(dir(t, map[string]string{"runtime.yaml": "image: debian\nsource:\n  ca_file: absent.pem\n"}))
	require.ErrorIs(t, err, core.ErrNotFound)
	require.ErrorContains(t, err, "runtime.yaml:3:12: open ")
	_, err = runtimes.Load(filepath.Join(dir(t, map[string]string{"a.txt": "x"}), "a.txt"))
	require.ErrorIs(t, err, core.ErrInvalid)
	_, err = runtimes.Load(filepath.Join(dir(t, map[string]string{"a.yaml": strings.Repeat("#", 2<<20)}), "a.yaml"))
	require.ErrorIs(t, err, core.ErrTooLarge)
}

func FuzzLoad(f *testing.F) {
	f.Add("a.yaml", fullYAML)
	f.Add("a.json", fullJSON)
	f.Add("requirements.txt", "a>=1 # x\nb \\\n==2")
	f.Add("package.json", `{"dependencies":{"a":"^1"}}`)
	f.Add("Cargo.toml", "[dependencies]\na = {version=\"1\"}")
	f.Fuzz(func(t *testing.T, name, text string) {
		if strings.ContainsAny(name, "/\x00") || len(name) > 100 || name == "" || name == "." || name == ".." {
			return
		}
		path := filepath.Join(t.TempDir(), name)
		if os.WriteFile(path, []byte(text), 0o600) != nil {
			return
		}
		rt, err := runtimes.Load(path)
		if err != nil {
			require.NotEqual(t, core.ErrInternal, core.CodeOf(err), "%v", err)
			return
		}
		require.NoError(t, rt.Validate())
	})
}
