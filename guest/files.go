package guest

import (
	"context"

	"github.com/caisson-dev/caisson/core"
)

// Files has the optional file verbs for any Backend. Those that the Backend
// itself has, as core.As tells, it uses; the others it derives from the four
// methods, with the same code and so the same dialect as everywhere: it uploads
// the helper that is embedded in this program, runs it through Execute as the
// workload user, and speaks with it over the command's input and output. For
// that the sandbox has to be Linux on amd64 or arm64 and must let one of /tmp
// and the work directory hold a program; otherwise a verb returns ErrUnsupported.
//
// The helper is uploaded and started by the first verb that needs it, serves
// all that follow, and is started again if it breaks. A Files may be used by
// many goroutines at once.
type Files struct {
	backend core.Backend
	derived *backend
}

var (
	_ core.Lister   = (*Files)(nil)
	_ core.Stater   = (*Files)(nil)
	_ core.Remover  = (*Files)(nil)
	_ core.DirMaker = (*Files)(nil)
	_ core.Renamer  = (*Files)(nil)
	_ core.Globber  = (*Files)(nil)
	_ core.Grepper  = (*Files)(nil)
	_ core.Editor   = (*Files)(nil)
)

// NewFiles returns the file verbs for b. It does nothing yet. The caller must
// Close the Files if b lives on; one of a Backend that is stopped ends with it.
func NewFiles(b core.Backend) *Files {
	h := &helper{backend: b}
	return &Files{backend: b, derived: newBackend(&Options{
		Open: h.open, Alive: h.alive, Remove: func(context.Context) error { return nil },
	})}
}

// Close ends the helper, if it was started, and every derived verb that is
// under way. Those that are called later return ErrStopped. The Backend is left as it is.
func (f *Files) Close() error { return f.derived.Stop(context.Background()) }

// List implements core.Lister.
func (f *Files) List(ctx context.Context, path string) ([]core.FileInfo, error) {
	v, err := verb[core.Lister](ctx, f, core.CapList)
	if err != nil {
		return nil, err
	}
	return v.List(ctx, path)
}

// Stat implements core.Stater.
func (f *Files) Stat(ctx context.Context, path string, follow bool) (*core.FileInfo, error) {
	v, err := verb[core.Stater](ctx, f, core.CapStat)
	if err != nil {
		return nil, err
	}
	return v.Stat(ctx, path, follow)
}

// Remove implements core.Remover.
func (f *Files) Remove(ctx context.Context, path string, recursive bool) error {
	v, err := verb[core.Remover](ctx, f, core.CapRemove)
	if err != nil {
		return err
	}
	return v.Remove(ctx, path, recursive)
}

// Mkdir implements core.DirMaker.
func (f *Files) Mkdir(ctx context.Context, path string) error {
	v, err := verb[core.DirMaker](ctx, f, core.CapMkdir)
	if err != nil {
		return err
	}
	return v.Mkdir(ctx, path)
}

// Rename implements core.Renamer.
func (f *Files) Rename(ctx context.Context, from, to string) error {
	v, err := verb[core.Renamer](ctx, f, core.CapRename)
	if err != nil {
		return err
	}
	return v.Rename(ctx, from, to)
}

// Glob implements core.Globber.
func (f *Files) Glob(ctx context.Context, pattern string, search *core.Search) (*core.Paths, error) {
	v, err := verb[core.Globber](ctx, f, core.CapGlob)
	if err != nil {
		return nil, err
	}
	return v.Glob(ctx, pattern, search)
}

// Grep implements core.Grepper.
func (f *Files) Grep(ctx context.Context, pattern string, search *core.Search) (*core.Matches, error) {
	v, err := verb[core.Grepper](ctx, f, core.CapGrep)
	if err != nil {
		return nil, err
	}
	return v.Grep(ctx, pattern, search)
}

// Edit implements core.Editor.
func (f *Files) Edit(ctx context.Context, path, old, new string, all bool) (int, error) {
	v, err := verb[core.Editor](ctx, f, core.CapEdit)
	if err != nil {
		return 0, err
	}
	return v.Edit(ctx, path, old, new, all)
}

// verb returns who has a verb: the Backend or what is derived for it.
func verb[T any](ctx context.Context, f *Files, c core.Capability) (T, error) {
	if s, ok := f.backend.(*core.Sandbox); ok { // a lazy one does not know yet what it has
		if err := s.Start(ctx); err != nil {
			var none T
			return none, err
		}
	}
	if v, ok := core.As[T](f.backend, c); ok {
		return v, nil
	}
	return any(f.derived).(T), nil
}
