package sessions

import (
	"log/slog"
	"maps"
	"slices"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/caisson-dev/caisson/core"
)

// Defaults of Options.
const (
	DefaultIdleTimeout     = time.Hour
	DefaultLease           = 2 * time.Minute
	DefaultCleanupInterval = 5 * time.Minute
)

// Values that switch something off.
const (
	NoIdleTimeout time.Duration = -1 // of Options.IdleTimeout and GetOptions.IdleTimeout: never idle
	NoLease       time.Duration = -1 // of Options.Lease: sandboxes live until they are stopped
)

// Options says how a Manager works. Only a DefaultRuntime is required, and not
// even that if every call of GetOrCreate names a Runtime.
type Options struct {
	// DefaultRuntime is the runtime of sessions that ask for none.
	DefaultRuntime *core.Runtime
	// Spec holds what else sandboxes are started with: Profile, Network,
	// Limits, Allow, Labels and Progress. The manager sets its other fields,
	// which must be zero, and the label LabelSession.
	Spec core.Spec
	// Owner is a stable id of the program. With it, sessions outlive the
	// process: the next one with this Owner finds their files, and their
	// sandboxes as long as those live. Empty means that nobody comes after this
	// process, so Shutdown removes the files as well.
	Owner string
	// IdleTimeout is how long a session may go without a call before clean-up
	// ends it; 0 means DefaultIdleTimeout.
	IdleTimeout time.Duration
	// MaxSessions bounds the sessions that are being created, live or are being
	// ended; 0 means no bound. Warm sandboxes of a Pool do not count.
	MaxSessions int
	// Lease is how long sandboxes outlive a manager that died; 0 means DefaultLease.
	Lease time.Duration
	// Ephemeral sessions lose their files whenever their sandboxes end, by an
	// accident too, so none can be hibernated. Without it, only Release removes files.
	Ephemeral bool
	// Pool keeps warm sandboxes for sessions to come; nil means none. It needs
	// a driver that is a core.Linker.
	Pool *PoolOptions
	// WorkspaceRoot is a directory of this host with a copy of the files of
	// each session, in a directory named by DirName; empty means none. See
	// Session.Sync.
	WorkspaceRoot string
	// WorkspaceLimit bounds what of one session is copied to WorkspaceRoot, in
	// bytes; 0 means DefaultWorkspaceLimit.
	WorkspaceLimit int64
	// Hooks are told what becomes of sessions.
	Hooks Hooks
	// Logger gets what happens in the background; nil means nothing is logged.
	Logger *slog.Logger
	// TracerProvider and MeterProvider take spans and metrics; nil means those
	// that the program has set for OpenTelemetry.
	TracerProvider trace.TracerProvider
	MeterProvider  metric.MeterProvider
}

// GetOptions changes what GetOrCreate does. The zero value and nil are the defaults.
type GetOptions struct {
	// Runtime is the one that a new session gets; nil means the manager's
	// DefaultRuntime for a new session, and any for a live one.
	Runtime *core.Runtime
	// IdleTimeout is that of this session from now on; 0 leaves it as it is.
	IdleTimeout time.Duration
	// Progress is told what is prepared if this call is the one that creates the session.
	Progress func(core.Progress)
}

// withDefaults returns a checked copy.
func (o *Options) withDefaults() (*Options, error) {
	c := Options{}
	if o != nil {
		c = *o
	}
	s := &c.Spec
	if s.Runtime != nil || s.Owner != "" || s.Workspace != "" || s.Lease != 0 || s.Lazy {
		return nil, invalidf("options: Spec: leave Runtime, Owner, Workspace, Lease and Lazy to the manager")
	}
	if c.MaxSessions < 0 {
		return nil, invalidf("options: MaxSessions %d is negative", c.MaxSessions)
	}
	if c.IdleTimeout == 0 {
		c.IdleTimeout = DefaultIdleTimeout
	}
	switch {
	case c.Lease == 0:
		c.Lease = DefaultLease
	case c.Lease < 0:
		c.Lease = 0
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.WorkspaceLimit <= 0 {
		c.WorkspaceLimit = DefaultWorkspaceLimit
	}
	if c.DefaultRuntime != nil {
		trial := *s
		trial.Runtime, trial.Owner, trial.Lease = c.DefaultRuntime, c.Owner, c.Lease
		if err := trial.Validate(); err != nil {
			return nil, err
		}
	}
	return &c, nil
}

// sameRuntime reports whether two runtimes are the same environment, whatever they are described as.
func sameRuntime(a, b *core.Runtime) bool {
	if a == b {
		return true
	}
	a, b = a.WithDefaults(), b.WithDefaults()
	return a.Name == b.Name && a.Image == b.Image && a.BaseImage == b.BaseImage &&
		slices.Equal(a.Packages, b.Packages) && a.PackageManager == b.PackageManager &&
		slices.Equal(a.SetupCommands, b.SetupCommands) && a.Source.Index == b.Source.Index &&
		maps.Equal(a.Env, b.Env) && a.WorkDir == b.WorkDir && a.User == b.User
}

func invalidf(format string, args ...any) *core.Error {
	return core.Errorf(core.ErrInvalid, "sessions", format, args...)
}
