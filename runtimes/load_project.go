package runtimes

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"regexp"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
	"go.yaml.in/yaml/v3"

	"github.com/caisson-dev/caisson/core"
)

var (
	// around is white space that pip allows in a requirement and a Runtime does not.
	around = regexp.MustCompile(`\s*(===|==|~=|!=|<=|>=|<|>|,|\[|\])\s*`)
	// comment begins at the start of a line or after white space.
	comment = regexp.MustCompile(`(?:\A|\s)#.*`)
)

// parseRequirements reads pip's requirements as far as they name packages of
// the index. What it cannot carry over, it refuses rather than ignores.
func parseRequirements(path string, text []byte) (*core.Runtime, error) {
	rt := &core.Runtime{Name: nameOf(path), Description: "Python with the packages of requirements.txt", BaseImage: pythonImage}
	for number, line := range joined(string(text)) {
		line = strings.TrimSpace(comment.ReplaceAllString(line, ""))
		if line == "" {
			continue
		}
		p, err := requirement(line)
		if err != nil {
			return nil, at(number, 0, err)
		}
		if err := check(&yaml.Node{Line: number}, func(probe *core.Runtime) { probe.Packages = []string{p} }); err != nil {
			return nil, err
		}
		rt.Packages = append(rt.Packages, p)
	}
	return rt, nil
}

