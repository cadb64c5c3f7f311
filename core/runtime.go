package core

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// Defaults of a Runtime.
const (
	DefaultWorkDir = "/workspace"
	DefaultUser    = "1000:1000"
)

// PackageManager names the tool that installs a Runtime's Packages.
type PackageManager string

// The package managers.
const (
	Pip   PackageManager = "pip" // the default
	Npm   PackageManager = "npm"
	Apt   PackageManager = "apt"
	Cargo PackageManager = "cargo"
)

// Runtime describes an environment. Every driver keeps the same promises for
// it: see docs/runtime-contract.md. The zero value with an Image or a
// BaseImage set is complete. Drivers do not change a Runtime.
type Runtime struct {
	// Name identifies the runtime to people and in labels. Empty is allowed.
	Name string
	// Description is for people and prompts; it does not change the image.
	Description string

	// Image is a ready-made image. It excludes BaseImage, Packages and SetupCommands.
	Image string
	// BaseImage is what to build the runtime's image from.
	BaseImage string
	// Packages are installed with PackageManager, each with an optional
	// version in the manager's own notation.
	Packages       []string
	PackageManager PackageManager
	// SetupCommands are shell commands that run as root at build time, in
	// order, before the packages.
	SetupCommands []string
	// Source says where the build gets the packages from.
	Source PackageSource

	// Env is visible to every command. It is not written into the image.
	Env map[string]string
	// WorkDir is where commands run and where relative paths start. It is
	// writable and kept for the life of the sandbox. Default DefaultWorkDir.
	WorkDir string
	// User is UID:GID, numeric and not 0, of every command. Default DefaultUser.
	User string
	// NoCache builds the image afresh each time.
	NoCache bool
}

// WithDefaults returns a copy in which every empty field that has a default holds it.
func (r *Runtime) WithDefaults() *Runtime {
	c := *r
	if c.WorkDir == "" {
		c.WorkDir = DefaultWorkDir
	}
	if c.User == "" {
		c.User = DefaultUser
	}
	if c.PackageManager == "" {
		c.PackageManager = Pip
	}
	if c.Source.Network == "" {
		c.Source.Network = NetworkDefault
	}
	return &c
}

var (
	userIDs = regexp.MustCompile(`\A[1-9][0-9]{0,8}:[1-9][0-9]{0,8}\z`)
	workDir = regexp.MustCompile(`\A(?:/[A-Za-z0-9][A-Za-z0-9._-]*)+\z`)
	// packageGrammar is what each manager's specifiers look like: a name, then
	// an optional version. None can begin with '-', hold white space or name a
	// URL or a path, so none is an option or a source the author did not mean.
	packageGrammar = map[PackageManager]*regexp.Regexp{
		// PEP 508 name, extras and a list of PEP 440 clauses.
		Pip: regexp.MustCompile(`\A[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?` +
			`(?:\[[A-Za-z0-9][A-Za-z0-9._-]*(?:,[A-Za-z0-9][A-Za-z0-9._-]*)*\])?` +
			`(?:(?:===|==|~=|!=|<=|>=|<|>)[A-Za-z0-9][A-Za-z0-9.*+!_-]*(?:,(?:===|==|~=|!=|<=|>=|<|>)[A-Za-z0-9][A-Za-z0-9.*+!_-]*)*)?\z`),
		// An optional scope, a name, then a version, a range operator or a tag.
		Npm: regexp.MustCompile(`\A(?:@[a-z0-9][a-z0-9._-]*/)?[A-Za-z0-9][A-Za-z0-9._-]*` +
			`(?:@(?:[~^]|[<>]=?|=)?[A-Za-z0-9*][A-Za-z0-9.+*-]*)?\z`),
		// Debian policy 5.6.1 name, an optional architecture, an optional
		// version. A '-' at the end would remove the package.
		Apt: regexp.MustCompile(`\A[a-z0-9][a-z0-9+.-]*[a-z0-9+.](?::[a-z0-9]+)?(?:=[0-9](?:[A-Za-z0-9.+~:-]*[A-Za-z0-9.+~])?)?\z`),
		// A crate and an optional version requirement.
		Cargo: regexp.MustCompile(`\A[A-Za-z][A-Za-z0-9_-]*(?:@(?:[~^=]|[<>]=?)?[0-9*][A-Za-z0-9.+*-]*)?\z`),
	}
)

