package runtimes

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"strings"

	"github.com/caisson-dev/caisson/core"
)

// Repository begins the name of every image that is built for a runtime. The
// host part keeps engines from looking for it elsewhere.
const Repository = "localhost/caisson/runtime"

// Kind is the value of the bare core.LabelPrefix on images that are built for runtimes.
const Kind = "runtime"

// More labels of such images.
const (
	LabelRuntime = core.LabelPrefix + ".runtime" // the runtime's name
	LabelBase    = core.LabelPrefix + ".base"    // the id of the base image
	LabelDigest  = core.LabelPrefix + ".digest"  // what the tag is made from
	LabelBuild   = core.LabelPrefix + ".build"   // BuildOptions.ID, on intermediate images too
)

// BaseImage is the image that a build starts from, as the engine knows it.
type BaseImage struct {
	// ID is its content id, with or without the algorithm. If it is empty the
	// build file names the image by the runtime's reference, which does for
	// reading it but gives another tag.
	ID string
	// Env is the environment in its configuration, KEY=VALUE.
	Env []string
}

// BuildOptions changes a Build. The zero value and nil are the defaults.
type BuildOptions struct {
	// ID marks all that the build makes on the engine, by LabelBuild, so that
	// whoever runs the build can find what a failed one left. It is not part
	// of the tag and should be random. Empty means no mark.
	ID string
	// Guard is for an engine that goes on with a step although its client has
	// left: each step ends within two seconds once its root file system was
	// removed, and after an hour in any case. So that this can be done, a step's
	// first line of output is GuardLine and the host name, which names its container.
	Guard bool
}

// GuardLine begins the first line of output of a guarded step.
const GuardLine = "caisson: step in "

// Build is what an engine needs to build the image of a runtime. It is not changed by its methods.
type Build struct {
	// Tag is the image's full name. Its tag part is Digest, so an image that
	// is there under this name needs no build.
	Tag string
	// Digest identifies what is installed, where from and on which base image:
	// all that decides the image's content. Equal runtimes have equal digests
	// on any machine.
	Digest string
	// Dockerfile is the build file. It holds no secret.
	Dockerfile string
	// Steps says in a few words what each instruction of the build file does, in order.
	Steps []string
	// Labels are for the image.
	Labels map[string]string
	// Args are build arguments for a proxy. Engines know them without a
	// declaration in the build file and keep them out of the image's history.
	Args map[string]string
	// Network is what the steps can reach.
	Network core.Network

	files   []file
	secrets *strings.Replacer
}

// NewBuild generates the build of rt, which must have a BaseImage. It returns
// ErrInvalid for a runtime that is not valid and ErrUnsupported for a base
// image whose environment cannot be carried over.
func NewBuild(rt *core.Runtime, base BaseImage, opts *BuildOptions) (*Build, error) {
	if err := rt.Validate(); err != nil {
		return nil, err
	}
	if rt.BaseImage == "" {
		return nil, core.Errorf(core.ErrInvalid, "build", "runtime %q is a ready-made image; there is nothing to build", rt.Name)
	}
	if opts == nil {
		opts = new(BuildOptions)
	}
	rt = rt.WithDefaults()
	files, err := sourceFiles(rt)
	if err != nil {
		return nil, err
	}
	f := newBuildFile(rt, base, opts, files)
	if f.err != nil {
		return nil, f.err
	}
	b := &Build{
		Digest: digest(rt, base), Dockerfile: f.text.String(), Steps: f.steps,
		Args: proxyArgs(&rt.Source), Network: rt.Source.Network,
		files: append([]file{{name: "Dockerfile", text: f.text.String()}}, files...), secrets: secretsOf(&rt.Source),
	}
	b.Tag, b.Labels = Repository+":"+b.Digest, map[string]string{core.LabelPrefix: Kind, LabelDigest: b.Digest, LabelBase: base.ID}
	if rt.Name != "" {
		b.Tag, b.Labels[LabelRuntime] = Repository+"/"+rt.Name+":"+b.Digest, rt.Name
	}
	return b, nil
}

// Redact replaces the users and passwords of the runtime's Source in a line of build output.
func (b *Build) Redact(line string) string { return b.secrets.Replace(line) }

// digest covers the build file in its plain form, because how packages were
// reached leaves no mark in the image, and the index that they came from.
func digest(rt *core.Runtime, base BaseImage) string {
	plain := newBuildFile(rt, base, new(BuildOptions), nil)
	sum := sha256.Sum256([]byte(plain.text.String() + "\x00" + Index(rt)))
	return hex.EncodeToString(sum[:16])
}

// proxyArgs returns the build arguments that both spellings of the proxy variables come from.
func proxyArgs(s *core.PackageSource) map[string]string {
	args := map[string]string{}
	for name, value := range map[string]string{"http_proxy": s.Proxy, "https_proxy": s.Proxy, "no_proxy": s.NoProxy} {
		if value != "" && s.Proxy != "" {
			maps.Copy(args, map[string]string{name: value, strings.ToUpper(name): value})
		}
	}
	return args
}
