package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/caisson-dev/caisson/core"
)

// prepare measures how soon a runtime that was built is ready again, and what
// this process grows by while a build prints a gigabyte.
func (s *subject) prepare(ctx context.Context) (err error) {
	rt := &core.Runtime{
		Name: "caisson-bench", BaseImage: s.Spec().Runtime.Image, SetupCommands: []string{"true"},
		Source: core.PackageSource{Network: core.NetworkNone},
	}
	if pruner, ok := core.AsDriver[core.Pruner](s.driver); ok {
		defer func() {
			_, pruneErr := pruner.Prune(context.WithoutCancel(ctx), &core.PruneOptions{Runtime: rt.Name, All: true})
			err = errors.Join(err, pruneErr)
		}()
	}
	prepare := func() error {
		_, err := s.driver.Prepare(ctx, rt, nil)
		return err
	}
	if err := prepare(); err != nil {
		return err
	}
	again, err := timed(s.rounds, prepare)
	if err != nil {
		return err
	}
	s.add(figure{
		what: "Prepare, built before", calls: fmt.Sprint(len(again)), ours: spread([]times{again}),
		wanted: "under 20 ms", met: again.at(50).Milliseconds() < 20,
	})

	loud := *rt
	loud.NoCache = true
	loud.SetupCommands = []string{"head -c 1073741824 /dev/zero | tr '\\0' x | fold -w 1000"}
	grown, err := growth(func() error {
		_, err := s.driver.Prepare(ctx, &loud, nil)
		return err
	})
	if err != nil {
		return err
	}
	s.add(figure{
		what: "build printing 1 GiB, memory", calls: "1", ours: fmt.Sprintf("%.1f MiB", float64(grown)/mebibyte),
		wanted: "under 32 MiB", met: grown < 32*mebibyte,
	})
	return nil
}
