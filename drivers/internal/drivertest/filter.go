package drivertest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
)

// otherFilter is an engine that filters system calls by its own profile, whatever it is told.
func (s *suite) otherFilter(t *testing.T) {
	drv, _ := s.held(t, func(r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "/containers/create") {
			dropFilter(t, r)
		}
		return false
	})
	_, err := core.Start(t.Context(), drv, s.spec())
	require.ErrorIs(t, err, core.ErrUnsupported)
	require.ErrorContains(t, err, "another filter")
	sb, err := core.Start(t.Context(), drv, s.spec(func(spec *core.Spec) { spec.Allow = []core.Weakening{core.WeakenSeccomp} }))
	require.NoError(t, err)
	require.Equal(t, "2\n", sh(t, sb, `sed -n "s/^Seccomp:[[:space:]]*//p" /proc/self/status`), "the engine's own filter is there")
	require.NoError(t, sb.Stop(t.Context()))
	require.Empty(t, s.census(t))
}

// dropFilter takes our profile out of a request to create a container.
func dropFilter(t *testing.T, r *http.Request) {
	var fields map[string]any
	err := json.NewDecoder(r.Body).Decode(&fields)
	if host, ok := fields["HostConfig"].(map[string]any); ok {
		options, _ := host["SecurityOpt"].([]any)
		host["SecurityOpt"] = slices.DeleteFunc(options, func(o any) bool { return strings.HasPrefix(o.(string), "seccomp=") })
	} else {
		fields["seccomp_policy"] = "default"
	}
	body, err2 := json.Marshal(fields)
	if err != nil || err2 != nil {
		t.Errorf("create request: %v, %v", err, err2)
	}
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
}
