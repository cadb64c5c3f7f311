package main

import (
	"context"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/drivers/fake"
)

// underTest is the engine that a run of the conformance suite is about, as more than one process sees it.
type underTest struct {
	url    string
	driver core.Driver // of the run; open until after the last census
}

// open opens a driver. The first is that of the run; cases may open more.
func (u *underTest) open(ctx context.Context) (core.Driver, error) {
	driver, err := openDriver(ctx, u.url)
	if err == nil && u.driver == nil {
		u.driver = driver
	}
	return driver, err
}

// another opens a driver on the same engine. The fake's engine is in this process, so opening another would not do.
func (u *underTest) another(ctx context.Context) (core.Driver, error) {
	if f, ok := u.driver.(*fake.Driver); ok {
		return f.Sibling(), nil
	}
	return openDriver(ctx, u.url)
}

// census lists what the engine has of an owner: sandboxes, volumes of such that
// are gone, workspaces. It is nothing for a driver that cannot tell.
func (u *underTest) census(ctx context.Context, owner string) ([]string, error) {
	collector, ok := core.AsDriver[core.Collector](u.driver)
	if !ok {
		return nil, nil
	}
	found, err := collector.Collect(ctx, &core.CollectOptions{Owner: owner, Workspaces: true, MinAge: 1, DryRun: true})
	var lines []string
	for _, l := range found {
		if l.Owner == owner { // and not what somebody else left
			lines = append(lines, l.Kind+" "+l.ID)
		}
	}
	return lines, err
}

// lose removes a sandbox as an operator does who does not ask its owner.
func (u *underTest) lose(ctx context.Context, id string) error {
	if f, ok := u.driver.(*fake.Driver); ok {
		f.Lose(id)
		return nil
	}
	attacher, lists := core.AsDriver[core.Attacher](u.driver)
	collector, removes := core.AsDriver[core.Collector](u.driver)
	if !lists || !removes {
		return core.Errorf(core.ErrUnsupported, "lose", "the driver cannot remove another's sandbox")
	}
	all, err := attacher.Sandboxes(ctx, "")
	if err != nil {
		return err
	}
	for i := range all {
		if all[i].ID != id {
			continue
		}
		others := func(l core.Leftover) bool { return l.ID != id || l.Kind != core.LeftoverSandbox }
		_, err := collector.Collect(ctx, &core.CollectOptions{Owner: all[i].Owner, MinAge: 1, Keep: others})
		return err
	}
	return core.Errorf(core.ErrNotFound, "lose", "no sandbox %q", id)
}
