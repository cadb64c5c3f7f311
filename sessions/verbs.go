package sessions

import (
	"context"

	"github.com/caisson-dev/caisson/core"
)

var (
	_ core.Lister   = (*Session)(nil)
	_ core.Stater   = (*Session)(nil)
	_ core.Remover  = (*Session)(nil)
	_ core.DirMaker = (*Session)(nil)
	_ core.Renamer  = (*Session)(nil)
	_ core.Globber  = (*Session)(nil)
	_ core.Grepper  = (*Session)(nil)
	_ core.Editor   = (*Session)(nil)
	_ core.Informer = (*Session)(nil)
)

// List implements core.Lister.
func (s *Session) List(ctx context.Context, path string) ([]core.FileInfo, error) {
	return verb(s, "list", core.CapList, func(l core.Lister) ([]core.FileInfo, error) { return l.List(ctx, path) })
}

// Stat implements core.Stater.
func (s *Session) Stat(ctx context.Context, path string, follow bool) (*core.FileInfo, error) {
	return verb(s, "stat", core.CapStat, func(st core.Stater) (*core.FileInfo, error) { return st.Stat(ctx, path, follow) })
}

// Remove implements core.Remover.
func (s *Session) Remove(ctx context.Context, path string, recursive bool) error {
	_, err := verb(s, "remove", core.CapRemove, func(r core.Remover) (any, error) { return nil, r.Remove(ctx, path, recursive) })
	return err
}

// Mkdir implements core.DirMaker.
func (s *Session) Mkdir(ctx context.Context, path string) error {
	_, err := verb(s, "mkdir", core.CapMkdir, func(d core.DirMaker) (any, error) { return nil, d.Mkdir(ctx, path) })
	return err
}

// Rename implements core.Renamer.
func (s *Session) Rename(ctx context.Context, from, to string) error {
	_, err := verb(s, "rename", core.CapRename, func(r core.Renamer) (any, error) { return nil, r.Rename(ctx, from, to) })
	return err
}

// Glob implements core.Globber.
func (s *Session) Glob(ctx context.Context, pattern string, search *core.Search) (*core.Paths, error) {
	return verb(s, "glob", core.CapGlob, func(g core.Globber) (*core.Paths, error) { return g.Glob(ctx, pattern, search) })
}

// Grep implements core.Grepper.
func (s *Session) Grep(ctx context.Context, pattern string, search *core.Search) (*core.Matches, error) {
	return verb(s, "grep", core.CapGrep, func(g core.Grepper) (*core.Matches, error) { return g.Grep(ctx, pattern, search) })
}

// Edit implements core.Editor.
func (s *Session) Edit(ctx context.Context, path, old, new string, all bool) (int, error) {
	return verb(s, "edit", core.CapEdit, func(e core.Editor) (int, error) { return e.Edit(ctx, path, old, new, all) })
}

// Info implements core.Informer.
func (s *Session) Info(ctx context.Context) (*core.SandboxInfo, error) {
	return verb(s, "info", core.CapInfo, func(i core.Informer) (*core.SandboxInfo, error) { return i.Info(ctx) })
}

// verb uses an optional interface of the sandbox.
func verb[T, R any](s *Session, op string, c core.Capability, do func(T) (R, error)) (R, error) {
	var result R
	err := s.use(op, func() error {
		t, ok := core.As[T](s.sandbox, c)
		if !ok {
			return &core.Error{Code: core.ErrUnsupported, Op: op, Sandbox: s.sandboxID}
		}
		var err error
		result, err = do(t)
		return err
	})
	return result, err
}
