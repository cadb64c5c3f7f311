package conformance

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/caisson-dev/caisson/core"
)

// What errors say, and what they must not say.
func errorCases() []Case {
	return []Case{
		{ID: "errors/form", Title: "an error is one short line with its code, its operation, the driver, the sandbox and the path", Level: Core, Run: errorForm},
		{ID: "errors/driver-form", Title: "the errors of a driver's backend have their code without the sandbox's help", Level: Core, Run: func(e *Env) {
			b := e.Sandbox().Unwrap()
			dir := e.Dir(e.Sandbox())
			_, err := b.Read(e.Context(), dir+"/missing", new(core.ReadOptions))
			wantCode(e, "read", err, core.ErrNotFound)
			wantCode(e, "upload", b.Upload(e.Context(), dir, strings.NewReader("x"), new(core.UploadOptions)), core.ErrIsDirectory)
			ctx, cancel := context.WithCancel(e.Context())
			cancel()
			_, err = b.Execute(ctx, core.Shell("true"))
			wantError(e, "execute with a context that has ended", err, context.Canceled)
		}},
		{ID: "errors/no-secrets", Title: "no error holds a value of the environment, an input or the content of a file", Level: Core, Run: noSecrets},
		{ID: "errors/no-result", Title: "an error that says that nothing ran comes without a result", Level: Core, Run: func(e *Env) {
			res, err := e.Sandbox().Execute(e.Context(), &core.Command{Shell: "true", Dir: "/no/such/" + e.Marker})
			wantCode(e, "execute in a missing directory", err, core.ErrInvalid)
			want(e, "no result", res == nil, true)
		}},
		{ID: "errors/invalid-spec", Title: "a specification that cannot be started anywhere is ErrInvalid without a call of the driver", Level: Core, Run: invalidSpecs},
		{ID: "errors/image-missing", Title: "an image that does not exist is ErrNotFound or ErrUnavailable, for Prepare and for Start", Level: Extended, Requires: core.CapImages, Run: func(e *Env) {
			spec := e.Spec()
			spec.Runtime = &core.Runtime{Image: e.missingImage()}
			e.within(20*time.Second, "an image that does not exist", func() {
				_, err := e.Driver().Prepare(e.Context(), spec.Runtime.WithDefaults(), new(core.PrepareOptions))
				wantCode(e, "prepare", err, core.ErrNotFound, core.ErrUnavailable)
				sb, err := e.run.start(e.Context(), e.Driver(), spec)
				wantCode(e, "start", err, core.ErrNotFound, core.ErrUnavailable)
				if err == nil {
					_ = sb.Stop(e.Context())
				}
			})
		}},
		{ID: "errors/network-missing", Title: "a network that does not exist makes Start fail, with a code", Level: Extended, Requires: core.CapNetwork, Run: func(e *Env) {
			spec := e.Spec()
			spec.Network = core.Network("missing-" + e.Marker)
			sb, err := e.run.start(e.Context(), e.Driver(), spec)
			wantCode(e, "start", err, core.ErrNotFound, core.ErrInvalid, core.ErrUnsupported)
			if err == nil {
				_ = sb.Stop(e.Context())
			}
		}},
	}
}

func errorForm(e *Env) {
	sb := e.Own()
	dir := e.Dir(sb)
	execute := func(b core.Backend) error {
		_, err := b.Execute(e.Context(), &core.Command{Shell: "true", Dir: "/no/such/" + e.Marker})
		return err
	}
	place{Op: "execute", inside: true}.want(e, execute(sb))
	place{Op: "upload", Path: dir, inside: true}.want(e, sb.Upload(e.Context(), dir, strings.NewReader("x"), nil))
	_, err := sb.Read(e.Context(), dir+"/missing", nil)
	place{Op: "read", Path: dir + "/missing", inside: true}.want(e, err)
	ctx, cancel := context.WithCancel(e.Context())
	defer cancel()
	_, err = core.Start(ctx, &interrupted{Driver: e.Driver(), cancel: cancel}, e.Spec())
	place{Op: "start"}.want(e, err)
	_, err = e.Driver().Prepare(e.Context(), new(core.Runtime), new(core.PrepareOptions))
	place{Op: "prepare"}.want(e, err)
	b := sb.Unwrap()
	want(e, "stop", sb.Stop(e.Context()), nil)
	place{Op: "execute", inside: true}.want(e, execute(b))
}

// place is where an error comes from.
type place struct {
	Op, Path string
	inside   bool // of a sandbox
}

// want reports an error that does not say where it comes from, or more than a line.
func (p place) want(e *Env, err error) {
	e.Helper()
	own, ok := errors.AsType[*core.Error](err)
	if !ok {
		e.Errorf("%s: expected a *core.Error, got %T", p.Op, err)
		return
	}
	want(e, p.Op+": Op", own.Op, p.Op)
	want(e, p.Op+": Driver", own.Driver, e.run.info.Driver)
	want(e, p.Op+": Sandbox is set", own.Sandbox != "" || !p.inside, true)
	want(e, p.Op+": Code", own.Code != "" && own.Code != core.ErrInternal, true)
	if p.Path != "" {
		want(e, p.Op+": Path ends with what was asked for", strings.HasSuffix(own.Path, p.Path), true)
	}
	want(e, fmt.Sprintf("%s: one line of at most 1000 bytes, got %.1200q", p.Op, err.Error()), !strings.Contains(err.Error(), "\n") && len(err.Error()) <= 1000, true)
}

