package runtimes

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/caisson-dev/caisson/core"
)

// maxFile bounds every file that Load reads, in bytes.
const maxFile = 1 << 20

// Load reads a runtime. The path names one of
//
//   - a YAML or JSON file that describes the runtime (see docs/runtimes.md),
//   - a requirements.txt, package.json or Cargo.toml,
//   - a directory that holds one of these, under the name runtime.yaml or its own.
//
// The runtime is valid. An error begins with the file and, where there is one,
// the line and the column.
func Load(path string) (*core.Runtime, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, core.Errorf(core.CodeOf(err), "load", "%w", err)
	}
	if info.IsDir() {
		if path, err = findIn(path); err != nil {
			return nil, err
		}
	}
	text, err := readFile(path)
	if err != nil {
		return nil, err
	}
	parse := parserOf(filepath.Base(path))
	if parse == nil {
		return nil, core.Errorf(core.ErrInvalid, "load", "%s: use a .yaml, .yml or .json file, %s, or a directory with one of them", path, listed(manifests))
	}
	rt, err := parse(path, text)
	if err != nil {
		return nil, loadError(path, err)
	}
	if err := rt.Validate(); err != nil {
		return nil, loadError(path, err)
	}
	return rt, nil
}

// manifests are the files that Load looks for in a directory, in this order.
var manifests = []string{"runtime.yaml", "runtime.yml", "runtime.json", "requirements.txt", "package.json", "Cargo.toml"}

type parser func(path string, text []byte) (*core.Runtime, error)

func parserOf(base string) parser {
	switch base {
	case "requirements.txt":
		return parseRequirements
	case "package.json":
		return parsePackageJSON
	case "Cargo.toml":
		return parseCargo
	}
	switch strings.ToLower(filepath.Ext(base)) {
	case ".yaml", ".yml":
		return parseYAML
	case ".json":
		return parseJSON
	}
	return nil
}

// findIn returns the file in a directory that describes a runtime. A runtime
// file counts before all others; of those there must be one only.
func findIn(dir string) (string, error) {
	var found []string
	for _, name := range manifests {
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil && info.Mode().IsRegular() {
			if strings.HasPrefix(name, "runtime.") {
				return filepath.Join(dir, name), nil
			}
			found = append(found, name)
		}
	}
	switch len(found) {
	case 0:
		return "", core.Errorf(core.ErrNotFound, "load", "%s holds none of %s", dir, listed(manifests))
	case 1:
		return filepath.Join(dir, found[0]), nil
	}
	return "", core.Errorf(core.ErrInvalid, "load", "%s holds %s; name the one to use, or write a runtime.yaml", dir, listed(found))
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, core.Errorf(core.CodeOf(err), "load", "%w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, core.Errorf(core.CodeOf(err), "load", "%w", err)
	}
	if len(text) > maxFile {
		return nil, core.Errorf(core.ErrTooLarge, "load", "%s is larger than %d bytes", path, maxFile)
	}
	return bytes.TrimPrefix(text, []byte("\ufeff")), nil
}

// position is where in a file something is wrong. Line and column count from 1; 0 is not known.
type position struct {
	line, column int
	err          error
}

func (p *position) Error() string { return p.err.Error() }
func (p *position) Unwrap() error { return p.err }

func at(line, column int, err error) error { return &position{line, column, err} }

// loadError puts the place before what is wrong.
func loadError(path string, err error) error {
	place := path
	if p, ok := errors.AsType[*position](err); ok {
		if p.line > 0 {
			place += fmt.Sprintf(":%d", p.line)
		}
		if p.line > 0 && p.column > 0 {
			place += fmt.Sprintf(":%d", p.column)
		}
		err = p.err
	}
	code := core.CodeOf(err)
	if code == core.ErrInternal {
		code = core.ErrInvalid
	}
	if own, ok := errors.AsType[*core.Error](err); ok && own.Err != nil {
		err = own.Err
	}
	return core.Errorf(code, "load", "%s: %w", place, err)
}

// nameOf makes a runtime's name of the name of the directory that a file is in.
func nameOf(path string) string {
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return ""
	}
	name := strings.Trim(notInName.ReplaceAllString(strings.ToLower(filepath.Base(dir)), "-"), "-")
	return strings.Trim(name[:min(len(name), 63)], "-")
}

var notInName = regexp.MustCompile(`[^a-z0-9]+`)

func listed(names []string) string {
	if len(names) == 1 {
		return names[0]
	}
	return strings.Join(names[:len(names)-1], ", ") + " or " + names[len(names)-1]
}
