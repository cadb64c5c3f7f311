package runtimes

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/caisson-dev/caisson/core"
)

// parseYAML reads a runtime file in YAML. Of YAML it takes mappings, lists and
// plain values; no anchors, tags or second documents.
func parseYAML(path string, text []byte) (*core.Runtime, error) {
	dec := yaml.NewDecoder(bytes.NewReader(text))
	var doc, more yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return nil, at(1, 0, errors.New("the file is empty"))
	case err != nil:
		return nil, yamlError(err)
	}
	if err := dec.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, at(more.Line, 0, errors.New("a second document; use one file for each runtime"))
	}
	return decodeRuntime(path, doc.Content[0])
}

var yamlLine = regexp.MustCompile(`\Ayaml: (?:line ([0-9]+): )?`)

func yamlError(err error) error {
	m := yamlLine.FindStringSubmatch(err.Error())
	if m == nil {
		return err
	}
	line, _ := strconv.Atoi(m[1]) // digits, or nothing
	return at(line, 0, errors.New(strings.TrimPrefix(err.Error(), m[0])))
}

// parseJSON reads a runtime file in JSON.
func parseJSON(path string, text []byte) (*core.Runtime, error) {
	root, err := jsonNode(text)
	if err != nil {
		return nil, err
	}
	return decodeRuntime(path, root)
}

// field is a key of a runtime file. The check gets a runtime with what the
// value says and little else, so that what is wrong with it is found in its place.
type field struct {
	key string
	set func(d *decoder, rt *core.Runtime, n *yaml.Node) error
}

// fields are in the order in which they are read: a package's grammar depends on its manager.
var fields = []field{
	{"name", textField(func(rt *core.Runtime, s string) { rt.Name = s })},
	{"description", textField(func(rt *core.Runtime, s string) { rt.Description = s })},
	{"image", textField(func(rt *core.Runtime, s string) { rt.Image = s })},
	{"base_image", textField(func(rt *core.Runtime, s string) { rt.BaseImage = s })},
	{"package_manager", textField(func(rt *core.Runtime, s string) { rt.PackageManager = core.PackageManager(s) })},
	{"packages", listField(func(rt *core.Runtime, s string) { rt.Packages = append(rt.Packages, s) })},
	{"setup_commands", listField(func(rt *core.Runtime, s string) { rt.SetupCommands = append(rt.SetupCommands, s) })},
	{"env", setEnv},
	{"work_dir", textField(func(rt *core.Runtime, s string) { rt.WorkDir = s })},
	{"user", textField(func(rt *core.Runtime, s string) { rt.User = s })},
	{"no_cache", setNoCache},
	{"source", setSource},
}

var sourceFields = []field{
	{"index", textField(func(rt *core.Runtime, s string) { rt.Source.Index = s })},
	{"ca_file", setCAFile},
	{"proxy", textField(func(rt *core.Runtime, s string) { rt.Source.Proxy = s })},
	{"no_proxy", textField(func(rt *core.Runtime, s string) { rt.Source.NoProxy = s })},
	{"network", textField(func(rt *core.Runtime, s string) { rt.Source.Network = core.Network(s) })},
}

// renamed are the keys of other systems' runtime files.
var renamed = map[string]string{
	"env_vars": "env", "environment": "env", "cache_image": "no_cache, which means the opposite", "workdir": "work_dir",
	"working_dir": "work_dir", "setup": "setup_commands", "base": "base_image", "manager": "package_manager",
}

type decoder struct{ dir string }

func decodeRuntime(path string, root *yaml.Node) (*core.Runtime, error) {
	d := &decoder{dir: filepath.Dir(path)}
	rt := new(core.Runtime)
	if err := d.mapping(root, fields, rt); err != nil {
		return nil, err
	}
	if err := rt.Validate(); err != nil { // of fields together; each by itself is right
		return nil, at(root.Line, root.Column, err)
	}
	return rt, nil
}

// mapping reads a mapping whose keys are known.
func (d *decoder) mapping(n *yaml.Node, known []field, rt *core.Runtime) error {
	values, err := pairs(n)
	if err != nil {
		return err
	}
	for _, f := range known {
		if v, ok := values[f.key]; ok {
			if err := f.set(d, rt, v.value); err != nil {
				return err
			}
			delete(values, f.key)
		}
	}
	if len(values) == 0 {
		return nil
	}
	keys := make([]string, len(known))
	for i, f := range known {
		keys[i] = f.key
	}
	key := slices.MinFunc(slices.Collect(maps.Keys(values)), func(a, b string) int { return values[a].key.Line - values[b].key.Line })
	hint := "use " + listed(keys)
	if name, ok := renamed[key]; ok {
		hint = "use " + name
	}
	return at(values[key].key.Line, values[key].key.Column, fmt.Errorf("unknown key %q; %s", key, hint))
}

