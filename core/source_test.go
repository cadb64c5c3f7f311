package core_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
)

const certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"

func TestPackageSourceIsValidated(t *testing.T) {
	for _, s := range []core.PackageSource{
		{},
		{Index: "https://pypi.example/simple/"},
		{Index: "http://user:p%40ss@127.0.0.1:8080/x", Proxy: "http://[::1]:3128"},
		{NoProxy: "localhost,.example.com,10.0.0.0/8,[::1]", Network: core.NetworkNone},
		{CA: []byte("# my own\n" + certificate + certificate + "\n")},
	} {
		rt := &core.Runtime{BaseImage: "debian", Source: s}
		require.NoError(t, rt.Validate(), "%v", s)
	}
	for name, s := range map[string]core.PackageSource{
		"Index: no scheme":       {Index: "pypi.example/simple"},
		"Index: file":            {Index: "file:///srv/wheels"},
		"Index: new line":        {Index: "https://pypi.example/\ntrusted-host = x"},
		"Index: space":           {Index: "https://pypi.example/ [trusted=yes]"},
		"Index: quote":           {Index: `https://pypi.example/"`},
		"Index: variable":        {Index: "https://pypi.example/${HOME}"},
		"Index: query":           {Index: "https://pypi.example/?a=b"},
		"Index: too long":        {Index: "https://pypi.example/" + strings.Repeat("a", 2048)},
		"Proxy: other scheme":    {Proxy: "socks5://127.0.0.1"},
		"Proxy: no host":         {Proxy: "http://"},
		"NoProxy: new line":      {NoProxy: "a\nb"},
		"CA: key":                {CA: []byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")},
		"CA: cut off":            {CA: []byte(certificate + certificate[:40])},
		"CA: not PEM":            {CA: []byte("hello")},
		"CA: too large":          {CA: []byte(strings.Repeat(certificate, 80_000))},
		"Network: not a name":    {Network: "a b"},
		"Network: an option":     {Network: "--host"},
		"Network: a namespace":   {Network: "container:x"},
		"Network: a path inside": {Network: "ns:/proc/1/ns/net"},
	} {
		rt := &core.Runtime{BaseImage: "debian", Source: s}
		err := rt.Validate()
		require.ErrorIs(t, err, core.ErrInvalid, name)
		field, _, _ := strings.Cut(name, ":")
		require.ErrorContains(t, err, "Source."+field, name)
	}
}

func TestPackageSourceShowsNoSecret(t *testing.T) {
	s := core.PackageSource{Index: "https://token@pypi.example/", Proxy: "http://user:secret@proxy.example", CA: []byte(certificate)}
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		text := fmt.Sprintf(format, s) + fmt.Sprintf(format, &core.Runtime{BaseImage: "debian", Source: s})
		require.NotContains(t, text, "token")
		require.NotContains(t, text, "secret")
		require.NotContains(t, text, "AAAA")
	}
	rt := &core.Runtime{BaseImage: "debian", Source: core.PackageSource{Index: "https://token:secret@pypi.example/?x"}}
	require.NotContains(t, rt.Validate().Error(), "secret")
}

func TestPackagesCannotMeanMoreThanAPackage(t *testing.T) {
	for manager, list := range map[core.PackageManager][]string{
		core.Apt: {"git-", "git=1.2-", "git-:amd64"},
		core.Pip: {"a.zip", "a.tar.gz", "a-1.0-py3-none-any.whl", "a.whl[x]", "a==1.zip", "A.ZIP"},
		core.Npm: {"a.tgz", "a@b.tar.gz", "@s/a.tar", "a/b"},
	} {
		for _, p := range list {
			rt := &core.Runtime{BaseImage: "debian", PackageManager: manager, Packages: []string{p}}
			require.ErrorIs(t, rt.Validate(), core.ErrInvalid, "%s %s", manager, p)
		}
	}
}
