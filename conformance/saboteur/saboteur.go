package saboteur

import (
	"context"
	"io"
	"slices"

	"github.com/caisson-dev/caisson/conformance"
	"github.com/caisson-dev/caisson/core"
)

// Saboteur breaks one promise.
type Saboteur struct {
	// Name is "area/how", in words that do not change.
	Name string
	// Breaks says what it does wrong, as one sentence.
	Breaks string
	// Target is the ID of the case that is made to catch it. Others may too.
	Target string
	// arm returns the wrong methods, for one run of the suite.
	arm func() *methods
}

// All returns every saboteur, by name.
func All() []Saboteur {
	return slices.SortedFunc(slices.Values(slices.Concat(executes(), inputs(), streams(), kills(), uploads(), reads(), lives(), drivers(), environments(), verbs(), searches(), walls(), keeps())),
		func(a, b Saboteur) int {
			if a.Name < b.Name {
				return -1
			}
			return 1
		})
}

// Harness returns a copy of h whose driver is sabotaged. It is for one run.
func (s *Saboteur) Harness(h *conformance.Harness) *conformance.Harness {
	m, c := s.arm(), *h
	c.Open = func(ctx context.Context) (core.Driver, error) {
		d, err := h.Open(ctx)
		if err != nil {
			return nil, err
		}
		return &driver{keeper: d.(keeper), m: m}, nil
	}
	c.Another = func(ctx context.Context) (core.Driver, error) {
		d, err := h.Another(ctx)
		if err != nil {
			return nil, err
		}
		return &driver{keeper: d.(keeper), m: m}, nil
	}
	if m.sandbox != nil {
		c.Start = func(ctx context.Context, d core.Driver, spec *core.Spec) (conformance.Sandbox, error) {
			return m.sandbox(ctx, d, spec)
		}
	}
	return &c
}

// methods replaces methods of a driver and of its backends; nil ones stay as
// they are. Each gets the good one as its receiver to work with.
type methods struct {
	info    func(ctx context.Context, d core.Driver) (*core.Info, error)
	prepare func(ctx context.Context, d core.Driver, rt *core.Runtime, opts *core.PrepareOptions) (*core.Prepared, error)
	start   func(ctx context.Context, d core.Driver, spec *core.Spec) (core.Backend, error)
	close   func(d core.Driver) error

	sandboxes func(ctx context.Context, d keeper, owner string) ([]core.Record, error)
	attach    func(ctx context.Context, d keeper, id string, spec *core.Spec) (core.Backend, error)
	join      func(ctx context.Context, d keeper, owner, id string) (core.Backend, error)
	collect   func(ctx context.Context, d keeper, o core.CollectOptions) ([]core.Leftover, error)
	unkeep    func(ctx context.Context, d keeper, owner, workspace string) error
	link      func(ctx context.Context, d keeper, owner, name, target string) error
	links     func(ctx context.Context, d keeper, owner string) (map[string]string, error)

	execute func(ctx context.Context, b core.Backend, cmd *core.Command) (*core.Result, error)
	upload  func(ctx context.Context, b core.Backend, path string, src io.Reader, opts *core.UploadOptions) error
	read    func(ctx context.Context, b core.Backend, path string, opts *core.ReadOptions) (io.ReadCloser, error)
	stop    func(ctx context.Context, b core.Backend) error

	list    func(ctx context.Context, b good, path string) ([]core.FileInfo, error)
	stat    func(ctx context.Context, b good, path string, follow bool) (*core.FileInfo, error)
	remove  func(ctx context.Context, b good, path string, recursive bool) error
	mkdir   func(ctx context.Context, b good, path string) error
	rename  func(ctx context.Context, b good, from, to string) error
	glob    func(ctx context.Context, b good, pattern string, s core.Search) (*core.Paths, error)
	grep    func(ctx context.Context, b good, pattern string, s core.Search) (*core.Matches, error)
	edit    func(ctx context.Context, b good, path, old, new string, all bool) (int, error)
	inspect func(ctx context.Context, b good) (*core.SandboxInfo, error)

	// sandbox takes the place of core.Start, for promises that core keeps for every driver.
	sandbox func(ctx context.Context, d core.Driver, spec *core.Spec) (conformance.Sandbox, error)
}

// good is a backend with every optional verb, which those of the guest are.
type good interface {
	core.Backend
	core.Lister
	core.Stater
	core.Remover
	core.DirMaker
	core.Renamer
	core.Globber
	core.Grepper
	core.Editor
	core.Informer
}
