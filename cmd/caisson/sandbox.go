package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"

	"github.com/docker/go-units"
	"github.com/spf13/pflag"

	"github.com/caisson-dev/caisson/core"
)

// imageEnv names the image to use when no flag does.
const imageEnv = "CAISSON_IMAGE"

// sandboxOptions are the flags that say what a sandbox is made from and how it is confined.
type sandboxOptions struct {
	image, runtime           string
	network, profile, memory string
	cpus                     float64
	allow                    []string
}

func (o *sandboxOptions) register(f *pflag.FlagSet) {
	f.StringVar(&o.image, "image", "", "container image to run in (default $"+imageEnv+")")
	f.StringVar(&o.runtime, "runtime", "", "runtime to run in: a built-in `NAME` (caisson runtimes ls), a .yaml or .json file, or a directory with a list of dependencies")
	f.StringVar(&o.network, "network", string(core.NetworkNone), "`MODE` of the network: none, default or the name of one on the engine")
	f.StringVar(&o.profile, "profile", string(core.Strict), "isolation: strict, standard or relaxed")
	f.StringVar(&o.memory, "memory", "", "memory limit, such as 256m or 1g (default 512m)")
	f.Float64Var(&o.cpus, "cpus", 0, "processor limit (default 1)")
	f.StringArrayVar(&o.allow, "allow", nil, "do without a `PROTECTION` that the engine cannot give: limits.memory, limits.cpu, limits.pids or seccomp")
}

// images returns the images to try in turn: the one that the user names, else these.
func (o *sandboxOptions) images(others []string) []string {
	if image := cmp.Or(o.image, os.Getenv(imageEnv)); image != "" {
		return []string{image}
	}
	return others
}

// spec reads the flags. Its Runtime is nil unless they name one.
func (o *sandboxOptions) spec() (*core.Spec, error) {
	s := &core.Spec{Network: core.Network(o.network), Profile: core.Profile(o.profile)}
	for _, w := range o.allow {
		s.Allow = append(s.Allow, core.Weakening(w))
	}
	if o.memory != "" {
		bytes, err := units.RAMInBytes(o.memory)
		if err != nil {
			return nil, fmt.Errorf("--memory %q: use a number of bytes, or one with k, m or g", o.memory)
		}
		s.Limits.Memory = bytes
	}
	s.Limits.CPUs = o.cpus
	switch {
	case o.image != "" && o.runtime != "":
		return nil, errors.New("--image and --runtime exclude each other")
	case o.runtime != "":
		var err error
		if s.Runtime, err = findRuntime(o.runtime); err != nil {
			return nil, err
		}
	}
	return s, nil
}