// joined returns the lines of a text with the number of each. As for pip, one
// that ends in a backslash goes on in the next, unless it is a comment.
func joined(text string) iter.Seq2[int, string] {
	return func(yield func(int, string) bool) {
		lines := strings.Split(text, "\n")
		whole, first := "", 0
		for i, line := range lines {
			if first == 0 {
				first = i + 1
			}
			part, more := strings.CutSuffix(strings.TrimRight(line, "\r"), `\`)
			if strings.HasPrefix(strings.TrimSpace(part), "#") {
				part, more = " "+part, false // so that it is a comment behind what it ends, too
			}
			whole += part
			if more && i < len(lines)-1 {
				continue
			}
			if !yield(first, whole) {
				return
			}
			whole, first = "", 0
		}
	}
}

func requirement(line string) (string, error) {
	switch {
	case strings.HasPrefix(line, "-"):
		return "", fmt.Errorf("option %q; give an index as the runtime's source, and list packages of other files here", strings.Fields(line)[0])
	case strings.Contains(line, "--hash"):
		return "", errors.New("hashes cannot be checked; pin versions with == instead")
	case strings.Contains(line, ";"):
		return "", errors.New("a condition after ';'; the runtime is one environment, so list what it needs")
	}
	return around.ReplaceAllString(line, "$1"), nil
}

// parsePackageJSON reads the dependencies, and those for development, of a package.json.
func parsePackageJSON(path string, text []byte) (*core.Runtime, error) {
	root, err := jsonNode(text)
	if err != nil {
		return nil, err
	}
	values, err := pairs(root)
	if err != nil {
		return nil, err
	}
	rt := &core.Runtime{
		Name: nameOf(path), Description: "Node.js with the packages of package.json",
		BaseImage: nodeImage, WorkDir: "/app", PackageManager: core.Npm,
	}
	for _, key := range []string{"optionalDependencies", "peerDependencies", "overrides"} {
		if p, ok := values[key]; ok && len(p.value.Content) > 0 {
			return nil, at(p.key.Line, p.key.Column, fmt.Errorf("%q is not supported; list what is needed under dependencies", key))
		}
	}
	for _, key := range []string{"dependencies", "devDependencies"} {
		p, ok := values[key]
		if !ok {
			continue
		}
		if _, err := pairs(p.value); err != nil {
			return nil, err
		}
		for i := 0; i+1 < len(p.value.Content); i += 2 {
			name, version := p.value.Content[i], p.value.Content[i+1]
			rang, err := scalar(version)
			if err != nil {
				return nil, err
			}
			spec := name.Value
			if rang != "" {
				spec += "@" + rang
			}
			set := func(rt *core.Runtime) { rt.PackageManager, rt.Packages = core.Npm, append(rt.Packages, spec) }
			if err := check(version, set); err != nil {
				return nil, err
			}
			set(rt)
		}
	}
	return rt, nil
}

// crates is where a runtime of a Cargo.toml has a package that depends on what it lists.
const crates = "/usr/local/share/caisson/crates"

// parseCargo reads the dependencies of a Cargo.toml. They are libraries, which
// cargo cannot install, so they are fetched for builds without a network.
func parseCargo(path string, text []byte) (*core.Runtime, error) {
	var manifest map[string]any
	meta, err := toml.NewDecoder(bytes.NewReader(text)).Decode(&manifest)
	if err != nil {
		if parse, ok := errors.AsType[toml.ParseError](err); ok {
			return nil, at(parse.Position.Line, 0, errors.New(parse.Message))
		}
		return nil, err
	}
	rt := &core.Runtime{
		Name: nameOf(path), Description: "Rust with the crates of Cargo.toml", BaseImage: rustImage, WorkDir: "/src", PackageManager: core.Cargo,
		SetupCommands: []string{"cargo new --quiet --lib --vcs none --name crates " + crates},
	}
	seen := map[[2]string]bool{}
	for _, key := range meta.Keys() { // in the order of the file
		switch key[0] {
		case "target", "patch", "replace":
			return nil, at(tomlTable(text, key[0]), 0, fmt.Errorf("%q is not supported; list what is needed under dependencies", key[0]))
		}
		kind, ok := cargoKinds[key[0]]
		if !ok || len(key) < 2 || seen[[2]string{key[0], key[1]}] {
			continue
		}
		seen[[2]string{key[0], key[1]}] = true // a dotted key comes with each of its parts
		line := tomlLine(text, key[0], key[1])
		table, _ := manifest[key[0]].(map[string]any)
		spec, options, err := crate(key[1], table[key[1]])
		options = kind + options
		if err != nil {
			return nil, at(line, 0, err)
		}
		if err := check(&yaml.Node{Line: line}, func(probe *core.Runtime) { probe.PackageManager, probe.Packages = core.Cargo, []string{spec} }); err != nil {
			return nil, err
		}
		rt.SetupCommands = append(rt.SetupCommands, "cd "+crates+" && cargo add --quiet "+options+"-- '"+spec+"'")
	}
	// The workload user reads what root has fetched.
	rt.SetupCommands = append(rt.SetupCommands, "cd "+crates+` && cargo fetch && chmod -R a+rX "${CARGO_HOME:-$HOME/.cargo}"`)
	return rt, nil
}

// cargoKinds are the tables of a Cargo.toml that list crates, with the option of "cargo add" for each.
var cargoKinds = map[string]string{"dependencies": "", "dev-dependencies": "--dev ", "build-dependencies": "--build "}

var feature = regexp.MustCompile(`\A[A-Za-z0-9_][A-Za-z0-9_+./-]*\z`)

// crate returns a dependency as "cargo add" takes it.
func crate(name string, value any) (spec, options string, err error) {
	table, ok := value.(map[string]any)
	if !ok {
		table = map[string]any{"version": value}
	}
	version, features := "*", []string(nil)
	for key, v := range table {
		switch v := v.(type) {
		case string:
			if key == "version" {
				version = strings.ReplaceAll(v, " ", "")
				continue
			}
		case bool:
			if key == "default-features" {
				if !v {
					options += "--no-default-features "
				}
				continue
			}
			if key == "optional" && !v {
				continue
			}
		case []any:
			if key == "features" {
				for _, f := range v {
					text, ok := f.(string)
					if !ok || !feature.MatchString(text) {
						return "", "", fmt.Errorf("crate %s: %v is not a feature", name, f)
					}
					features = append(features, text)
				}
				continue
			}
		}
		return "", "", fmt.Errorf("crate %s: %q is not supported; use a version, features and default-features", name, key)
	}
	if len(features) > 0 {
		slices.Sort(features)
		options += "--features " + strings.Join(features, ",") + " "
	}
	return name + "@" + version, options, nil
}

// tomlLine finds the line that sets a key of a table, which the library does not tell.
func tomlLine(text []byte, table, key string) int {
	begin := max(tomlTable(text, table), 1)
	rest := bytes.Join(bytes.SplitAfter(text, []byte("\n"))[begin-1:], nil)
	line := matchedLine(rest, `(?m)^[ \t]*(?:\[`+regexp.QuoteMeta(table)+`\.)?["']?`+regexp.QuoteMeta(key)+`["']?[ \t]*[=.\]]`)
	if line == 0 {
		return 0
	}
	return begin - 1 + line
}

// tomlTable finds the line with which a table begins.
func tomlTable(text []byte, table string) int {
	return matchedLine(text, `(?m)^[ \t]*\[*[ \t]*["']?`+regexp.QuoteMeta(table)+`["']?[ \t]*[=.\]]`)
}

func matchedLine(text []byte, pattern string) int {
	loc := regexp.MustCompile(pattern).FindIndex(text)
	if loc == nil {
		return 0
	}
	line, _ := place(text, int64(loc[0]))
	return line
}
