package main

import (
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/caisson-dev/caisson/core"
)

func newRuntimesBuild() *cobra.Command {
	var url string
	var again, log bool
	cmd := &cobra.Command{
		Use:   "build NAME|FILE|DIRECTORY",
		Short: "Make a runtime ready on an engine and print its image",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			rt, err := findRuntime(args[0])
			if err != nil {
				return err
			}
			ctx, release := catchSignals(cmd.Context(), func() {})
			defer release()
			drv, err := openDriver(ctx, url)
			if err != nil {
				return err
			}
			defer drv.Close()
			show := newProgress(cmd.ErrOrStderr())
			show.log = log
			defer show.close()
			ready, err := drv.Prepare(ctx, rt.WithDefaults(), &core.PrepareOptions{Progress: show.event, NoCache: again})
			if err != nil {
				return interrupted(ctx, err)
			}
			show.close()
			_, err = fmt.Fprintln(cmd.OutOrStdout(), ready.Image)
			return err
		},
	}
	driverFlag(cmd.Flags(), &url)
	cmd.Flags().BoolVar(&again, "no-cache", false, "build it although it is there")
	cmd.Flags().BoolVar(&log, "log", false, "print what the steps of the build print")
	return cmd
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }
