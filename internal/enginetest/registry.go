package enginetest

import (
	"bytes"
	"cmp"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// Registry returns the address of a plain HTTP registry that the tests' engine
// may push to: CAISSON_TEST_REGISTRY, or 127.0.0.1:5000. It skips t if none
// answers, or fails it if CAISSON_REQUIRE names "registry".
func Registry(t testing.TB) string {
	t.Helper()
	addr := cmp.Or(os.Getenv("CAISSON_TEST_REGISTRY"), "127.0.0.1:5000")
	client := &http.Client{Timeout: 3 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Get("http://" + addr + "/v2/")
	if err == nil {
		_ = res.Body.Close()
		return addr
	}
	reason := "no registry at " + addr + " (" + err.Error() + "); start one, or set CAISSON_TEST_REGISTRY"
	if slices.Contains(strings.Split(os.Getenv("CAISSON_REQUIRE"), ","), "registry") {
		t.Fatal(reason)
	}
	t.Skip(reason)
	return ""
}

// Push pushes an image that the tests' engine has to the registry that its name begins with.
func Push(t testing.TB, scheme, ref string) {
	t.Helper()
	name, tag, _ := cutTag(ref)
	answer := call(t, scheme, http.MethodPost, "/v1.40/images/"+name+"/push?tlsVerify=false&tag="+tag, nil, http.StatusOK)
	if bytes.Contains(answer, []byte(`"error"`)) {
		t.Fatalf("push of %s: %s", ref, answer)
	}
}

// cutTag splits a reference at the colon of its tag.
func cutTag(ref string) (name, tag string, found bool) {
	at := strings.LastIndexByte(ref, ':')
	if at < strings.LastIndexByte(ref, '/') {
		return ref, "latest", false
	}
	return ref[:at], ref[at+1:], true
}
