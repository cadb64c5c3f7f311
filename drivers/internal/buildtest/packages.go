package buildtest

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/runtimes"
)

// debianInstall does without the flushes to disk that dpkg makes for each file: an image that is cut off is none.
const debianInstall = "apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends -o Dpkg::Options::=--force-unsafe-io "

// needs skips a test whose packages cannot be had here, or fails it if CAISSON_REQUIRE names "packages".
func needs(t *testing.T, url string) {
	t.Helper()
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, Proxy: http.ProxyFromEnvironment}}
	res, err := client.Get(url)
	if err == nil {
		_ = res.Body.Close()
		if res.StatusCode == http.StatusOK {
			return
		}
		err = fmt.Errorf("status %s", res.Status)
	}
	if slices.Contains(strings.Split(os.Getenv("CAISSON_REQUIRE"), ","), "packages") {
		t.Fatalf("%s: %v", url, err)
	}
	t.Skipf("no packages from %s (%v)", url, err)
}

// host returns the first word that a package manager of this host prints of its
// own settings: the tests take packages from where the host does.
func host(t *testing.T, command string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), command, args...).Output()
	words := strings.Fields(string(out))
	if err != nil || len(words) == 0 {
		if slices.Contains(strings.Split(os.Getenv("CAISSON_REQUIRE"), ","), "packages") {
			t.Fatalf("%s does not say where packages come from: %v", command, err)
		}
		t.Skipf("%s does not say where packages come from (%v); install it", command, err)
	}
	return strings.TrimSuffix(words[0], "/")
}

// debian returns the mirror of this host, which must answer.
func debian(t *testing.T) string {
	t.Helper()
	mirror := host(t, "apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", "Codename: bookworm")
	needs(t, mirror+"/dists/bookworm/Release.gpg")
	return mirror
}

func (s *suite) apt(t *testing.T) {
	mirror := debian(t)
	rt := s.runtime(func(rt *core.Runtime) {
		rt.PackageManager, rt.Packages = core.Apt, []string{"jq"}
	})
	require.Equal(t, "1\n", s.sh(t, rt, `echo '{"a":1}' | jq .a; ls -A /var/lib/apt/lists`))

	rt.Packages, rt.Source.Index = []string{"tree"}, mirror
	require.Contains(t, s.sh(t, rt, `tree /workspace; ! ls -A /.caisson-build 2>/dev/null`), "0 files\n")

	t.Run("from a mirror", func(t *testing.T) {
		rt := s.runtime(func(rt *core.Runtime) {
			rt.PackageManager, rt.Packages = core.Apt, []string{"jq=1.6-*"}
		})
		require.ErrorIs(t, rt.Validate(), core.ErrInvalid)
		rt.Packages = []string{"jq"}
		rt.Source.Index = mirror
		require.Equal(t, "jq-1.6\n", s.sh(t, rt, `jq --version; grep -rl caisson-build /etc/apt`+" || true"))
	})
}

func (s *suite) pip(t *testing.T) {
	debian(t)
	index := newIndex(t, "builder", "s3cret")
	index.add(t, "caisson-sample", "1.0.0")
	index.add(t, "caisson-sample", "1.5.0", "caisson-helper; extra == 'more'")
	index.add(t, "caisson-sample", "2.0.0")
	index.add(t, "caisson-helper", "0.1.0")
	rt := s.runtime(func(rt *core.Runtime) {
		rt.BaseImage = s.standIn(t, core.PackageSource{}, debianInstall+"python3-pip")
		rt.Packages = []string{"caisson-sample[more]>=1,<2"}
		rt.Source = core.PackageSource{Index: index.url, CA: index.ca}
	})
	require.Equal(t, "1.5.0 0.1.0\n", s.sh(t, rt, `python3 -c 'import caisson_sample, caisson_helper; print(caisson_sample.version, caisson_helper.version)'; find / -xdev -name '*=*' -newer /etc/os-release -path '/[!p]*' -maxdepth 1`))

	rt.Packages = []string{"caisson-sample>=3"}
	_, err := s.driver.Prepare(t.Context(), rt, nil)
	require.ErrorIs(t, err, core.ErrBuild)
	require.ErrorContains(t, err, "caisson-sample>=3")
	require.NotContains(t, err.Error(), "s3cret")
}

// standIn returns an image made by setup commands, which stands in for a base image that cannot be had here.
func (s *suite) standIn(t *testing.T, source core.PackageSource, setup ...string) string {
	t.Helper()
	rt := s.runtime(func(rt *core.Runtime) { rt.Source, rt.SetupCommands = source, setup })
	s.prepare(t, rt)
	return s.image(t, rt)
}

// node returns a stand-in for the images of Node, and the registry that the npm
// of this host is set to. A host without npm leaves it to the one in the image, which is Debian's.
func (s *suite) node(t *testing.T, ca []byte) (image, registry string) {
	t.Helper()
	if _, err := exec.LookPath("npm"); err == nil {
		registry = host(t, "npm", "config", "get", "registry")
		needs(t, registry+"/react")
		return s.standIn(t, core.PackageSource{CA: ca}, debianInstall+"nodejs", npmFrom(registry)), registry
	}
	image = s.standIn(t, core.PackageSource{}, debianInstall+"nodejs npm")
	registry = strings.TrimSuffix(strings.TrimSpace(s.sh(t, &core.Runtime{Image: image}, "npm config get registry")), "/")
	needs(t, registry+"/react")
	return image, registry
}

