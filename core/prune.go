package core

import (
	"context"
	"time"
)

// Pruner is implemented by a Driver that can remove the images that it made.
type Pruner interface {
	// Prune removes images that were made for runtimes and are superseded: of
	// a named runtime all but the newest, with what lies on top of them, and
	// what builds left. It returns them. An image that a sandbox uses stays, and
	// so does one with a name that others gave it: who builds on top of a
	// runtime's image, or tags it, keeps what has his name.
	Prune(ctx context.Context, opts *PruneOptions) ([]PrunedImage, error)
}

// PruneOptions changes what Prune removes. The zero value and nil are the defaults.
type PruneOptions struct {
	// All removes the newest images too, and those that hold no more than the
	// helper; they are made again when they are wanted.
	All bool
	// Runtime limits Prune to the runtime of exactly this name.
	Runtime string
	DryRun  bool
}

// PrunedImage is an image that Prune removed.
type PrunedImage struct {
	ID      string
	Name    string // empty for what a build left
	Runtime string // the runtime's name, where it has one
	Created time.Time
}
