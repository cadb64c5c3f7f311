package core

import (
	"strings"
	"time"
	"unicode/utf8"
)

// Profile is a set of isolation rules for a sandbox.
type Profile string

// The profiles. Each keeps seccomp, no-new-privileges, the limits and no host mounts.
const (
	// Strict is the default: non-root, no capabilities, read-only root file system.
	Strict Profile = "strict"
	// Standard has a writable root layer beside that.
	Standard Profile = "standard"
	// Relaxed runs as root inside the sandbox with the five capabilities that
	// a package manager needs. Prefer packages at build time.
	Relaxed Profile = "relaxed"
)

// Network names what a sandbox can reach.
type Network string

// The networks every driver knows. Another name is that of a network which the operator made on the engine.
const (
	NetworkNone    Network = "none"    // the default: loopback only
	NetworkDefault Network = "default" // the engine's own default network
)

// Weakening names a protection that Start may do without where the engine
// cannot give it. Without it Start fails with ErrUnsupported.
type Weakening string

// The weakenings.
const (
	WeakenMemory  Weakening = "limits.memory"
	WeakenCPU     Weakening = "limits.cpu"
	WeakenPIDs    Weakening = "limits.pids"
	WeakenSeccomp Weakening = "seccomp"
)

// Limits bounds what a sandbox uses. Zero fields have the defaults below.
type Limits struct {
	Memory    int64   // bytes, swap not allowed beside it; default 512 MiB, at least MinMemory
	CPUs      float64 // processors; default 1
	PIDs      int64   // processes and threads, a few of them the guest's own; default 256, at least MinPIDs
	Tmp       int64   // bytes of /tmp, charged to Memory; default 1/8 of Memory, at most 1/4
	OpenFiles int64   // per process; default 4096
	FileSize  int64   // bytes of one file; default 1 GiB
}

// Bounds and defaults of Limits.
const (
	MinMemory     = 32 << 20
	DefaultMemory = 512 << 20
	DefaultCPUs   = 1
	MinPIDs       = 48
	DefaultPIDs   = 256
	DefaultFiles  = 4096
	DefaultFile   = 1 << 30
	maxCPUs       = 4096
	maxPIDs       = 1 << 22
)

// Spec is what to start. A Runtime is required; all else has defaults.
type Spec struct {
	Runtime *Runtime
	Profile Profile // default Strict
	Network Network // default NetworkNone
	Limits  Limits
	// Allow lists protections that may be missing.
	Allow []Weakening
	// Labels are put on the engine objects of the sandbox, each key under
	// LabelPrefix + ".label.", but not on a Workspace, which outlives it.
	// They can be read by everyone who can reach the engine.
	Labels map[string]string
	// Owner is a stable id of whoever may adopt and collect the sandbox. Like
	// Workspace, it is in a label as it is, and read by who can reach the engine.
	Owner string
	// Workspace names the storage of the work directory, among those of Owner,
	// which must then be set. It is kept when the sandbox is stopped or lost, and
	// the next sandbox with that name finds its files. One sandbox at a time may
	// use it. Empty means storage that ends with the sandbox.
	Workspace string
	// Lease is how long the sandbox outlives the process that holds it: when
	// that has not renewed it for so long, which it does by itself while it
	// lives, the sandbox ends and is removed with nobody's help, after the
	// driver's Info.LeaseGrace. 0 means until Stop; else at least MinLease.
	Lease time.Duration
	// Lazy makes core.Start return at once; the first use, or Sandbox.Start, starts the sandbox.
	Lazy bool
	// Progress is told what Start prepares; see PrepareOptions.
	Progress func(Progress)
}

// MinLease is the shortest lease; a busy machine may not renew a shorter one in time.
const MinLease = 5 * time.Second

// LabelPrefix begins every label of ours; the bare key marks every engine object that Caisson made.
const LabelPrefix = "dev.caisson"

