package main

import (
	"context"
	"fmt"
	"io"

	"github.com/caisson-dev/caisson/core"
)

// language is what runs a file, and images that hold it, to be tried in turn.
type language struct {
	interpreter string
	images      []string
}

// The last image of each list is one that scripts/images.sh makes; its name
// can never be pulled from elsewhere.
const (
	localBase = "localhost/caisson-test/base:latest" // sh and Python
	localNode = "localhost/caisson-test/node:latest"
)

func shellImages() []string { return []string{"debian:bookworm-slim", localBase} }

// languages maps the extensions of files to what runs them.
func languages() map[string]language {
	return map[string]language{
		".sh": {"sh", shellImages()},
		".py": {"python3", []string{"python:3.12-slim", localBase}},
		".js": {"node", []string{"node:20-slim", localNode}},
	}
}

// makeReady makes a runtime ready; a nil one is that of the first image for which that works.
func makeReady(ctx context.Context, drv preparer, rt *core.Runtime, images []string, notices io.Writer) (*core.Runtime, error) {
	show := newProgress(notices)
	defer show.close()
	if rt == nil {
		return firstImage(ctx, drv, images, notices, show.event)
	}
	_, err := drv.Prepare(ctx, rt.WithDefaults(), &core.PrepareOptions{Progress: show.event})
	return rt, err
}

// firstImage returns the runtime of the first image that the driver can make
// ready. It says so to notices if that is not the first of all.
func firstImage(ctx context.Context, drv preparer, images []string, notices io.Writer, progress func(core.Progress)) (*core.Runtime, error) {
	var first error
	for _, image := range images {
		rt := &core.Runtime{Image: image}
		if err := rt.Validate(); err != nil {
			return nil, err
		}
		_, err := drv.Prepare(ctx, rt.WithDefaults(), &core.PrepareOptions{Progress: progress})
		switch {
		case err == nil:
			if first != nil {
				fmt.Fprintf(notices, "caisson: %s cannot be pulled; using %s, which is here\n", images[0], image)
			}
			return rt, nil
		case len(images) == 1 || ctx.Err() != nil:
			return nil, err
		case first == nil:
			first = err
		}
	}
	return nil, fmt.Errorf("%w, or name another with --image", first)
}
