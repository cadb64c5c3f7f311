package runtimes

import (
	"encoding/base64"
	"net/url"
	"path"
	"strings"

	"github.com/caisson-dev/caisson/core"
)

// The files that lead a build to its packages, as they are named in the image.
const (
	givenCA     = sourceDir + "/ca.pem"
	trusted     = sourceDir + "/trusted.pem" // made in the build: the image's own and the given ones
	pipConfig   = sourceDir + "/pip.conf"
	npmConfig   = sourceDir + "/npmrc"
	aptConfig   = sourceDir + "/apt.conf"
	aptIndex    = sourceDir + "/apt-index"
	aptSources  = sourceDir + "/sources.list" // made in the build from aptIndex
	cargoConfig = "/.cargo/config.toml"       // above every directory; cargo looks nowhere else that could be removed again
)

const (
	trustScript = `for own in /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt; do ` +
		`if [ -r "$own" ]; then cat -- "$own"; echo; break; fi; done >` + trusted + `; cat ` + givenCA + ` >>` + trusted
	// A Debian mirror serves many releases; the image knows its own.
	aptSourcesScript = `. /etc/os-release; read -r index <` + aptIndex + `; ` +
		`echo "deb $index $VERSION_CODENAME main" >` + aptSources
)

// sourceFiles returns the files of the build context that only the build may
// see, empty if it needs none.
func sourceFiles(rt *core.Runtime) ([]file, error) {
	s := &rt.Source
	var files []file
	put := func(name, text string) { files = append(files, file{name: path.Join("source", name), text: text}) }
	if len(s.CA) > 0 {
		put(givenCA, string(s.CA)+"\n")
	}
	var index *url.URL
	if s.Index != "" {
		var err error
		if index, err = url.Parse(s.Index); err != nil {
			return nil, core.Errorf(core.ErrInvalid, "build", "Source.Index is not a URL")
		}
	}
	switch rt.PackageManager {
	case core.Pip:
		if index != nil {
			put(pipConfig, pipText(index))
		}
	case core.Npm:
		if index != nil {
			put(npmConfig, npmText(index))
		}
	case core.Cargo:
		if index != nil {
			put(cargoConfig, cargoText(index))
		}
	case core.Apt:
		if index != nil {
			put(aptIndex, index.String()+"\n")
		}
	}
	if text := aptText(rt); text != "" {
		put(aptConfig, text)
	}
	return files, nil
}

// sourceEnv points tools at the files, in the stage that has them.
func sourceEnv(rt *core.Runtime, files []file) []string {
	var env []string
	if len(rt.Source.CA) > 0 {
		for _, name := range []string{
			"SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",
			"GIT_SSL_CAINFO", "CARGO_HTTP_CAINFO", "NODE_EXTRA_CA_CERTS",
		} {
			env = append(env, name+"="+trusted)
		}
	}
	for _, f := range []struct{ name, variable string }{
		{pipConfig, "PIP_CONFIG_FILE"}, {npmConfig, "NPM_CONFIG_USERCONFIG"}, {aptConfig, "APT_CONFIG"},
	} {
		if hasFile(files, f.name) {
			env = append(env, f.variable+"="+f.name)
		}
	}
	return env
}

// pipText configures pip, which takes plain http only from hosts that it is told of.
func pipText(index *url.URL) string {
	text := "[global]\nindex-url = " + index.String() + "\n"
	if index.Scheme == "http" {
		text += "trusted-host = " + index.Host + "\n"
	}
	return text
}

// npmText configures npm. It takes a password apart from the URL; a user alone is a token.
func npmText(index *url.URL) string {
	u := *index
	u.User, u.Path = nil, strings.TrimSuffix(u.Path, "/")+"/"
	text := "registry=" + u.String() + "\n"
	scope := strings.TrimPrefix(u.String(), u.Scheme+":")
	if password, ok := index.User.Password(); ok {
		text += scope + ":_auth=" + basic(index.User.Username(), password) + "\n"
	} else if token := index.User.Username(); token != "" {
		text += scope + ":_authToken=" + token + "\n"
	}
	return text
}

// cargoText replaces crates.io with an index that speaks cargo's sparse protocol.
func cargoText(index *url.URL) string {
	u := *index
	u.Path = strings.TrimSuffix(u.Path, "/") + "/"
	return "[source.crates-io]\nreplace-with = \"index\"\n\n[source.index]\nregistry = \"sparse+" + u.String() + "\"\n"
}

// aptText configures apt, for setup commands as well as for packages.
func aptText(rt *core.Runtime) string {
	text := ""
	if len(rt.Source.CA) > 0 {
		text += "Acquire::https::CAInfo \"" + trusted + "\";\n"
	}
	if rt.PackageManager == core.Apt && rt.Source.Index != "" {
		text += "Dir::Etc::sourcelist \"" + aptSources + "\";\nDir::Etc::sourceparts \"/dev/null\";\n"
	}
	return text
}

// secretsOf returns a replacer for the secrets of a source, in the forms that tools print.
func secretsOf(s *core.PackageSource) *strings.Replacer {
	var pairs []string
	for _, raw := range []string{s.Index, s.Proxy} {
		u, err := url.Parse(raw)
		if err != nil || u.User == nil {
			continue
		}
		name, forms := u.User.Username(), []string{u.User.String()}
		if password, ok := u.User.Password(); ok {
			forms = append(forms, basic(name, password), password, url.QueryEscape(password), url.PathEscape(password))
		} else {
			forms = append(forms, name)
		}
		for _, form := range forms {
			if form != "" {
				pairs = append(pairs, form, "***")
			}
		}
	}
	return strings.NewReplacer(pairs...)
}

func basic(user, password string) string {
	return base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
}

// Index is the part of a runtime's Source that decides which image it is: the
// index without its user and password.
func Index(rt *core.Runtime) string { return withoutUser(rt.Source.Index) }

func withoutUser(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	u.User = nil
	return u.String()
}
