package main

import (
	"cmp"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/caisson-dev/caisson/core"
)

func newRuntimesPrune() *cobra.Command {
	var url string
	opts := new(core.PruneOptions)
	cmd := &cobra.Command{
		Use:   "prune [NAME]",
		Short: "Remove the images of runtimes that newer ones have replaced",
		Long: `Remove the images that were built for runtimes and that newer ones have
replaced, and what builds left. With NAME only those of the runtime of exactly
that name. Images that a sandbox uses stay, and so do all with a name that
Caisson did not give them.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				opts.Runtime = args[0]
			}
			ctx, release := catchSignals(cmd.Context(), func() {})
			defer release()
			drv, err := openDriver(ctx, url)
			if err != nil {
				return err
			}
			defer drv.Close()
			pruner, ok := core.AsDriver[core.Pruner](drv)
			if !ok {
				return core.Errorf(core.ErrUnsupported, "prune", "the driver keeps no images")
			}
			pruned, failure := pruner.Prune(ctx, opts)
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			for _, img := range pruned {
				fmt.Fprintf(w, "%s\t%s\n", cmp.Or(img.Name, img.ID), img.Created.Format(time.RFC3339))
			}
			if err := w.Flush(); err != nil {
				return err
			}
			return interrupted(ctx, failure)
		},
	}
	f := cmd.Flags()
	driverFlag(f, &url)
	f.BoolVar(&opts.All, "all", false, "remove the newest as well; they are built again when they are wanted")
	f.BoolVar(&opts.DryRun, "dry-run", false, "only list what would be removed")
	return cmd
}
