package archtest_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// layers says what each part of the module may import of the module beside
// itself. A part is a directory with all below it; the longest that matches
// counts. What is not listed (cmd, examples, bench, internal) may import
// everything.
var layers = map[string][]string{
	"core":             {},
	"guest":            {"core"},
	"runtimes":         {"core", "guest"},
	"drivers":          {"core", "guest", "runtimes", "drivers/internal"},
	"drivers/internal": {"core", "guest", "runtimes"},
	// What the tests of several drivers share.
	"drivers/internal/buildtest":  {"core", "guest", "runtimes", "internal/enginetest"},
	"drivers/internal/drivertest": {"core", "guest", "runtimes", "conformance", "drivers/internal", "internal/enginetest"},
	"sessions":                    {"core", "guest", "runtimes"},
	"agent":                       {"core", "guest", "runtimes", "sessions"},
	"plugin":                      {"core", "guest", "runtimes"},
	"conformance":                 {"core", "guest", "runtimes"},
}

func TestModuleKeepsItsRules(t *testing.T) {
	files := sources(t, filepath.Join("..", ".."))
	require.NotEmpty(t, files)
	for _, f := range files {
		for _, complaint := range complaints(f) {
			t.Errorf("%s: %s", f.name, complaint)
		}
	}
}

// complaints lists the rules that a file breaks.
func complaints(f file) []string {
	var list []string
	if f.constraint != "" {
		list = append(list, fmt.Sprintf("has a build constraint (%s); use a file name such as x_linux.go", f.constraint))
	}
	part := partOf(f.pkg)
	for _, imported := range f.imports {
		own, inModule := strings.CutPrefix(imported, module+"/")
		switch {
		case imported == "C":
			list = append(list, "uses cgo")
		case f.isTest(): // tests import what they need
		case part == "core" && !inModule && strings.Contains(imported, "."):
			list = append(list, fmt.Sprintf("imports %s; core uses the standard library only", imported))
		case inModule && part != "" && !allowed(part, f.pkg, own):
			list = append(list, fmt.Sprintf("imports %s; %s may import %s of this module", own, part, names(layers[part])))
		}
	}
	return list
}

// allowed reports whether a package of a part may import another of the module.
func allowed(part, pkg, imported string) bool {
	for _, dir := range layers[part] {
		if within(imported, dir) {
			return true
		}
	}
	if part == "drivers" { // one driver does not import another
		part = strings.Join(strings.SplitN(pkg, "/", 3)[:2], "/")
	}
	return within(imported, part)
}

func partOf(pkg string) string {
	best := ""
	for part := range layers {
		if within(pkg, part) && len(part) > len(best) {
			best = part
		}
	}
	return best
}

func within(pkg, dir string) bool { return pkg == dir || strings.HasPrefix(pkg, dir+"/") }

func names(parts []string) string {
	if len(parts) == 0 {
		return "nothing"
	}
	return strings.Join(parts, ", ")
}

func TestRulesCatchWhatBreaksThem(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		path string
		text string
		want string // part of the one complaint, or empty
	}{
		{"core-with-foreign-module", "core/a.go", `import "golang.org/x/sync/errgroup"`, "standard library only"},
		{"core-with-guest", "core/a.go", `import "` + module + `/guest"`, "core may import nothing"},
		{"core-test-with-foreign-module", "core/a_test.go", `import "github.com/stretchr/testify/require"`, ""},
		{"guest-with-core", "guest/linux/a_linux.go", `import "` + module + `/core"`, ""},
		{"guest-with-driver", "guest/a.go", `import "` + module + `/drivers/fake"`, "guest may import core"},
		{"driver-with-shared-part", "drivers/docker/a.go", `import "` + module + `/drivers/internal/engine"`, ""},
		{"driver-with-driver", "drivers/docker/a.go", `import "` + module + `/drivers/podman"`, "drivers may import"},
		{"driver-with-own-package", "drivers/docker/a.go", `import "` + module + `/drivers/docker/sub"`, ""},
		{"shared-part-with-driver", "drivers/internal/engine/a.go", `import "` + module + `/drivers/docker"`, "drivers/internal may import"},
		{"conformance-with-driver", "conformance/a.go", `import "` + module + `/drivers/fake"`, "conformance may import"},
		{"conformance-test-with-driver", "conformance/a_test.go", `import "` + module + `/drivers/fake"`, ""},
		{"command-with-driver", "cmd/caisson/a.go", `import "` + module + `/drivers/fake"`, ""},
		{"cgo", "guest/a.go", `import "C"`, "cgo"},
		{"build-tag", "guest/a.go", "", "build constraint"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			head := ""
			if tt.name == "build-tag" {
				head = "//go:build linux\n\n"
			}
			at := filepath.Join(root, filepath.FromSlash(tt.path))
			require.NoError(t, os.MkdirAll(filepath.Dir(at), 0o755))
			require.NoError(t, os.WriteFile(at, []byte(head+"package a\n\n"+tt.text+"\n"), 0o644))
			files := sources(t, root)
			require.Len(t, files, 1)
			got := complaints(files[0])
			if tt.want == "" {
				require.Empty(t, got)
				return
			}
			require.Len(t, got, 1)
			require.Contains(t, got[0], tt.want)
		})
	}
}
