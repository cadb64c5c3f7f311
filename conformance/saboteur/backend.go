package saboteur

import (
	"context"
	"io"

	"github.com/caisson-dev/caisson/core"
)

// backend is a backend with some wrong methods.
type backend struct {
	good
	m *methods
}

func (b *backend) Execute(ctx context.Context, cmd *core.Command) (*core.Result, error) {
	if b.m.execute != nil {
		return b.m.execute(ctx, b.good, cmd)
	}
	return b.good.Execute(ctx, cmd)
}

func (b *backend) Upload(ctx context.Context, path string, src io.Reader, opts *core.UploadOptions) error {
	if b.m.upload != nil {
		return b.m.upload(ctx, b.good, path, src, opts)
	}
	return b.good.Upload(ctx, path, src, opts)
}

func (b *backend) Read(ctx context.Context, path string, opts *core.ReadOptions) (io.ReadCloser, error) {
	if b.m.read != nil {
		return b.m.read(ctx, b.good, path, opts)
	}
	return b.good.Read(ctx, path, opts)
}

func (b *backend) Stop(ctx context.Context) error {
	if b.m.stop != nil {
		return b.m.stop(ctx, b.good)
	}
	return b.good.Stop(ctx)
}

func (b *backend) List(ctx context.Context, path string) ([]core.FileInfo, error) {
	if b.m.list != nil {
		return b.m.list(ctx, b.good, path)
	}
	return b.good.List(ctx, path)
}

func (b *backend) Stat(ctx context.Context, path string, follow bool) (*core.FileInfo, error) {
	if b.m.stat != nil {
		return b.m.stat(ctx, b.good, path, follow)
	}
	return b.good.Stat(ctx, path, follow)
}

func (b *backend) Remove(ctx context.Context, path string, recursive bool) error {
	if b.m.remove != nil {
		return b.m.remove(ctx, b.good, path, recursive)
	}
	return b.good.Remove(ctx, path, recursive)
}

func (b *backend) Mkdir(ctx context.Context, path string) error {
	if b.m.mkdir != nil {
		return b.m.mkdir(ctx, b.good, path)
	}
	return b.good.Mkdir(ctx, path)
}

func (b *backend) Rename(ctx context.Context, from, to string) error {
	if b.m.rename != nil {
		return b.m.rename(ctx, b.good, from, to)
	}
	return b.good.Rename(ctx, from, to)
}

func (b *backend) Glob(ctx context.Context, pattern string, s *core.Search) (*core.Paths, error) {
	if b.m.glob != nil {
		return b.m.glob(ctx, b.good, pattern, searchOf(s))
	}
	return b.good.Glob(ctx, pattern, s)
}

func (b *backend) Grep(ctx context.Context, pattern string, s *core.Search) (*core.Matches, error) {
	if b.m.grep != nil {
		return b.m.grep(ctx, b.good, pattern, searchOf(s))
	}
	return b.good.Grep(ctx, pattern, s)
}

func (b *backend) Edit(ctx context.Context, path, old, new string, all bool) (int, error) {
	if b.m.edit != nil {
		return b.m.edit(ctx, b.good, path, old, new, all)
	}
	return b.good.Edit(ctx, path, old, new, all)
}

func (b *backend) Info(ctx context.Context) (*core.SandboxInfo, error) {
	if b.m.inspect != nil {
		return b.m.inspect(ctx, b.good)
	}
	return b.good.Info(ctx)
}

func searchOf(s *core.Search) core.Search {
	if s == nil {
		return core.Search{}
	}
	return *s
}
