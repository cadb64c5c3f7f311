package buildtest

import (
	"archive/zip"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"html"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/internal/enginetest"
)

// index is a package index for pip (https://packaging.python.org/en/latest/specifications/simple-repository-api/)
// over https, under an authority of its own, that asks for a password.
type index struct {
	url string // with the user and the password
	ca  []byte // PEM

	mu     sync.Mutex
	wheels map[string][]byte // by file name
}

func newIndex(t *testing.T, user, password string) *index {
	t.Helper()
	host := enginetest.HostAddress(t)
	listener, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	require.NoError(t, err)
	x := &index{wheels: map[string][]byte{}}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if u, p, ok := r.BasicAuth(); !ok || u != user || p != password {
			w.Header().Set("WWW-Authenticate", `Basic realm="wheels"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		x.serve(w, r)
	}))
	server.Listener = listener
	var cert tls.Certificate
	x.ca, cert = authority(t, host)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	server.StartTLS()
	t.Cleanup(server.Close)
	u, err := url.Parse(server.URL)
	require.NoError(t, err)
	u.User, u.Path = url.UserPassword(user, password), "/simple"
	x.url = u.String()
	return x
}

func (x *index) serve(w http.ResponseWriter, r *http.Request) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if name, ok := strings.CutPrefix(r.URL.Path, "/files/"); ok {
		_, _ = w.Write(x.wheels[name])
		return
	}
	project := strings.Trim(strings.TrimPrefix(r.URL.Path, "/simple"), "/")
	w.Header().Set("Content-Type", "text/html")
	for name := range x.wheels {
		if strings.HasPrefix(name, strings.ReplaceAll(project, "-", "_")+"-") {
			_, _ = fmt.Fprintf(w, "<a href=\"/files/%[1]s\">%[1]s</a><br>\n", html.EscapeString(name))
		}
	}
}

// add makes a wheel of one module, of the project's name, that knows its version.
func (x *index) add(t *testing.T, project, version string, requires ...string) {
	t.Helper()
	x.addModule(t, project, strings.ReplaceAll(project, "-", "_"), version, requires...)
}

// addModule is add for a module that has a name of its own.
func (x *index) addModule(t *testing.T, project, module, version string, requires ...string) {
	t.Helper()
	distribution := strings.ReplaceAll(project, "-", "_")
	info := distribution + "-" + version + ".dist-info/"
	metadata := fmt.Sprintf("Metadata-Version: 2.1\nName: %s\nVersion: %s\nProvides-Extra: more\n", project, version)
	for _, r := range requires {
		metadata += "Requires-Dist: " + r + "\n"
	}
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	for _, f := range []struct{ name, text string }{
		{module + "/__init__.py", fmt.Sprintf("version = %q\n", version)},
		{info + "METADATA", metadata},
		{info + "WHEEL", "Wheel-Version: 1.0\nGenerator: caisson\nRoot-Is-Purelib: true\nTag: py3-none-any\n"},
		{info + "RECORD", ""},
	} {
		w, err := z.Create(f.name)
		require.NoError(t, err)
		_, err = w.Write([]byte(f.text))
		require.NoError(t, err)
	}
	require.NoError(t, z.Close())
	x.mu.Lock()
	defer x.mu.Unlock()
	x.wheels[distribution+"-"+version+"-py3-none-any.whl"] = buf.Bytes()
}

// authority makes a certificate for a host that is its own authority.
func authority(t *testing.T, host string) ([]byte, tls.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "caisson test"}, IPAddresses: []net.IP{net.ParseIP(host)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
