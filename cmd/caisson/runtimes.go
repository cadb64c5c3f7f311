package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/runtimes"
)

func newRuntimes() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "runtimes",
		Short: "List, show, build and prune the environments that sandboxes are made from",
		RunE:  onlyBelow,
	}
	cmd.AddCommand(newRuntimesList(), newRuntimesShow(), newRuntimesBuild(), newRuntimesPrune())
	return cmd
}

// findRuntime returns the built-in runtime of a name, or reads what is at a path.
func findRuntime(name string) (*core.Runtime, error) {
	switch filepath.Ext(name) {
	case ".yaml", ".yml", ".json":
		return runtimes.Load(name)
	}
	if name == "." || name == ".." || strings.ContainsAny(name, `/\`) {
		return runtimes.Load(name)
	}
	rt, err := runtimes.Get(name)
	if core.CodeOf(err) == core.ErrNotFound {
		if _, statErr := os.Stat(name); statErr == nil {
			return runtimes.Load(name)
		}
	}
	return rt, err
}

func newRuntimesList() *cobra.Command {
	return &cobra.Command{
		Use:   "ls",
		Short: "List the built-in runtimes",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "NAME\tIMAGE\tPACKAGES\tDESCRIPTION")
			for _, name := range runtimes.Names() {
				rt, err := runtimes.Get(name)
				if err != nil {
					return err
				}
				fmt.Fprintf(w, "%s\t%s\t%d\t%s\n", name, cmp.Or(rt.Image, rt.BaseImage), len(rt.Packages), rt.Description)
			}
			return w.Flush()
		},
	}
}

func newRuntimesShow() *cobra.Command {
	var dockerfile, asJSON bool
	cmd := &cobra.Command{
		Use:   "show NAME|FILE|DIRECTORY",
		Short: "Describe a runtime, or print the build file of its image",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			rt, err := findRuntime(args[0])
			if err != nil {
				return err
			}
			rt = rt.WithDefaults()
			switch {
			case dockerfile && rt.BaseImage == "":
				return fmt.Errorf("runtime %s is the ready-made image %s; nothing is built", rt.Name, rt.Image)
			case dockerfile:
				// Without an engine the base image's id is not known; its reference stands for it.
				build, err := runtimes.NewBuild(rt, runtimes.BaseImage{}, nil)
				if err != nil {
					return err
				}
				_, err = fmt.Fprint(cmd.OutOrStdout(), build.Dockerfile)
				return err
			case asJSON:
				enc := json.NewEncoder(cmd.OutOrStdout())
				enc.SetIndent("", "  ")
				return enc.Encode(shown(rt))
			}
			return describe(cmd, rt)
		},
	}
	cmd.Flags().BoolVar(&dockerfile, "dockerfile", false, "print the generated build file")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// description is a runtime without the values of its environment.
type description struct {
	Name           string              `json:"name"`
	Description    string              `json:"description"`
	Image          string              `json:"image,omitempty"`
	BaseImage      string              `json:"base_image,omitempty"`
	PackageManager core.PackageManager `json:"package_manager,omitempty"`
	Packages       []string            `json:"packages,omitempty"`
	SetupCommands  []string            `json:"setup_commands,omitempty"`
	Env            []string            `json:"env,omitempty"` // names
	WorkDir        string              `json:"work_dir"`
	User           string              `json:"user"`
}

func shown(rt *core.Runtime) *description {
	d := &description{
		Name: rt.Name, Description: rt.Description, Image: rt.Image, BaseImage: rt.BaseImage, Packages: rt.Packages,
		SetupCommands: rt.SetupCommands, Env: sortedKeys(rt.Env), WorkDir: rt.WorkDir, User: rt.User,
	}
	if len(rt.Packages) > 0 {
		d.PackageManager = rt.PackageManager
	}
	return d
}

func describe(cmd *cobra.Command, rt *core.Runtime) error {
	d := shown(rt)
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	for _, line := range [][2]string{
		{"name", d.Name},
		{"description", d.Description},
		{"image", d.Image},
		{"built from", d.BaseImage},
		{"packages", strings.Join(d.Packages, " ") + before(" with ", string(d.PackageManager))},
		{"set-up", strings.Join(d.SetupCommands, "; ")},
		{"environment", strings.Join(d.Env, " ")},
		{"work dir", d.WorkDir},
		{"user", d.User},
	} {
		if line[1] != "" {
			fmt.Fprintf(w, "%s\t%s\n", line[0], line[1])
		}
	}
	return w.Flush()
}