// WithDefaults returns a copy in which every empty field that has a default holds it, the Runtime's included.
func (s *Spec) WithDefaults() *Spec {
	c := *s
	c.Runtime = s.Runtime.WithDefaults()
	if c.Profile == "" {
		c.Profile = Strict
	}
	if c.Network == "" {
		c.Network = NetworkNone
	}
	c.Limits = c.Limits.withDefaults()
	return &c
}

func (l Limits) withDefaults() Limits {
	if l.Memory == 0 {
		l.Memory = DefaultMemory
	}
	if l.CPUs == 0 {
		l.CPUs = DefaultCPUs
	}
	if l.PIDs == 0 {
		l.PIDs = DefaultPIDs
	}
	if l.Tmp == 0 {
		l.Tmp = l.Memory / 8
	}
	if l.OpenFiles == 0 {
		l.OpenFiles = DefaultFiles
	}
	if l.FileSize == 0 {
		l.FileSize = DefaultFile
	}
	return l
}

// Validate returns an ErrInvalid that names the field to change. It makes no engine call.
func (s *Spec) Validate() error {
	if s == nil {
		return invalidf("spec is nil")
	}
	if err := s.Runtime.Validate(); err != nil {
		return err
	}
	switch s.Profile {
	case "", Strict, Standard, Relaxed:
	default:
		return invalidf("spec: Profile %q: use strict, standard or relaxed", s.Profile)
	}
	if s.Network == "host" {
		return invalidf("spec: Network: sandboxes do not share the host's network; use none, default or a network of the engine")
	}
	if s.Network != "" {
		if err := validateName("spec: Network", string(s.Network)); err != nil {
			return err
		}
	}
	for _, w := range s.Allow {
		switch w {
		case WeakenMemory, WeakenCPU, WeakenPIDs, WeakenSeccomp:
		default:
			return invalidf("spec: Allow: %q is not a weakening: use limits.memory, limits.cpu, limits.pids or seccomp", w)
		}
	}
	if s.Lease != 0 && s.Lease < MinLease {
		return invalidf("spec: Lease %v: at least %v, or 0 for none", s.Lease, MinLease)
	}
	if err := s.validateLabels(); err != nil {
		return err
	}
	return s.Limits.validate()
}

func (s *Spec) validateLabels() error {
	for k, v := range s.Labels {
		if err := validateName("spec: Labels: key", k); err != nil {
			return err
		}
		if len(v) > 4096 || strings.IndexByte(v, 0) >= 0 {
			return invalidf("spec: Labels: value of %q: at most 4096 bytes and no NUL", k)
		}
	}
	for field, id := range map[string]string{"Owner": s.Owner, "Workspace": s.Workspace} {
		if len(id) > 1024 || strings.IndexByte(id, 0) >= 0 || !utf8.ValidString(id) {
			return invalidf("spec: %s: at most 1024 bytes of UTF-8 and no NUL", field)
		}
	}
	if s.Workspace != "" && s.Owner == "" {
		return invalidf("spec: Workspace needs an Owner, among whose workspaces it is")
	}
	return nil
}

func (l Limits) validate() error {
	d := l.withDefaults()
	switch {
	case d.Memory < MinMemory:
		return invalidf("limits: Memory %d: at least %d bytes (%d MiB)", l.Memory, MinMemory, MinMemory>>20)
	case !(d.CPUs >= 0.01 && d.CPUs <= maxCPUs):
		return invalidf("limits: CPUs %v: between 0.01 and %d", l.CPUs, maxCPUs)
	case d.PIDs < MinPIDs || d.PIDs > maxPIDs:
		return invalidf("limits: PIDs %d: between %d and %d", l.PIDs, MinPIDs, maxPIDs)
	case d.Tmp < 1<<20 || d.Tmp > d.Memory/4:
		return invalidf("limits: Tmp %d: between 1 MiB and a quarter of Memory, to which it is charged", l.Tmp)
	case d.OpenFiles < 64 || d.OpenFiles > 1<<20:
		return invalidf("limits: OpenFiles %d: between 64 and %d", l.OpenFiles, 1<<20)
	case d.FileSize < 1<<20:
		return invalidf("limits: FileSize %d: at least 1 MiB", l.FileSize)
	}
	return nil
}
