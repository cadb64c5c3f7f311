package fake

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/drivers/fake/internal/kernel"
	"github.com/caisson-dev/caisson/runtimes"
)

// missing begins the images that never exist.
const missing = "missing/"

// failing is a package that cannot be installed.
const failing = "caisson-fails"

// Prepare "pulls" or "builds" an image; see core.Driver. Setup commands run in
// the shell. A package is written down; if they made a package manager, that
// is run as well.
func (d *Driver) Prepare(ctx context.Context, rt *core.Runtime, opts *core.PrepareOptions) (*core.Prepared, error) {
	if err := rt.Validate(); err != nil {
		return nil, d.errorf(core.ErrInvalid, "prepare", "%w", err)
	}
	if err := d.reach(ctx, "prepare"); err != nil {
		return nil, err
	}
	if opts == nil {
		opts = new(core.PrepareOptions)
	}
	tell := opts.Progress
	if tell == nil {
		tell = func(core.Progress) {}
	}
	rt = rt.WithDefaults()
	if rt.Image != "" {
		p, err := d.pull(rt.Image, tell)
		if err == nil {
			tell(core.Progress{Kind: core.ProgressDone, Text: p.Image})
		}
		return p, err
	}
	return d.build(ctx, rt, rt.NoCache || opts.NoCache, tell)
}

// imageSize is what an image weighs, in bytes.
const imageSize = 1 << 20

func (d *Driver) pull(ref string, tell func(core.Progress)) (*core.Prepared, error) {
	d.mu.Lock()
	p, there := d.images[ref]
	d.mu.Unlock()
	if there {
		return &p, nil
	}
	if strings.HasPrefix(ref, missing) || strings.Contains(ref, "/"+missing) || slices.Contains(d.options.Missing, ref) {
		return nil, d.errorf(core.ErrNotFound, "prepare", "image %q does not exist", ref)
	}
	for n := int64(0); n <= imageSize; n += imageSize / 4 {
		tell(core.Progress{Kind: core.ProgressPull, Text: ref, Current: n, Total: imageSize})
	}
	return d.keep(ref, core.Prepared{Image: ref, ID: digest(ref)}), nil
}

// keep writes down that an image is there.
func (d *Driver) keep(key string, p core.Prepared) *core.Prepared {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.images[key] = p
	return &p
}

func digest(parts ...string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q", parts))
	return "sha256:" + hex.EncodeToString(sum[:])
}

func (d *Driver) build(ctx context.Context, rt *core.Runtime, fresh bool, tell func(core.Progress)) (*core.Prepared, error) {
	id := digest(rt.BaseImage, runtimes.Index(rt), string(rt.PackageManager), rt.WorkDir, rt.User, fmt.Sprintf("%q", rt.SetupCommands), fmt.Sprintf("%q", rt.Packages))
	ref := "caisson-fake:" + id[len("sha256:"):][:12]
	d.mu.Lock()
	p, there := d.images[ref]
	d.mu.Unlock()
	if there && !fresh {
		tell(core.Progress{Kind: core.ProgressDone, Text: p.Image})
		return &p, nil
	}
	if _, err := d.pull(rt.BaseImage, tell); err != nil {
		return nil, err
	}
	total := int64(1 + len(rt.SetupCommands) + len(rt.Packages))
	step := int64(0)
	next := func(text string) {
		step++
		tell(core.Progress{Kind: core.ProgressStep, Text: text, Current: step, Total: total})
	}
	next("FROM " + rt.BaseImage)
	trial := newSandbox(d.engine, (&core.Spec{Runtime: rt}).WithDefaults(), &core.Prepared{}, nil)
	defer trial.discard()
	for _, command := range rt.SetupCommands {
		next("RUN " + command)
		if err := trial.runSetup(ctx, command, tell); err != nil {
			return nil, d.inStep(err, step, total, "RUN "+command)
		}
	}
	for _, name := range rt.Packages {
		next(fmt.Sprintf("%s install %s", rt.PackageManager, name))
		if name == failing || strings.HasPrefix(name, failing+"=") || strings.HasPrefix(name, failing+"@") {
			return nil, d.inStep(&runtimes.BuildError{Reason: fmt.Sprintf("no package %q", name)}, step, total, fmt.Sprintf("%s install %s", rt.PackageManager, name))
		}
		tell(core.Progress{Kind: core.ProgressLog, Text: "installed " + name})
	}
	if err := trial.installPackages(ctx, tell); err != nil {
		return nil, d.inStep(err, step, total, string(rt.PackageManager)+" install")
	}
	tell(core.Progress{Kind: core.ProgressDone, Text: ref})
	d.keep(ref, core.Prepared{Image: ref, ID: id})
	return &core.Prepared{Image: ref, ID: id, Built: true}, nil
}

