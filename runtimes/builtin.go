package runtimes

import (
	"maps"
	"slices"
	"strings"

	"github.com/caisson-dev/caisson/core"
)

const (
	pythonImage = "python:3.12-slim"
	nodeImage   = "node:20-slim"
	goImage     = "golang:1.26"
	rustImage   = "rust:1-slim"
)

// builtin returns the built-in runtimes by name. Each call makes new ones, so a caller may change what it got.
func builtin() map[string]*core.Runtime {
	list := []*core.Runtime{
		{
			Name: "python-minimal", Description: "Clean Python 3.12",
			Image: pythonImage,
		},
		{
			Name: "python-datascience", Description: "Python with pandas, numpy, matplotlib, scikit-learn, seaborn",
			BaseImage: pythonImage,
			Packages:  []string{"pandas", "numpy", "matplotlib", "scikit-learn", "seaborn"},
		},
		{
			Name: "python-web", Description: "Python with FastAPI, SQLAlchemy, httpx",
			BaseImage: pythonImage,
			Packages:  []string{"fastapi", "uvicorn", "sqlalchemy", "httpx"},
		},
		{
			Name: "python-documents", Description: "Python with python-docx, openpyxl, python-pptx, pypdf, reportlab",
			BaseImage: pythonImage,
			Packages:  []string{"python-docx", "openpyxl", "python-pptx", "pypdf", "reportlab"},
		},
		{
			Name: "node-minimal", Description: "Clean Node.js 20",
			Image: nodeImage, WorkDir: "/app",
		},
		{
			Name: "node-react", Description: "Node.js with TypeScript, Vite, React",
			BaseImage: nodeImage, WorkDir: "/app", PackageManager: core.Npm,
			Packages: []string{"typescript", "vite", "react", "react-dom", "@types/react"},
		},
		{
			Name: "node-typescript", Description: "Node.js with TypeScript and tsx",
			BaseImage: nodeImage, WorkDir: "/app", PackageManager: core.Npm,
			Packages: []string{"typescript", "tsx", "@types/node"},
		},
		{
			Name: "go", Description: "Go 1.26",
			Image: goImage, WorkDir: "/src",
			// The image keeps these where only root may write, and would fetch another Go than its own.
			Env: map[string]string{"GOPATH": "/src/.go", "GOTOOLCHAIN": "local"},
		},
		{
			Name: "rust", Description: "Rust with Cargo",
			Image: rustImage, WorkDir: "/src",
			Env: map[string]string{"CARGO_HOME": "/src/.cargo"},
		},
		{
			Name: "polyglot", Description: "Python and Node.js with numpy, polars, duckdb, httpx",
			BaseImage: pythonImage,
			SetupCommands: []string{
				"apt-get update && apt-get install --yes --no-install-recommends nodejs npm git && rm -rf /var/lib/apt/lists/*",
			},
			Packages: []string{"numpy", "polars", "duckdb", "httpx"},
		},
	}
	byName := make(map[string]*core.Runtime, len(list))
	for _, rt := range list {
		byName[rt.Name] = rt
	}
	return byName
}

// Names returns the names of the built-in runtimes, sorted.
func Names() []string { return slices.Sorted(maps.Keys(builtin())) }

// Get returns the built-in runtime of that name. It is the caller's to change.
// The ErrNotFound for any other name lists those that there are.
func Get(name string) (*core.Runtime, error) {
	if rt, ok := builtin()[name]; ok {
		return rt, nil
	}
	return nil, core.Errorf(core.ErrNotFound, "runtime", "unknown runtime %q; available: %s", name, strings.Join(Names(), ", "))
}
