// Package binary holds the helper that lives in every sandbox, cmd/caisson-guest,
// built for each architecture that sandboxes can have. build.sh makes the files.
package binary

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"io"
	"sync"

	"github.com/caisson-dev/caisson/core"
)

var (
	//go:embed caisson-guest-linux-amd64.gz
	amd64 []byte
	//go:embed caisson-guest-linux-arm64.gz
	arm64 []byte
)

// Archs are the architectures, in Go's notation.
func Archs() []string { return []string{"amd64", "arm64"} }

// Load returns the static Linux executable for an architecture, in Go's
// notation, or ErrUnsupported if there is none. The bytes are shared and must not be changed.
func Load(arch string) ([]byte, error) {
	u, err := find(arch)
	return u.data, err
}

// Digest returns the SHA-256 of the executable in hexadecimal, or ErrUnsupported.
func Digest(arch string) (string, error) {
	u, err := find(arch)
	return u.digest, err
}

type unpacked struct {
	data   []byte
	digest string
}

var unpack = map[string]func() unpacked{
	"amd64": sync.OnceValue(func() unpacked { return gunzip(amd64) }),
	"arm64": sync.OnceValue(func() unpacked { return gunzip(arm64) }),
}

func find(arch string) (unpacked, error) {
	f := unpack[arch]
	if f == nil {
		return unpacked{}, core.Errorf(core.ErrUnsupported, "", "sandboxes of architecture %q: there is a helper for amd64 and arm64 only", arch)
	}
	return f(), nil
}

func gunzip(packed []byte) unpacked {
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		panic("guest/binary: " + err.Error()) // the program was built from a damaged tree
	}
	data, err := io.ReadAll(r)
	if err != nil {
		panic("guest/binary: " + err.Error())
	}
	sum := sha256.Sum256(data)
	return unpacked{data: data, digest: hex.EncodeToString(sum[:])}
}
