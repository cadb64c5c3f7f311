package runtimes_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/drivers/fake"
	"github.com/caisson-dev/caisson/runtimes"
)

// The built-in runtimes, of which each is found by its name.
func ExampleNames() {
	for _, name := range runtimes.Names() {
		rt, err := runtimes.Get(name)
		if err != nil {
			panic(err)
		}
		fmt.Printf("%-18s %s\n", rt.Name, rt.Description)
	}
	// Output:
	// go                 Go 1.26
	// node-minimal       Clean Node.js 20
	// node-react         Node.js with TypeScript, Vite, React
	// node-typescript    Node.js with TypeScript and tsx
	// polyglot           Python and Node.js with numpy, polars, duckdb, httpx
	// python-datascience Python with pandas, numpy, matplotlib, scikit-learn, seaborn
	// python-documents   Python with python-docx, openpyxl, python-pptx, pypdf, reportlab
	// python-minimal     Clean Python 3.12
	// python-web         Python with FastAPI, SQLAlchemy, httpx
	// rust               Rust with Cargo
}

// A sandbox with a built-in runtime, which is the caller's to change first.
func ExampleGet() {
	ctx := context.Background()
	rt, err := runtimes.Get("python-datascience")
	if err != nil {
		panic(err)
	}
	rt.Name, rt.Packages = "my-datascience", append(rt.Packages, "statsmodels")
	sb, err := core.Start(ctx, fake.New(nil), &core.Spec{Runtime: rt})
	if err != nil {
		panic(err)
	}
	defer func() { _ = sb.Stop(ctx) }()
	res, err := sb.Execute(ctx, core.Program("pwd"))
	if err != nil {
		panic(err)
	}
	fmt.Println(rt)
	fmt.Print(res.Stdout.String())
	// Output:
	// runtime "my-datascience" from python:3.12-slim with 6 packages
	// /workspace
}

// A runtime of one's own: its image is built once, and found from then on.
func Example() {
	ctx := context.Background()
	rt := &core.Runtime{
		Name: "ml-env", Description: "Machine learning environment with PyTorch",
		BaseImage:     "python:3.12-slim",
		SetupCommands: []string{"mkdir -p /opt/models"}, // as root, before the packages
		Packages:      []string{"torch", "transformers>=4,<5", "datasets", "accelerate"},
		// PackageManager: core.Pip is the default; Npm, Apt and Cargo are the others.
		Env:     map[string]string{"TOKENIZERS_PARALLELISM": "false"},
		WorkDir: "/workspace",
	}
	driver := fake.New(nil)
	for range 2 {
		prepared, err := driver.Prepare(ctx, rt, nil) // Start does it too
		if err != nil {
			panic(err)
		}
		fmt.Println("built:", prepared.Built)
	}
	sb, err := core.Start(ctx, driver, &core.Spec{Runtime: rt})
	if err != nil {
		panic(err)
	}
	defer func() { _ = sb.Stop(ctx) }()
	res, err := sb.Execute(ctx, core.Shell("ls -d /opt/models; echo $TOKENIZERS_PARALLELISM"))
	if err != nil {
		panic(err)
	}
	fmt.Print(res.Stdout.String())
	// Output:
	// built: true
	// built: false
	// /opt/models
	// false
}

// The section of a system prompt that tells a model what it can use.
func ExamplePrompt() {
	rt, err := runtimes.Get("python-datascience")
	if err != nil {
		panic(err)
	}
	rt.Env = map[string]string{"API_KEY": "never shown"}
	fmt.Print(runtimes.Prompt(rt))
	// Output:
	// ## Runtime Environment
	//
	// **Name:** python-datascience
	// **Description:** Python with pandas, numpy, matplotlib, scikit-learn, seaborn
	// **Working directory:** /workspace
	//
	// **Pre-installed packages** (use directly without installation):
	// - pandas
	// - numpy
	// - matplotlib
	// - scikit-learn
	// - seaborn
	//
	// **Environment variables** (set; values not shown):
	// - API_KEY
}

// A runtime from a file, here one of a project that lists what it needs; a
// runtime.yaml or runtime.json can say everything that a Runtime does.
func ExampleLoad() {
	dir, err := os.MkdirTemp("", "project")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	list := "pandas >= 2.0, < 3  # the frames\nnumpy\n"
	if err := os.WriteFile(filepath.Join(dir, "requirements.txt"), []byte(list), 0o600); err != nil {
		panic(err)
	}
	rt, err := runtimes.Load(dir)
	if err != nil {
		panic(err)
	}
	fmt.Println(rt.BaseImage, rt.PackageManager, rt.Packages)
	// Output:
	// python:3.12-slim  [pandas>=2.0,<3 numpy]
}
