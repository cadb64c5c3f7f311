package runtimes

import "github.com/caisson-dev/caisson/core"

// manager installs packages for every user, into places that are searched by
// default. Its script gets the packages as "$@", one argument each, behind "--".
type manager struct {
	env    []string // KEY=VALUE
	script string
}

var managers = map[core.PackageManager]manager{
	core.Pip: {
		// As variables these are ignored by a pip that is too old to know them.
		// The second is for distributions that reserve their Python to their own packages.
		env:    []string{"PIP_NO_CACHE_DIR=1", "PIP_BREAK_SYSTEM_PACKAGES=1", "PIP_ROOT_USER_ACTION=ignore", "PIP_DISABLE_PIP_VERSION_CHECK=1", "PIP_NO_INPUT=1"},
		script: `pip install -- "$@"`,
	},
	core.Npm: {
		env: []string{"NPM_CONFIG_UPDATE_NOTIFIER=false", "NPM_CONFIG_AUDIT=false", "NPM_CONFIG_FUND=false"},
		// NODE_PATH is not searched by import statements; a directory above every work directory is.
		script: `npm install --global --prefix /usr/local -- "$@"; ` +
			`npm cache clean --force; ` +
			`[ -e /node_modules ] || ln -s /usr/local/lib/node_modules /node_modules`,
	},
	core.Apt: {
		env: []string{"DEBIAN_FRONTEND=noninteractive"},
		script: `apt-get update; ` +
			`apt-get install --yes --no-install-recommends -- "$@"; ` +
			`apt-get clean; rm -rf /var/lib/apt/lists/*`,
	},
	core.Cargo: {
		// The registry's files go with the directory; its configuration counts.
		script: `from=${CARGO_HOME:-$HOME/.cargo}; CARGO_HOME=$(mktemp -d); export CARGO_HOME; ` +
			`for config in "$from/config" "$from/config.toml" /.cargo/config.toml; do ` +
			`[ ! -f "$config" ] || cp -- "$config" "$CARGO_HOME/config.toml"; done; ` +
			`cargo install --root /usr/local -- "$@"; rm -rf -- "$CARGO_HOME"`,
	},
}

// command returns the argument vector that installs the packages.
func (m manager) command(packages []string) []string {
	argv := make([]string, 0, len(m.env)+len(packages)+5)
	if len(m.env) > 0 {
		argv = append(append(argv, "env"), m.env...)
	}
	argv = append(argv, "/bin/sh", "-ec", m.script, "install")
	return append(argv, packages...)
}