// npmFrom is a setup command that installs npm as the images of Node have it,
// from a registry: Debian's comes in three hundred packages.
func npmFrom(registry string) string {
	fetch := `import io, sys, tarfile, urllib.request as web; tarfile.open(fileobj=io.BytesIO(web.urlopen(sys.argv[1]).read())).extractall("/usr/local/lib")`
	return "python3 -c '" + fetch + "' " + registry + "/npm/-/npm-10.9.2.tgz && mv /usr/local/lib/package /usr/local/lib/npm && ln -s ../lib/npm/bin/npm-cli.js /usr/local/bin/npm"
}

// seeds builds the built-in runtimes for Python with nothing changed but the
// base image and the index, which has wheels of the same names.
func (s *suite) seeds(t *testing.T) {
	debian(t)
	index, base := newIndex(t, "builder", "s3cret"), s.standIn(t, core.PackageSource{}, debianInstall+"python3-pip")
	modules := map[string]string{"scikit-learn": "sklearn"}
	for _, name := range []string{"python-datascience", "python-web", "python-minimal"} {
		rt, err := runtimes.Get(name)
		require.NoError(t, err)
		rt.Name = s.name
		if rt.Image != "" {
			rt.Image = base
			require.Equal(t, "/workspace 1000\n", s.sh(t, rt, `python3 -c 'import os; print(os.getcwd(), os.getuid())'`))
			continue
		}
		var imports []string
		for _, p := range rt.Packages {
			module := cmp.Or(modules[p], p)
			index.addModule(t, p, module, "1.0."+strconv.Itoa(len(imports)))
			imports = append(imports, module)
		}
		rt.BaseImage, rt.Source = base, core.PackageSource{Index: index.url, CA: index.ca}
		script := fmt.Sprintf("for name in %q.split(): print(__import__(name).version)", strings.Join(imports, " "))
		require.Equal(t, "1.0.0\n1.0.1\n1.0.2\n1.0.3\n1.0.4\n"[:6*len(imports)], s.sh(t, rt, "python3 -c '"+script+"'"), name)
	}
}

func (s *suite) npm(t *testing.T) {
	debian(t)
	ca, err := os.ReadFile("/etc/ssl/certs/ca-certificates.crt")
	if err != nil {
		t.Skip("this host keeps its authorities elsewhere")
	}
	base, registry := s.node(t, ca)
	// The built-in runtime, on what stands in for its base image.
	rt, err := runtimes.Get("node-react")
	require.NoError(t, err)
	rt.Name, rt.BaseImage = s.name, base
	rt.Packages = append(rt.Packages, "cowsay@1.6.0")
	rt.Source.CA, rt.Source.Index = ca, registry
	minimal, err := runtimes.Get("node-minimal")
	require.NoError(t, err)
	minimal.Image = rt.BaseImage
	require.Equal(t, "/app 1000\n", s.sh(t, minimal, `node -p 'process.cwd() + " " + process.getuid()'`))
	require.Equal(t, "/app\nhello\n<p>hi</p>\nobject\n1\n", s.sh(t, rt, `pwd
		echo 'const text: string = "hello"; console.log(text)' >a.ts && tsc --ignoreConfig a.ts 2>/dev/null || tsc a.ts; node a.js
		echo 'import { createElement } from "react"; import { renderToStaticMarkup } from "react-dom/server"
			console.log(renderToStaticMarkup(createElement("p", null, "hi")))' >b.mjs && node b.mjs
		node -e 'console.log(typeof require("react"))'
		cowsay hello | grep -c hello`))
}

func (s *suite) cargo(t *testing.T) {
	debian(t)
	manifest := "[package]\nname = \"hello-caisson\"\nversion = \"1.2.3\"\nedition = \"2021\"\n"
	program := "fn main() { println!(\"hello from {}\", env!(\"CARGO_PKG_VERSION\")); }\n"
	checksum := fmt.Sprintf(`{"files":{"Cargo.toml":%q,"src/main.rs":%q},"package":%q}`, sum(manifest), sum(program), sum("crate"))
	config := "[source.crates-io]\nreplace-with = \"local\"\n\n[source.local]\ndirectory = \"/crates\"\n"
	rt := s.runtime(func(rt *core.Runtime) {
		rt.PackageManager = core.Cargo
		rt.SetupCommands = []string{
			debianInstall + "cargo",
			write("/crates/hello-caisson/Cargo.toml", manifest), write("/crates/hello-caisson/src/main.rs", program),
			write("/crates/hello-caisson/.cargo-checksum.json", checksum), write("/root/.cargo/config.toml", config),
		}
		rt.Packages = []string{"hello-caisson@1.2.3"}
	})
	require.Equal(t, "hello from 1.2.3\n/usr/local/bin/hello-caisson\n", s.sh(t, rt, "hello-caisson; command -v hello-caisson"))
}

func sum(text string) string {
	h := sha256.Sum256([]byte(text))
	return hex.EncodeToString(h[:])
}

// write is a setup command that writes a file.
func write(path, text string) string {
	return fmt.Sprintf("mkdir -p $(dirname %[1]s) && echo %[2]s | base64 -d >%[1]s", path, base64.StdEncoding.EncodeToString([]byte(text)))
}
