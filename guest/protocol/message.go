package protocol

import (
	"time"

	"github.com/caisson-dev/caisson/core"
)

// Version is the protocol's. The two sides are always of one build, so another one is refused.
const Version = 2

// Op is the kind of a call.
type Op byte

// The calls.
const (
	OpExec Op = iota + 1
	OpUpload
	OpRead
	OpList
	OpStat
	OpRemove
	OpMkdir
	OpRename
	OpGlob
	OpGrep
	OpEdit
)

// Config is the host's first message: how the runner is to behave.
type Config struct {
	WorkDir   string   // absolute; empty means the directory that the runner was started in
	Env       []string // KEY=VALUE, the environment of every command
	OpenFiles int64    // limits of every process; 0 leaves the engine's
	FileSize  int64
}

// Facts is the guest's answer: what it found and what the kernel enforces.
type Facts struct {
	Arch         string // in Go's notation
	UID, GID     int
	Groups       []int
	Capabilities uint64 // every set of /proc/self/status joined
	NoNewPrivs   bool
	Seccomp      int   // mode: 0 off, 2 filter
	Memory       int64 // limits of the cgroup; 0 means none or not visible
	Swap         int64 // bytes of memory and swap together, 0 as above
	CPUs         float64
	PIDs         int64
	ReadOnlyRoot bool
	OwnFilter    bool // the filter of system calls has the mark of Caisson's
}

// A filter of system calls answers unshare(FilterMark) with the error number
// FilterAnswer, which no kernel does, and is known by that: not every filter
// that is in force is the one that was asked for. The kernel takes such flags
// for nonsense, so the call changes nothing where there is no filter.
const (
	FilterMark   = 0x9000
	FilterAnswer = 55
)

// maxGroups is the kernel's bound of a process's groups.
const maxGroups = 1 << 16

// Exec asks to run a command.
type Exec struct {
	Args  []string
	Env   []string // beside the Config's
	Dir   string   // empty means the work directory
	Stdin bool     // whether the host sends standard input
}

// Exit is how a command ended.
type Exit struct {
	Reason core.Reason
	Code   int    // core.NoExitCode if there is none
	Signal string // as in "SIGKILL"
	Usage  *core.Usage
	// Unconfirmed reports that the runner could not make sure that all of the command's processes are gone.
	Unconfirmed bool
}

// Upload asks to write a file; its content follows as data.
type Upload struct {
	Path string
	Mode uint32 // 0 means 0644 for a new file, unchanged for one that is there
}

// Read asks for a file's content, sent as data after a Begin.
type Read struct {
	Path                   string
	Offset, Limit, MaxSize int64
}

// Path asks for List, Stat, Remove or Mkdir.
type Path struct {
	Path string
	Flag bool // Stat: follow; Remove: recursive
}

// Rename asks to move a file.
type Rename struct{ From, To string }

// Find asks for Glob or Grep.
type Find struct {
	Pattern string
	Search  core.Search
}

// Most returns how many results are wanted at most.
func (m *Find) Most() int {
	if m.Search.Max <= 0 {
		return core.DefaultMaxResults
	}
	return m.Search.Max
}

// Edit asks to replace text in a file.
type Edit struct {
	Path, Old, New string
	All            bool
}

// encode and decode of each message: the fields in order. A new field goes last and raises Version.

func (m *Config) encode(e *encoder) {
	e.str(m.WorkDir)
	e.strs(m.Env)
	e.int(m.OpenFiles)
	e.int(m.FileSize)
}

func (m *Config) decode(d *decoder) {
	m.WorkDir, m.Env, m.OpenFiles, m.FileSize = d.str(), d.strs(maxOpen), d.int(), d.int()
}

