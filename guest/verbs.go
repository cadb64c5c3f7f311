package guest

import (
	"context"
	"io"
	"slices"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/guest/protocol"
)

// Bounds of the answer of a verb, in bytes.
const (
	maxAnswer   = 9 << 20 // a runner of ours keeps below it
	largeAnswer = 1 << 20 // one that gets larger has room for all at once: growing would leave several times that to the collector
)

var (
	_ core.Lister   = (*backend)(nil)
	_ core.Stater   = (*backend)(nil)
	_ core.Remover  = (*backend)(nil)
	_ core.DirMaker = (*backend)(nil)
	_ core.Renamer  = (*backend)(nil)
	_ core.Globber  = (*backend)(nil)
	_ core.Grepper  = (*backend)(nil)
	_ core.Editor   = (*backend)(nil)
)

// List implements core.Lister.
func (b *backend) List(ctx context.Context, path string) ([]core.FileInfo, error) {
	var files protocol.Files
	err := b.ask(ctx, "list", path, protocol.OpList, &protocol.Path{Path: path}, &files)
	return files.Files, err
}

// Stat implements core.Stater.
func (b *backend) Stat(ctx context.Context, path string, follow bool) (*core.FileInfo, error) {
	var files protocol.Files
	err := b.ask(ctx, "stat", path, protocol.OpStat, &protocol.Path{Path: path, Flag: follow}, &files)
	if err != nil {
		return nil, err
	}
	if len(files.Files) != 1 {
		return nil, b.fail("stat", path, core.Errorf(core.ErrProtocol, "", "an answer of %d files", len(files.Files)))
	}
	return &files.Files[0], nil
}

// Remove implements core.Remover.
func (b *backend) Remove(ctx context.Context, path string, recursive bool) error {
	return b.ask(ctx, "remove", path, protocol.OpRemove, &protocol.Path{Path: path, Flag: recursive}, nil)
}

// Mkdir implements core.DirMaker.
func (b *backend) Mkdir(ctx context.Context, path string) error {
	return b.ask(ctx, "mkdir", path, protocol.OpMkdir, &protocol.Path{Path: path}, nil)
}

// Rename implements core.Renamer.
func (b *backend) Rename(ctx context.Context, from, to string) error {
	return b.ask(ctx, "rename", from, protocol.OpRename, &protocol.Rename{From: from, To: to}, nil)
}

// Glob implements core.Globber.
func (b *backend) Glob(ctx context.Context, pattern string, search *core.Search) (*core.Paths, error) {
	m, paths := find(pattern, search), protocol.Paths{}
	if err := b.ask(ctx, "glob", "", protocol.OpGlob, m, &paths); err != nil {
		return nil, err
	}
	if n := len(paths.Paths.Paths); n > m.Most() {
		return nil, b.fail("glob", "", core.Errorf(core.ErrProtocol, "", "an answer of %d paths", n))
	}
	return &paths.Paths, nil
}

// Grep implements core.Grepper.
func (b *backend) Grep(ctx context.Context, pattern string, search *core.Search) (*core.Matches, error) {
	m, matches := find(pattern, search), protocol.Matches{}
	if err := b.ask(ctx, "grep", "", protocol.OpGrep, m, &matches); err != nil {
		return nil, err
	}
	if n := len(matches.Matches.Matches); n > m.Most() {
		return nil, b.fail("grep", "", core.Errorf(core.ErrProtocol, "", "an answer of %d matches", n))
	}
	return &matches.Matches, nil
}

// Edit implements core.Editor.
func (b *backend) Edit(ctx context.Context, path, old, new string, all bool) (int, error) {
	var count protocol.Count
	err := b.ask(ctx, "edit", path, protocol.OpEdit, &protocol.Edit{Path: path, Old: old, New: new, All: all}, &count)
	return count.N, err
}

func find(pattern string, search *core.Search) *protocol.Find {
	m := &protocol.Find{Pattern: pattern}
	if search != nil {
		m.Search = *search
	}
	return m
}

// ask makes a call and reads its answer, which comes as content, into answer unless that is nil.
func (b *backend) ask(ctx context.Context, op, path string, code protocol.Op, m, answer protocol.Message) error {
	l, call, _, err := b.call(ctx, code, m, nil)
	if err != nil {
		return b.fail(op, path, err)
	}
	defer call.Forget()
	whole := context.AfterFunc(ctx, call.Break)
	content, err := gather(call)
	switch {
	case !whole(): // the call's end may have come, but not all before it
		b.cancel(call)
		err = core.Ended(ctx)
	case err == nil || l.Err() != nil:
		err = b.await(ctx, l, call, &protocol.Empty{})
	}
	if err == nil && answer != nil {
		err = protocol.Unmarshal(content, answer)
	}
	return b.failed(op, path, err)
}

// gather reads all content of a call.
func gather(call *protocol.Call) ([]byte, error) {
	var all []byte
	for {
		d, err := call.Receive()
		switch {
		case err == io.EOF: //nolint:errorlint // Receive does not wrap it
			return all, nil
		case err != nil:
			return nil, err
		case len(all)+len(d.Bytes) > maxAnswer:
			return nil, core.Errorf(core.ErrProtocol, "", "an answer of more than %d bytes", maxAnswer)
		}
		if len(all)+len(d.Bytes) > largeAnswer && cap(all) < maxAnswer {
			all = slices.Grow(all, maxAnswer-len(all))
		}
		all = append(all, d.Bytes...)
		d.Release()
	}
}
