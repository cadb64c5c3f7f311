package archtest_test

import (
	"go/ast"
	"go/build/constraint"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/caisson-dev/caisson"

// file is one Go file of the module, whatever system it is for.
type file struct {
	name       string // slash-separated, from the module's root
	pkg        string // its directory, the same
	imports    []string
	constraint string
}

func (f *file) isTest() bool { return strings.HasSuffix(f.name, "_test.go") }

// sources parses the head of every Go file below root. It leaves out what the
// go command does not see: hidden and testdata directories and nested modules.
func sources(t *testing.T, root string) []file {
	t.Helper()
	var files []file
	err := fs.WalkDir(os.DirFS(root), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			hidden := name != "." && strings.ContainsAny(d.Name()[:1], "._")
			_, nested := os.Stat(filepath.Join(root, name, "go.mod"))
			if hidden || d.Name() == "testdata" || name != "." && nested == nil {
				return fs.SkipDir
			}
			return nil
		}
		if path.Ext(name) == ".go" {
			files = append(files, parse(t, root, name))
		}
		return nil
	})
	require.NoError(t, err)
	return files
}

func parse(t *testing.T, root, name string) file {
	t.Helper()
	tree, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, name), nil, parser.ImportsOnly|parser.ParseComments)
	require.NoError(t, err)
	f := file{name: name, pkg: path.Dir(name), constraint: constraintOf(tree)}
	for _, spec := range tree.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		require.NoError(t, err)
		f.imports = append(f.imports, p)
	}
	return f
}

func constraintOf(tree *ast.File) string {
	for _, group := range tree.Comments {
		for _, c := range group.List {
			if c.Pos() < tree.Package && (constraint.IsGoBuild(c.Text) || constraint.IsPlusBuild(c.Text)) {
				return c.Text
			}
		}
	}
	return ""
}