func noSecrets(e *Env) {
	sb := e.Sandbox()
	dir := e.Dir(sb)
	secret := "secret-" + e.Marker
	env := map[string]string{"TOKEN": secret}
	e.upload(sb, dir+"/file", []byte(secret))
	var errs []error
	add := func(err error) { errs = append(errs, err) }
	_, err := sb.Execute(e.Context(), &core.Command{Shell: "true", Env: env, Dir: "/no/such/dir"})
	add(err)
	_, err = sb.Execute(e.Context(), &core.Command{Shell: "true", Env: map[string]string{"TOKEN": secret + "\x00"}})
	add(err)
	_, err = sb.Execute(e.Context(), &core.Command{Shell: "echo " + secret + "; cat", Env: env, Stdin: strings.NewReader(secret), Stdout: failing{errSource}})
	add(err)
	add(sb.Upload(e.Context(), dir, strings.NewReader(secret), nil))
	add(sb.Upload(e.Context(), dir+"/file", &half{strings.NewReader(secret)}, nil))
	_, err = sb.Read(e.Context(), dir+"/file", &core.ReadOptions{MaxSize: 1})
	add(err)
	if ed, ok := core.As[core.Editor](sb, core.CapEdit); ok {
		_, err = ed.Edit(e.Context(), dir+"/file", secret+secret, "x", false)
		add(err)
	}
	spec := e.Spec()
	spec.Runtime.Env = map[string]string{"TOKEN": secret + "\x00"}
	_, err = e.run.start(e.Context(), e.Driver(), spec)
	add(err)
	for i, err := range errs {
		if err == nil {
			e.Errorf("call %d: expected an error", i)
		} else if strings.Contains(err.Error(), secret) {
			e.Errorf("call %d: expected an error without the secret, got %q", i, err)
		}
	}
}

// half is a source that breaks at its end.
type half struct{ src *strings.Reader }

func (h *half) Read(p []byte) (int, error) {
	if h.src.Len() == 0 {
		return 0, errSource
	}
	return h.src.Read(p)
}

func invalidSpecs(e *Env) {
	d := &counting{Driver: e.Driver()}
	for name, change := range map[string]func(*core.Spec){
		"no runtime":            func(s *core.Spec) { s.Runtime = nil },
		"no image":              func(s *core.Spec) { s.Runtime = &core.Runtime{} },
		"two images":            func(s *core.Spec) { s.Runtime = &core.Runtime{Image: "a", BaseImage: "b"} },
		"an image with a space": func(s *core.Spec) { s.Runtime = &core.Runtime{Image: "a b"} },
		"packages for an image": func(s *core.Spec) { s.Runtime = &core.Runtime{Image: "a", Packages: []string{"x"}} },
		"a package that is an option": func(s *core.Spec) {
			s.Runtime = &core.Runtime{BaseImage: "a", Packages: []string{"--index-url=http://x"}}
		},
		"a bad variable":          func(s *core.Spec) { s.Runtime.Env = map[string]string{"A-B": "x"} },
		"a relative directory":    func(s *core.Spec) { s.Runtime.WorkDir = "work" },
		"a directory in /proc":    func(s *core.Spec) { s.Runtime.WorkDir = "/proc/self" },
		"root":                    func(s *core.Spec) { s.Runtime.User = "0:0" },
		"a user by name":          func(s *core.Spec) { s.Runtime.User = "nobody" },
		"an unknown profile":      func(s *core.Spec) { s.Profile = "lax" },
		"a network with a space":  func(s *core.Spec) { s.Network = "a b" },
		"an unknown weakening":    func(s *core.Spec) { s.Allow = append(s.Allow, "everything") },
		"a negative lease":        func(s *core.Spec) { s.Lease = -1 },
		"a bad label":             func(s *core.Spec) { s.Labels = map[string]string{"a b": "x"} },
		"a byte of memory":        func(s *core.Spec) { s.Limits.Memory = 1 },
		"negative memory":         func(s *core.Spec) { s.Limits.Memory = -1 },
		"negative CPUs":           func(s *core.Spec) { s.Limits.CPUs = -1 },
		"a million CPUs":          func(s *core.Spec) { s.Limits.CPUs = 1e6 },
		"negative processes":      func(s *core.Spec) { s.Limits.PIDs = -1 },
		"one process":             func(s *core.Spec) { s.Limits.PIDs = 1 },
		"a /tmp as large as RAM":  func(s *core.Spec) { s.Limits.Memory, s.Limits.Tmp = 64<<20, 64<<20 },
		"negative open files":     func(s *core.Spec) { s.Limits.OpenFiles = -1 },
		"a file size of one byte": func(s *core.Spec) { s.Limits.FileSize = 1 },
	} {
		spec := e.Spec()
		change(spec)
		sb, err := e.run.start(e.Context(), d, spec)
		wantCode(e, "start with "+name, err, core.ErrInvalid)
		if err == nil {
			_ = sb.Stop(e.Context())
		}
	}
	want(e, "calls of the driver", d.calls(), 0)
}
