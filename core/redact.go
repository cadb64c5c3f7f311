package core

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// What holds secrets is printed without them, whichever way a program prints it:
// String and GoString are for fmt, MarshalText is for JSON, slog and all else that
// writes values. They are methods of the values, since fmt does not look for
// those of pointers in a value. All of them show which variables there are, and
// none what they hold; so what they write cannot be read back. MarshalJSON or
// LogValue would do no more, and bring packages into the helper that it cannot carry.

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

// MarshalText is String, so that neither JSON nor a log shows a secret.
func (r Runtime) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// ownSource returns the source without what every runtime has.
func (r Runtime) ownSource() PackageSource {
	if r.Source.Network == NetworkDefault {
		r.Source.Network = ""
	}
	return r.Source
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

// MarshalText is String, so that neither JSON nor a log shows a secret.
func (s PackageSource) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

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

// MarshalText is String, so that neither JSON nor a log shows a secret.
func (s Spec) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

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

// MarshalText is String, so that neither JSON nor a log shows a secret.
func (c Command) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// names returns those of variables, sorted.
func names(env map[string]string) []string { return slices.Sorted(maps.Keys(env)) }

func withEnv(env map[string]string) string {
	if len(env) == 0 {
		return ""
	}
	return ", env " + strings.Join(names(env), " ")
}

// clip returns the beginning of a text, and how long the whole is.
func clip(s string) string {
	if len(s) <= maxShown {
		return s
	}
	return strings.ToValidUTF8(s[:maxShown], "") + fmt.Sprintf(" [... %d bytes]", len(s))
}
