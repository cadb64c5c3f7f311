package main

import (
	"cmp"
	"encoding/json"
	"fmt"
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
	return runtimes.Get(name)
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
				return enc.Encode(rt) // without the values of its variables
			}
			return describe(cmd, rt)
		},
	}
	cmd.Flags().BoolVar(&dockerfile, "dockerfile", false, "print the generated build file")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func describe(cmd *cobra.Command, rt *core.Runtime) error {
	manager := ""
	if len(rt.Packages) > 0 {
		manager = string(rt.PackageManager)
	}
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	for _, line := range [][2]string{
		{"name", rt.Name},
		{"description", rt.Description},
		{"image", rt.Image},
		{"built from", rt.BaseImage},
		{"packages", strings.Join(rt.Packages, " ") + before(" with ", manager)},
		{"set-up", strings.Join(rt.SetupCommands, "; ")},
		{"environment", strings.Join(sortedKeys(rt.Env), " ")},
		{"work dir", rt.WorkDir},
		{"user", rt.User},
	} {
		if line[1] != "" {
			fmt.Fprintf(w, "%s\t%s\n", line[0], line[1])
		}
	}
	return w.Flush()
}
