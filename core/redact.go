package core

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"
)

// What holds secrets is printed without them, whichever way a program prints it:
// String and GoString are for fmt, LogValue is for slog, MarshalJSON for all
// that writes JSON. They are methods of the values, since fmt does not look for
// those of pointers in a value. All of them show which variables there are, and
// none what they hold; so what they write cannot be read back.

// String describes the runtime in a line, with the names of its variables.
func (r Runtime) String() string {
	source := r.Image
	if source == "" {
		source = r.BaseImage
	}
	text := fmt.Sprintf("runtime %q from %s with %d packages", r.Name, source, len(r.Packages))
	if s := r.ownSource().String(); s != "" {
		text += " by " + s
	}
	return text + withEnv(r.Env)
}

// GoString is String, so that %#v shows no secret either.
func (r Runtime) GoString() string { return r.String() }

// LogValue is String, so that no log shows a secret.
func (r Runtime) LogValue() slog.Value { return slog.StringValue(r.String()) }

// MarshalJSON writes the runtime with the keys of a runtime file, env being the
// list of its variables' names.
func (r Runtime) MarshalJSON() ([]byte, error) {
	shown := shownRuntime{
		Name: r.Name, Description: r.Description, Image: r.Image, BaseImage: r.BaseImage, Packages: r.Packages,
		SetupCommands: r.SetupCommands, Env: names(r.Env), WorkDir: r.WorkDir, User: r.User, NoCache: r.NoCache,
	}
	if len(r.Packages) > 0 {
		shown.PackageManager = r.WithDefaults().PackageManager
	}
	if source := r.ownSource(); source.String() != "" {
		shown.Source = &source
	}
	return json.Marshal(shown)
}

// ownSource returns the source without what every runtime has.
func (r Runtime) ownSource() PackageSource {
	if r.Source.Network == NetworkDefault {
		r.Source.Network = ""
	}
	return r.Source
}

type shownRuntime struct {
	Name           string         `json:"name"`
	Description    string         `json:"description"`
	Image          string         `json:"image,omitempty"`
	BaseImage      string         `json:"base_image,omitempty"`
	PackageManager PackageManager `json:"package_manager,omitempty"`
	Packages       []string       `json:"packages,omitempty"`
	SetupCommands  []string       `json:"setup_commands,omitempty"`
	Source         *PackageSource `json:"source,omitempty"`
	Env            []string       `json:"env,omitempty"`
	WorkDir        string         `json:"work_dir,omitempty"`
	User           string         `json:"user,omitempty"`
	NoCache        bool           `json:"no_cache,omitempty"`
}

// String describes the source without users, passwords and certificates.
func (s PackageSource) String() string {
	var parts []string
	for _, p := range []struct{ name, value string }{
		{"index ", redactURL(s.Index)}, {"proxy ", redactURL(s.Proxy)}, {"network ", string(s.Network)},
	} {
		if p.value != "" {
			parts = append(parts, p.name+p.value)
		}
	}
	if len(s.CA) > 0 {
		parts = append(parts, "own CA")
	}
	return strings.Join(parts, ", ")
}

// GoString is String, so that %#v shows no secret either.
func (s PackageSource) GoString() string { return s.String() }

// LogValue is String, so that no log shows a secret.
func (s PackageSource) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalJSON writes the source without users and passwords; of the certificates, whether there are any.
func (s PackageSource) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Index   string  `json:"index,omitempty"`
		CA      bool    `json:"ca,omitempty"`
		Proxy   string  `json:"proxy,omitempty"`
		NoProxy string  `json:"no_proxy,omitempty"`
		Network Network `json:"network,omitempty"`
	}{redactURL(s.Index), len(s.CA) > 0, redactURL(s.Proxy), s.NoProxy, s.Network})
}

// String describes the specification in a line, with the names of the runtime's variables.
func (s Spec) String() string {
	text := "sandbox without a runtime"
	if s.Runtime != nil {
		text = "sandbox of " + s.Runtime.String()
	}
	for _, p := range []struct{ name, value string }{
		{"profile", string(s.Profile)}, {"network", string(s.Network)}, {"owner", s.Owner}, {"workspace", s.Workspace},
	} {
		if p.value != "" {
			text += fmt.Sprintf(", %s %q", p.name, p.value)
		}
	}
	return text
}

// GoString is String, so that %#v shows no secret either.
func (s Spec) GoString() string { return s.String() }

// LogValue is String, so that no log shows a secret.
func (s Spec) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalJSON writes the specification with that of its runtime which may be shown.
func (s Spec) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Runtime   *Runtime          `json:"runtime"`
		Profile   Profile           `json:"profile,omitempty"`
		Network   Network           `json:"network,omitempty"`
		Limits    shownLimits       `json:"limits,omitzero"`
		Allow     []Weakening       `json:"allow,omitempty"`
		Labels    map[string]string `json:"labels,omitempty"`
		Owner     string            `json:"owner,omitempty"`
		Workspace string            `json:"workspace,omitempty"`
		Lease     string            `json:"lease,omitempty"`
		Lazy      bool              `json:"lazy,omitempty"`
	}{s.Runtime, s.Profile, s.Network, shownLimits(s.Limits), s.Allow, s.Labels, s.Owner, s.Workspace, duration(s.Lease), s.Lazy})
}

type shownLimits struct {
	Memory    int64   `json:"memory,omitempty"`
	CPUs      float64 `json:"cpus,omitempty"`
	PIDs      int64   `json:"pids,omitempty"`
	Tmp       int64   `json:"tmp,omitempty"`
	OpenFiles int64   `json:"open_files,omitempty"`
	FileSize  int64   `json:"file_size,omitempty"`
}

// maxShown is how much of a command is shown in a line, in bytes.
const maxShown = 256

// String describes the command in a line, which leaves out the end of a long
// one, with the names of its variables. Of Stdin it shows nothing.
func (c Command) String() string {
	line := fmt.Sprintf("shell %q", clip(c.Shell))
	if len(c.Args) > 0 {
		line = clip(fmt.Sprintf("program %q", c.Args))
	}
	if c.Dir != "" {
		line += " in " + c.Dir
	}
	return line + withEnv(c.Env)
}

// GoString is String, so that %#v shows no secret either.
func (c Command) GoString() string { return c.String() }

// LogValue is String, so that no log shows a secret.
func (c Command) LogValue() slog.Value { return slog.StringValue(c.String()) }

// MarshalJSON writes the command, env being the list of its variables' names, without its input and outputs.
func (c Command) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Args        []string `json:"args,omitempty"`
		Shell       string   `json:"shell,omitempty"`
		Dir         string   `json:"dir,omitempty"`
		Env         []string `json:"env,omitempty"`
		Timeout     string   `json:"timeout,omitempty"`
		OutputLimit int      `json:"output_limit,omitempty"`
	}{c.Args, c.Shell, c.Dir, names(c.Env), duration(c.Timeout), c.OutputLimit})
}

// names returns those of variables, sorted.
func names(env map[string]string) []string { return slices.Sorted(maps.Keys(env)) }

func withEnv(env map[string]string) string {
	if len(env) == 0 {
		return ""
	}
	return ", env " + strings.Join(names(env), " ")
}

// duration returns one as text, and nothing for 0.
func duration(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return d.String()
}

// clip returns the beginning of a text, and how long the whole is.
func clip(s string) string {
	if len(s) <= maxShown {
		return s
	}
	return strings.ToValidUTF8(s[:maxShown], "") + fmt.Sprintf(" [... %d bytes]", len(s))
}
