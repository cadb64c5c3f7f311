package protocol

import (
	"errors"
	"io/fs"
	"time"

	"github.com/caisson-dev/caisson/core"
)

// maxEntries bounds the files, paths or matches of one answer. In memory they take
// far more than the bytes that a hostile guest needs to claim them.
const maxEntries = 1 << 18

// Answers of the file verbs.
type (
	// Files answers List, and Stat with one element.
	Files struct{ Files []core.FileInfo }
	// Paths answers Glob.
	Paths struct{ core.Paths }
	// Matches answers Grep.
	Matches struct{ core.Matches }
	// Count answers Edit.
	Count struct{ N int }
	// Empty answers everything else.
	Empty struct{}
)

func (m *Files) encode(e *encoder) {
	e.int(int64(len(m.Files)))
	for i := range m.Files {
		f := &m.Files[i]
		e.str(f.Path)
		e.int(f.Size)
		e.int(int64(f.Mode))
		e.int(f.ModTime.UnixNano())
		e.int(int64(f.UID))
		e.int(int64(f.GID))
		e.str(f.Link)
	}
}

func (m *Files) decode(d *decoder) {
	for range d.atMost(maxEntries) {
		m.Files = append(m.Files, core.FileInfo{
			Path: d.str(), Size: d.int(), Mode: fs.FileMode(d.int()), ModTime: time.Unix(0, d.int()),
			UID: int(d.int()), GID: int(d.int()), Link: d.str(),
		})
	}
}

func (m *Paths) encode(e *encoder) {
	e.strs(m.Paths.Paths)
	e.bool(m.Truncated)
	e.int(int64(m.Skipped))
}
func (m *Paths) decode(d *decoder) {
	m.Paths.Paths, m.Truncated, m.Skipped = d.strs(maxEntries), d.bool(), int(d.int())
}

func (m *Matches) encode(e *encoder) {
	e.int(int64(len(m.Matches.Matches)))
	for _, x := range m.Matches.Matches {
		e.str(x.Path)
		e.int(int64(x.Line))
		e.str(x.Text)
	}
	e.bool(m.Truncated)
	e.int(int64(m.Skipped))
}

func (m *Matches) decode(d *decoder) {
	for range d.atMost(maxEntries) {
		m.Matches.Matches = append(m.Matches.Matches, core.Match{Path: d.str(), Line: int(d.int()), Text: d.str()})
	}
	m.Truncated, m.Skipped = d.bool(), int(d.int())
}

func (m *Count) encode(e *encoder) { e.int(int64(m.N)) }
func (m *Count) decode(d *decoder) { m.N = int(d.int()) }

func (*Empty) encode(*encoder) {}
func (*Empty) decode(*decoder) {}

// Failure is an error on its way: its code, its text and its path.
type failure struct{ code, text, path string }

func (m *failure) encode(e *encoder) { e.str(m.code); e.str(m.text); e.str(m.path) }
func (m *failure) decode(d *decoder) { m.code, m.text, m.path = d.str(), d.str(), d.str() }

const maxErrorText = 4 << 10

func failureOf(err error) *failure {
	f := &failure{code: string(core.CodeOf(err)), text: err.Error()}
	if e, ok := errors.AsType[*core.Error](err); ok {
		f.path, f.text = e.Path, ""
		if e.Err != nil {
			f.text = e.Err.Error()
		}
	}
	f.text = cut(f.text)
	return f
}

func cut(text string) string { return text[:min(len(text), maxErrorText)] }

// sayable reports whether a guest can have seen what the code says. What
// became of the sandbox and of its engine is the host's own to find out.
func sayable(code core.Code) bool {
	switch code {
	case core.ErrStopped, core.ErrLost, core.ErrUnavailable, core.ErrIndeterminate, core.ErrTimeout, core.ErrPluginExited, core.ErrBuild:
		return false
	default:
		return true
	}
}

func (m *failure) error() error {
	e := &core.Error{Code: core.Code(m.code), Path: m.path}
	if !sayable(e.Code) {
		return core.Errorf(core.ErrProtocol, "", "the guest says %q, which is not for it to say", cut(m.code))
	}
	if m.text != "" && m.text != m.code {
		e.Err = errors.New(m.text)
	}
	return e
}