// inStep makes a step's failure one of the build. An error of another kind stays as it is.
func (d *engine) inStep(err error, step, steps int64, title string) error {
	failed, ok := errors.AsType[*runtimes.BuildError](err)
	if !ok {
		return err
	}
	failed.Step, failed.Steps, failed.Title = int(step), int(steps), title
	return d.errorf(core.ErrBuild, "prepare", "%w", failed)
}

// setup does once more what made the image, in a sandbox that starts from it.
func (s *sandbox) setup(ctx context.Context) error {
	silent, commands := func(core.Progress) {}, s.spec.Runtime.SetupCommands
	steps := int64(len(commands) + 1)
	for i, command := range commands {
		if err := s.runSetup(ctx, command, silent); err != nil {
			return s.driver.inStep(err, int64(i+1), steps, "RUN "+command)
		}
	}
	return s.driver.inStep(s.installPackages(ctx, silent), steps, steps, string(s.spec.Runtime.PackageManager)+" install")
}

// installPackages runs the runtime's package manager, if the image has it.
func (s *sandbox) installPackages(ctx context.Context, tell func(core.Progress)) error {
	rt := s.spec.Runtime
	if len(rt.Packages) == 0 {
		return nil
	}
	manager := map[core.PackageManager]string{core.Apt: "apt-get"}[rt.PackageManager]
	if manager == "" {
		manager = string(rt.PackageManager)
	}
	return s.runSetup(ctx, "! command -v "+manager+" >/dev/null || "+manager+` install -- "$@"`, tell, rt.Packages...)
}

// runSetup runs a command as root, with arguments. If it fails, that is a [*runtimes.BuildError].
func (s *sandbox) runSetup(ctx context.Context, command string, tell func(core.Progress), args ...string) error {
	image, err := s.kernel.Load(kernel.Root, "/bin/sh", "/bin/sh", append([]string{"sh", "-c", command, "sh"}, args...))
	if err != nil {
		return &runtimes.BuildError{Reason: err.Error()}
	}
	var log buildLog
	job, err := s.kernel.Start(&kernel.Command{
		Image: image, Env: []string{"PATH=" + kernel.DefaultPath, "HOME=/root"}, Dir: "/", User: kernel.Root, Stdout: &log, Stderr: &log,
	})
	if err != nil {
		return &runtimes.BuildError{Reason: err.Error()}
	}
	stop := context.AfterFunc(ctx, func() { job.Kill(killPatience) })
	end := job.Wait()
	stop()
	if ctx.Err() != nil {
		return core.Complete(core.Ended(ctx), core.Error{Op: "prepare", Driver: scheme})
	}
	for line := range strings.Lines(log.String()) {
		tell(core.Progress{Kind: core.ProgressLog, Text: strings.TrimSuffix(line, "\n")})
	}
	if end.Shell() != 0 {
		text := log.String()
		return &runtimes.BuildError{ExitCode: end.Shell(), Log: text[max(0, len(text)-runtimes.MaxLog):]}
	}
	return nil
}

// buildLog takes both outputs of a setup command.
type buildLog struct {
	mu sync.Mutex
	bytes.Buffer
}

func (l *buildLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Buffer.Write(b)
}
