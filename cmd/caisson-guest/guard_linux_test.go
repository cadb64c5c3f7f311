package main_test

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// listed is a container or an image as an engine lists it.
type listed struct {
	ID       string `json:"Id"`
	ParentID string `json:"ParentId"`
	Labels   map[string]string
	State    string
}

// guarded is an engine, and a guard that stands by.
type guarded struct {
	list    string // the only one that it may ask for
	query   url.Values
	mu      sync.Mutex
	lists   int
	asked   []string                 // whatever else
	answer  func(n int) []listed     // to the n-th request for the list, from 1; nil is an error
	removal func(n int) (status int) // of the n-th removal, from 1; nil is 200
	guard   *exec.Cmd
	stdin   io.WriteCloser
}

const guardedID = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func startGuard(t *testing.T, what string, e *guarded) {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "engine.sock")
	l, err := net.Listen("unix", socket)
	require.NoError(t, err)
	removals := 0
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e.mu.Lock()
		defer e.mu.Unlock()
		if r.Method == http.MethodGet && r.URL.Path == e.list && r.URL.Query().Encode() == e.query.Encode() {
			e.lists++
			if list := e.answer(e.lists); list != nil {
				_ = json.NewEncoder(w).Encode(list)
			} else {
				w.WriteHeader(http.StatusInternalServerError)
			}
			return
		}
		e.asked = append(e.asked, r.Method+" "+r.URL.String())
		if removals++; e.removal != nil {
			w.WriteHeader(e.removal(removals))
		}
	})}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	e.guard = exec.Command(binary, "guard", socket, what, "key=value")
	e.stdin, err = e.guard.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, e.guard.Start())
}

// ends waits for the guard and returns what it asked for but for lists.
func (e *guarded) ends(t *testing.T) []string {
	t.Helper()
	late := time.AfterFunc(45*time.Second, func() { _ = e.guard.Process.Kill() })
	defer late.Stop()
	require.NoError(t, e.guard.Wait())
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.asked
}

// container is a list of one, or of none if it has no state.
func container(state string) []listed {
	if state == "" {
		return []listed{}
	}
	return []listed{{guardedID, "", map[string]string{"key": "value", "own": `"State":"created","Id":"another"`}, state}}
}

func containers(e *guarded) *guarded {
	e.list, e.query = "/containers/json", url.Values{"all": {"1"}, "filters": {`{"label":["key=value"]}`}}
	return e
}

func TestGuardOfAStart(t *testing.T) {
	always := func(state string) func(int) []listed { return func(int) []listed { return container(state) } }
	states := func(list ...string) func(int) []listed {
		return func(n int) []listed { return container(list[min(n, len(list))-1]) }
	}
	removed := []string{"DELETE /containers/" + guardedID + "?v=1"}
	for _, tt := range []struct {
		name   string
		engine *guarded
		want   []string
	}{
		{"made and not started", containers(&guarded{answer: always("created")}), removed},
		{"started", containers(&guarded{answer: always("running")}), nil},
		{"ended", containers(&guarded{answer: always("exited")}), nil},
		{"made later", containers(&guarded{answer: states("", "", "", "created")}), removed},
		{"started meanwhile", containers(&guarded{answer: states("created", "running"), removal: func(int) int { return http.StatusConflict }}), removed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			startGuard(t, "start", tt.engine)
			require.NoError(t, tt.engine.stdin.Close())
			require.Equal(t, tt.want, tt.engine.ends(t))
		})
	}
	t.Run("what ends the process's group", func(t *testing.T) {
		t.Parallel()
		e := containers(&guarded{answer: always("created")})
		startGuard(t, "start", e)
		pid := e.guard.Process.Pid
		require.Eventually(t, func() bool { sid, err := unix.Getsid(pid); return err == nil && sid == pid }, 5*time.Second, 10*time.Millisecond, "a session of its own")
		for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT} {
			require.NoError(t, e.guard.Process.Signal(sig))
		}
		require.NoError(t, e.stdin.Close())
		require.Equal(t, removed, e.ends(t))
	})
}

func TestGuardOfABuild(t *testing.T) {
	t.Parallel()
	images := func(e *guarded) *guarded {
		e.list, e.query = "/images/json", url.Values{"filters": {`{"label":["key=value"],"dangling":["true"]}`}}
		return e
	}
	image := func(id string) listed {
		return listed{"sha256:" + id, "sha256:parent", map[string]string{"key": "value"}, ""}
	}
	var began time.Time
	answers := 0
	e := images(&guarded{
		answer: func(n int) []listed {
			if n == 1 {
				began = time.Now()
			} else if time.Since(began) < 11*time.Second {
				return nil
			}
			answers++
			return [][]listed{{image("a"), image("b")}, {image("b")}, {}, {image("c")}, {}}[min(answers, 5)-1]
		},
		removal: func(n int) int { return []int{http.StatusOK, http.StatusConflict, http.StatusOK, http.StatusOK}[n-1] },
	})
	startGuard(t, "images", e)
	require.NoError(t, e.stdin.Close())
	require.Equal(t, []string{"DELETE /images/sha256:a", "DELETE /images/sha256:b", "DELETE /images/sha256:b", "DELETE /images/sha256:c"}, e.ends(t),
		"the engine is busy for a while, one is still needed at first, one is made later")
}

func TestGuardOfWhatIsOver(t *testing.T) {
	for _, what := range []string{"start", "images"} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			e := containers(&guarded{answer: func(int) []listed { return container("created") }})
			startGuard(t, what, e)
			_, err := io.WriteString(e.stdin, "\x00")
			require.NoError(t, err)
			require.NoError(t, e.stdin.Close())
			require.Empty(t, e.ends(t))
			require.Zero(t, e.lists)
		})
	}
}
