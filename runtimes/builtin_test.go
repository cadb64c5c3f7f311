package runtimes_test

import (
	"io/fs"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/runtimes"
)

func TestBuiltinsOfTheReference(t *testing.T) {
	for _, want := range []*core.Runtime{
		{Name: "python-minimal", Image: "python:3.12-slim"},
		{
			Name: "python-datascience", BaseImage: "python:3.12-slim", Description: "Python with pandas, numpy, matplotlib, scikit-learn, seaborn",
			Packages: []string{"pandas", "numpy", "matplotlib", "scikit-learn", "seaborn"},
		},
		{Name: "python-web", BaseImage: "python:3.12-slim", Packages: []string{"fastapi", "uvicorn", "sqlalchemy", "httpx"}},
		{Name: "node-minimal", Image: "node:20-slim", WorkDir: "/app"},
		{
			Name: "node-react", BaseImage: "node:20-slim", WorkDir: "/app", PackageManager: core.Npm,
			Packages: []string{"typescript", "vite", "react", "react-dom", "@types/react"},
		},
	} {
		got, err := runtimes.Get(want.Name)
		require.NoError(t, err)
		require.NotEmpty(t, got.Description)
		if want.Description == "" {
			got.Description = ""
		}
		require.Empty(t, cmp.Diff(want.WithDefaults(), got.WithDefaults()), "(-want +got)")
	}
}

func TestEveryBuiltinIsValid(t *testing.T) {
	names := runtimes.Names()
	require.Len(t, names, 10)
	require.IsIncreasing(t, names)
	for _, name := range names {
		rt, err := runtimes.Get(name)
		require.NoError(t, err)
		require.Equal(t, name, rt.Name)
		require.NotEmpty(t, rt.Description)
		require.NoError(t, rt.Validate())
	}
}

func TestGetReturnsACopy(t *testing.T) {
	a, err := runtimes.Get("python-web")
	require.NoError(t, err)
	a.Packages[0], a.BaseImage = "changed", "changed"
	b, err := runtimes.Get("python-web")
	require.NoError(t, err)
	require.Equal(t, "fastapi", b.Packages[0])
	require.Equal(t, "python:3.12-slim", b.BaseImage)
}

func TestUnknownRuntimeListsTheKnown(t *testing.T) {
	_, err := runtimes.Get("python\nweb")
	require.ErrorIs(t, err, core.ErrNotFound)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorContains(t, err, `unknown runtime "python\nweb"; available: go, node-minimal, node-react,`)
}