func (m *Facts) encode(e *encoder) {
	e.str(m.Arch)
	e.int(int64(m.UID))
	e.int(int64(m.GID))
	e.int(int64(len(m.Groups)))
	for _, g := range m.Groups {
		e.int(int64(g))
	}
	e.int(int64(m.Capabilities))
	e.bool(m.NoNewPrivs)
	e.int(int64(m.Seccomp))
	e.int(m.Memory)
	e.int(m.Swap)
	e.int(int64(m.CPUs * 1000))
	e.int(m.PIDs)
	e.bool(m.ReadOnlyRoot)
	e.bool(m.OwnFilter)
}

func (m *Facts) decode(d *decoder) {
	m.Arch, m.UID, m.GID = d.str(), int(d.int()), int(d.int())
	for range d.atMost(maxGroups) {
		m.Groups = append(m.Groups, int(d.int()))
	}
	m.Capabilities, m.NoNewPrivs, m.Seccomp = uint64(d.int()), d.bool(), int(d.int())
	m.Memory, m.Swap = d.int(), d.int()
	m.CPUs = float64(d.int()) / 1000
	m.PIDs, m.ReadOnlyRoot, m.OwnFilter = d.int(), d.bool(), d.bool()
}

func (m *Exec) encode(e *encoder) {
	e.strs(m.Args)
	e.strs(m.Env)
	e.str(m.Dir)
	e.bool(m.Stdin)
}

func (m *Exec) decode(d *decoder) {
	m.Args, m.Env, m.Dir, m.Stdin = d.strs(maxOpen), d.strs(maxOpen), d.str(), d.bool()
}

func (m *Exit) encode(e *encoder) {
	e.str(string(m.Reason))
	e.int(int64(m.Code))
	e.str(m.Signal)
	e.bool(m.Unconfirmed)
	e.bool(m.Usage != nil)
	if m.Usage != nil {
		e.int(int64(m.Usage.UserTime))
		e.int(int64(m.Usage.SystemTime))
		e.int(m.Usage.PeakMemory)
	}
}

func (m *Exit) decode(d *decoder) {
	m.Reason, m.Code, m.Signal, m.Unconfirmed = core.Reason(d.str()), int(d.int()), d.str(), d.bool()
	if d.bool() {
		m.Usage = &core.Usage{UserTime: time.Duration(d.int()), SystemTime: time.Duration(d.int()), PeakMemory: d.int()}
	}
}

func (m *Upload) encode(e *encoder) { e.str(m.Path); e.int(int64(m.Mode)) }
func (m *Upload) decode(d *decoder) { m.Path, m.Mode = d.str(), uint32(d.int()) }

func (m *Read) encode(e *encoder) { e.str(m.Path); e.int(m.Offset); e.int(m.Limit); e.int(m.MaxSize) }
func (m *Read) decode(d *decoder) {
	m.Path, m.Offset, m.Limit, m.MaxSize = d.str(), d.int(), d.int(), d.int()
}

func (m *Path) encode(e *encoder) { e.str(m.Path); e.bool(m.Flag) }
func (m *Path) decode(d *decoder) { m.Path, m.Flag = d.str(), d.bool() }

func (m *Rename) encode(e *encoder) { e.str(m.From); e.str(m.To) }
func (m *Rename) decode(d *decoder) { m.From, m.To = d.str(), d.str() }

func (m *Find) encode(e *encoder) {
	e.str(m.Pattern)
	e.str(m.Search.Root)
	e.int(int64(m.Search.Max))
	e.str(m.Search.Include)
	e.bool(m.Search.Literal)
	e.bool(m.Search.Hidden)
}

func (m *Find) decode(d *decoder) {
	m.Pattern = d.str()
	m.Search = core.Search{Root: d.str(), Max: int(d.int()), Include: d.str(), Literal: d.bool(), Hidden: d.bool()}
}

func (m *Edit) encode(e *encoder) { e.str(m.Path); e.str(m.Old); e.str(m.New); e.bool(m.All) }
func (m *Edit) decode(d *decoder) { m.Path, m.Old, m.New, m.All = d.str(), d.str(), d.str(), d.bool() }
