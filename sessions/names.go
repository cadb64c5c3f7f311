package sessions

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"strings"
)

// MaxIDBytes bounds the id of a session. Any bytes are allowed. Whoever can ask
// the engine reads ids in labels; where they must not, use a hash of them as the id.
const MaxIDBytes = 256

// LabelSession is the label of a session's sandbox. Its value is the id,
// escaped as a segment of a URL's path, so that any id is text. A warm sandbox
// that was claimed later has none; see Label Pool.
const LabelSession = "session"

// LabelPool marks the sandboxes that were started warm.
const LabelPool = "pool"

// A workspace is named by the id of its session, or at random if it was made
// before it was known whose it would be. Drivers hash what they get for names and
// paths. Labels hold it as it is, so that another process can tell whose it is.
const (
	sessionPrefix = "session/"
	poolPrefix    = "pool/"
)

func checkID(id string) error {
	if id == "" || len(id) > MaxIDBytes {
		return invalidf("a session's id has 1 to %d bytes; this has %d", MaxIDBytes, len(id))
	}
	return nil
}

func escape(id string) string { return url.PathEscape(id) }

// workspaceOf returns the name of the workspace of a session.
func workspaceOf(id string) string { return sessionPrefix + escape(id) }

// idOf returns whose workspace it is by its name.
func idOf(workspace string) (id string, ok bool) {
	escaped, ok := strings.CutPrefix(workspace, sessionPrefix)
	if !ok {
		return "", false
	}
	id, err := url.PathUnescape(escaped)
	return id, err == nil && checkID(id) == nil
}

func newPoolWorkspace() string { return poolPrefix + strings.ToLower(rand.Text()) }

// DirName returns the name of a session's directory in Options.WorkspaceRoot: a
// hash, since an id can be anything.
func DirName(id string) string {
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:16])
}
