package core

import (
	"bytes"
	"encoding/pem"
	"net/url"
	"strings"
)

// PackageSource says where the packages of a Runtime come from and how its
// build gets to them. Nothing of it is left in the image. Of its fields only
// Index, without its user and password, decides which image a runtime is.
type PackageSource struct {
	// Index is the http or https URL of the manager's package index or mirror;
	// empty means the one that the base image is set up for. It may hold a
	// user and a password.
	Index string
	// CA holds the PEM certificates of authorities to trust beside those that
	// the base image trusts; empty means no more than those.
	CA []byte
	// Proxy is the http URL through which the build reaches http and https
	// servers, those that NoProxy lists apart. It may hold a user and a password.
	Proxy string
	// NoProxy is a list of hosts, separated by commas.
	NoProxy string
	// Network is what the build can reach; default NetworkDefault. NetworkNone
	// suits a base image that brings its packages along.
	Network Network
}

const (
	maxURLBytes = 2048
	maxCABytes  = 4 << 20
)

func (s *PackageSource) validate() error {
	if err := validateURL("runtime: Source.Index", s.Index); err != nil {
		return err
	}
	if err := validateURL("runtime: Source.Proxy", s.Proxy); err != nil {
		return err
	}
	if len(s.NoProxy) > maxURLBytes || strings.ContainsFunc(s.NoProxy, notInList) {
		return invalidf("runtime: Source.NoProxy: use host names, addresses and domains, separated by commas")
	}
	if len(s.CA) > 0 && !isCertificates(s.CA) {
		return invalidf("runtime: Source.CA: use PEM certificates, at most %d bytes of them", maxCABytes)
	}
	if s.Network != "" {
		return validateName("runtime: Source.Network", string(s.Network))
	}
	return nil
}

// validateURL does not repeat the URL, which can hold a password.
func validateURL(what, s string) error {
	if s == "" {
		return nil
	}
	u, err := url.Parse(s)
	switch {
	case err != nil, len(s) > maxURLBytes, strings.ContainsFunc(s, notInURL), u.Host == "", u.Scheme != "http" && u.Scheme != "https":
		return invalidf("%s: use a URL that begins with http:// or https:// and is at most %d bytes long", what, maxURLBytes)
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return invalidf("%s: use a URL without a query or fragment", what)
	}
	return nil
}

// notInURL reports what would end a URL, or begin something else, in the configuration files of package managers.
func notInURL(r rune) bool {
	return r <= ' ' || r >= 0x7f || strings.ContainsRune("\"'`\\<>{}|^$", r)
}

func notInList(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune(".,-:/*[]_", r))
}

func isCertificates(bundle []byte) bool {
	if len(bundle) > maxCABytes {
		return false
	}
	found := false
	for rest := bundle; ; {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		if block == nil {
			// What follows the last block has to be comment, not the remains of one.
			return found && !bytes.Contains(rest, []byte("-----BEGIN"))
		}
		if block.Type != "CERTIFICATE" {
			return false
		}
		found = true
	}
}

// redactURL leaves out the user too, which can be a token.
func redactURL(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		return "invalid"
	}
	u.User = nil
	return u.String()
}