// keeperUID is the user of process 1 in every sandbox, from whom the workload is kept apart.
const keeperUID = "65532"

// maxSetupBytes bounds one setup command. It is one line of a build file, of
// which engines take 64 KiB at most, and may be escaped there byte by byte.
const maxSetupBytes = 8 << 10

// Validate returns an ErrInvalid that names the field to change. It makes no engine call.
func (r *Runtime) Validate() error {
	if r == nil {
		return invalidf("runtime is nil")
	}
	if r.Name != "" {
		if err := validateName("runtime: Name", r.Name); err != nil {
			return err
		}
	}
	if err := r.validateSource(); err != nil {
		return err
	}
	if err := r.validateBuild(); err != nil {
		return err
	}
	if err := validateEnv("runtime: Env", r.Env); err != nil {
		return err
	}
	if r.WorkDir != "" {
		if err := validateDir("runtime: WorkDir", r.WorkDir); err != nil {
			return err
		}
		if !workDir.MatchString(r.WorkDir) || len(r.WorkDir) > 255 || r.WorkDir == "/tmp" || strings.HasPrefix(r.WorkDir, "/tmp/") {
			return invalidf("runtime: WorkDir %q: use letters, digits, '.', '_' and '-', outside /tmp", r.WorkDir)
		}
	}
	if r.User != "" && !userIDs.MatchString(r.User) {
		return invalidf("runtime: User %q: use numeric UID:GID, neither of them 0", r.User)
	}
	if strings.HasPrefix(r.User, keeperUID+":") {
		return invalidf("runtime: User %q: the UID %s is that of a sandbox's process 1; use another", r.User, keeperUID)
	}
	return nil
}

func (r *Runtime) validateSource() error {
	switch {
	case r.Image != "" && r.BaseImage != "":
		return invalidf("runtime: Image and BaseImage exclude each other")
	case r.Image == "" && r.BaseImage == "":
		return invalidf("runtime: set Image or BaseImage")
	case r.Image != "" && (len(r.Packages) > 0 || len(r.SetupCommands) > 0):
		return invalidf("runtime: Packages and SetupCommands need a BaseImage to build from, not an Image")
	case r.Image != "":
		return validateImage("runtime: Image", r.Image)
	default:
		return validateImage("runtime: BaseImage", r.BaseImage)
	}
}

func (r *Runtime) validateBuild() error {
	manager := r.WithDefaults().PackageManager
	grammar, ok := packageGrammar[manager]
	if !ok {
		return invalidf("runtime: PackageManager %q: use pip, npm, apt or cargo", manager)
	}
	for _, p := range r.Packages {
		if len(p) > 256 || !grammar.MatchString(p) || isArchive(manager, p) {
			return invalidf("runtime: Packages: %q is not a package for %s: use a name with an optional version, no option, URL or path", p, manager)
		}
	}
	for i, c := range r.SetupCommands {
		if strings.TrimSpace(c) == "" || len(c) > maxSetupBytes || strings.ContainsAny(c, "\x00\n\r") || !utf8.ValidString(c) {
			return invalidf("runtime: SetupCommands[%d]: use one line of shell in UTF-8, at most %d bytes", i, maxSetupBytes)
		}
	}
	return r.Source.validate()
}

// isArchive reports whether the manager would take a specifier for the name of a local file.
func isArchive(manager PackageManager, p string) bool {
	if manager != Pip && manager != Npm {
		return false
	}
	p, _, _ = strings.Cut(strings.ToLower(p), "[")
	for _, suffix := range []string{".whl", ".zip", ".tar", ".tgz", ".tbz", ".txz", ".tlz", ".gz", ".bz2", ".xz", ".lz", ".lzma"} {
		if strings.HasSuffix(p, suffix) {
			return true
		}
	}
	return false
}
