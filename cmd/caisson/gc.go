package main

import (
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/caisson-dev/caisson/core"
)

func newGC() *cobra.Command {
	var url string
	opts := new(core.CollectOptions)
	cmd := &cobra.Command{
		Use:   "gc",
		Short: "Remove sandboxes that nobody will remove any more",
		Long: `Remove sandboxes whose lease has ended and what is left of such. With --owner
everything of that owner is removed, whether it is in use or not. Only objects
with the labels of Caisson are looked at.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case opts.Workspaces && opts.Owner == "":
				return errors.New("--workspaces: name whose, with --owner")
			case opts.MinAge < 0:
				return fmt.Errorf("--min-age %v is negative", opts.MinAge)
			}
			ctx, release := catchSignals(cmd.Context(), func() {})
			defer release()
			drv, err := openDriver(ctx, url)
			if err != nil {
				return err
			}
			defer drv.Close()
			collector, ok := core.AsDriver[core.Collector](drv)
			if !ok {
				return core.Errorf(core.ErrUnsupported, "gc", "the driver cannot tell what nobody uses")
			}
			if opts.Owner != "" && !cmd.Flags().Changed("min-age") {
				opts.MinAge = 1 // whoever names an owner knows that it is done
			}
			found, failure := collector.Collect(ctx, opts)
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			for _, l := range found {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", l.Kind, l.ID, l.Created.Format(time.RFC3339), l.Owner)
			}
			if err := w.Flush(); err != nil {
				return err
			}
			return interrupted(ctx, failure)
		},
	}
	f := cmd.Flags()
	driverFlag(f, &url)
	f.StringVar(&opts.Owner, "owner", "", "remove everything of this owner as well")
	f.BoolVar(&opts.Workspaces, "workspaces", false, "remove the workspaces of --owner too, with their files")
	f.DurationVar(&opts.MinAge, "min-age", core.DefaultMinAge, "leave alone what is younger; less than the default is for what --owner has alone, of which nothing is too young")
	f.BoolVar(&opts.DryRun, "dry-run", false, "only list what would be removed")
	return cmd
}