type pair struct{ key, value *yaml.Node }

// pairs returns the entries of a mapping.
func pairs(n *yaml.Node) (map[string]pair, error) {
	if n.Kind != yaml.MappingNode {
		return nil, at(n.Line, n.Column, fmt.Errorf("use a mapping of keys to values, not %s", kind(n)))
	}
	values := make(map[string]pair, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		key, err := scalar(k)
		if err != nil {
			return nil, err
		}
		if before, ok := values[key]; ok {
			return nil, at(k.Line, k.Column, fmt.Errorf("key %q stands in line %d already", key, before.key.Line))
		}
		values[key] = pair{k, v}
	}
	return values, nil
}

// scalar returns a plain value as it is written.
func scalar(n *yaml.Node) (string, error) {
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" || n.Anchor != "" {
		return "", at(n.Line, n.Column, fmt.Errorf("use a text, not %s", kind(n)))
	}
	return n.Value, nil
}

func kind(n *yaml.Node) string {
	switch {
	case n.Anchor != "" || n.Kind == yaml.AliasNode:
		return "an anchor or alias"
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Tag == "!!null":
		return "nothing"
	}
	return "a text"
}

// check validates what a value says by itself.
func check(n *yaml.Node, set func(*core.Runtime)) error {
	probe := new(core.Runtime)
	set(probe)
	if probe.Image == "" && probe.BaseImage == "" {
		probe.BaseImage = "base"
	}
	if err := probe.Validate(); err != nil {
		return at(n.Line, n.Column, err)
	}
	return nil
}

// textField is the setter of a field that is a text.
func textField(assign func(*core.Runtime, string)) func(*decoder, *core.Runtime, *yaml.Node) error {
	return func(_ *decoder, rt *core.Runtime, n *yaml.Node) error {
		s, err := scalar(n)
		if err != nil {
			return err
		}
		assign(rt, s)
		return check(n, func(probe *core.Runtime) { assign(probe, s) })
	}
}

// listField is the setter of a field that is a list of texts.
func listField(add func(*core.Runtime, string)) func(*decoder, *core.Runtime, *yaml.Node) error {
	return func(_ *decoder, rt *core.Runtime, n *yaml.Node) error {
		if n.Kind != yaml.SequenceNode || n.Anchor != "" {
			return at(n.Line, n.Column, fmt.Errorf("use a list, not %s", kind(n)))
		}
		for _, item := range n.Content {
			s, err := scalar(item)
			if err != nil {
				return err
			}
			add(rt, s)
			if err := check(item, func(probe *core.Runtime) { probe.PackageManager = rt.PackageManager; add(probe, s) }); err != nil {
				return err
			}
		}
		return nil
	}
}

func setEnv(_ *decoder, rt *core.Runtime, n *yaml.Node) error {
	values, err := pairs(n)
	if err != nil {
		return err
	}
	rt.Env = make(map[string]string, len(values))
	for key, p := range values {
		if rt.Env[key], err = scalar(p.value); err != nil {
			return err
		}
		if err := check(p.key, func(probe *core.Runtime) { probe.Env = map[string]string{key: rt.Env[key]} }); err != nil {
			return err
		}
	}
	return nil
}

func setNoCache(_ *decoder, rt *core.Runtime, n *yaml.Node) error {
	if n.Kind != yaml.ScalarNode || n.Tag != "!!bool" || n.Decode(&rt.NoCache) != nil {
		return at(n.Line, n.Column, errors.New("use true or false"))
	}
	return nil
}

func setSource(d *decoder, rt *core.Runtime, n *yaml.Node) error {
	return d.mapping(n, sourceFields, rt)
}

// setCAFile reads certificates; a relative path starts at the runtime file.
func setCAFile(d *decoder, rt *core.Runtime, n *yaml.Node) error {
	name, err := scalar(n)
	if err != nil {
		return err
	}
	if !filepath.IsAbs(name) {
		name = filepath.Join(d.dir, name)
	}
	ca, err := readFile(name)
	if err != nil {
		if pathErr, ok := errors.AsType[*os.PathError](err); ok {
			err = pathErr
		}
		return at(n.Line, n.Column, err)
	}
	rt.Source.CA = ca
	return check(n, func(probe *core.Runtime) { probe.Source.CA = ca })
}
