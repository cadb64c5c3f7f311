package main

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/sessions"
)

const (
	cookie     = "user"
	maxScript  = 64 << 10         // bytes
	maxFile    = 16 << 20         // bytes
	maxRunTime = 30 * time.Second // of a script
)

// handler answers requests, each in the sandbox of the user that it comes from.
type handler struct{ manager *sessions.Manager }

func newHandler(m *sessions.Manager) http.Handler {
	h := &handler{m}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /run", h.run)
	mux.HandleFunc("PUT /files/{path...}", h.upload)
	mux.HandleFunc("GET /files/{path...}", h.download)
	mux.HandleFunc("DELETE /session", h.end)
	return mux
}

// user returns who asks. A real server knows its users; this one gives each
// browser a secret name.
func user(w http.ResponseWriter, r *http.Request) string {
	if c, err := r.Cookie(cookie); err == nil && c.Value != "" {
		return c.Value
	}
	id := rand.Text()
	http.SetCookie(w, &http.Cookie{Name: cookie, Value: id, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode})
	return id
}

// answer is what a script has led to.
type answer struct {
	Output   string `json:"output"`
	ExitCode int    `json:"exit_code"`
	Reason   string `json:"reason"`
}

func (h *handler) run(w http.ResponseWriter, r *http.Request) {
	script, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxScript))
	if err != nil {
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	session, err := h.manager.GetOrCreate(r.Context(), user(w, r), nil)
	if err != nil {
		fail(w, err)
		return
	}
	res, err := session.Execute(r.Context(), &core.Command{Shell: string(script), Timeout: maxRunTime})
	if err != nil {
		fail(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer{res.Combined.String(), res.ExitCode, string(res.Reason)}) // the user may have gone
}

func (h *handler) upload(w http.ResponseWriter, r *http.Request) {
	session, err := h.manager.GetOrCreate(r.Context(), user(w, r), nil)
	if err == nil {
		err = session.Upload(r.Context(), r.PathValue("path"), http.MaxBytesReader(w, r.Body, maxFile), nil)
	}
	if err != nil {
		fail(w, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (h *handler) download(w http.ResponseWriter, r *http.Request) {
	session, err := h.manager.GetOrCreate(r.Context(), user(w, r), nil)
	if err != nil {
		fail(w, err)
		return
	}
	file, err := session.Read(r.Context(), r.PathValue("path"), &core.ReadOptions{MaxSize: maxFile})
	if err != nil {
		fail(w, err)
		return
	}
	defer file.Close()
	// What a sandbox holds is not to be trusted by a browser either.
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = io.Copy(w, file) // too late to say anything else
}

func (h *handler) end(w http.ResponseWriter, r *http.Request) {
	if _, err := h.manager.Release(r.Context(), user(w, r)); err != nil {
		fail(w, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// fail answers with the status that suits an error.
func fail(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	if tooLong, ok := errors.AsType[*http.MaxBytesError](err); ok {
		http.Error(w, tooLong.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	switch core.CodeOf(err) {
	case core.ErrInvalid, core.ErrIsDirectory, core.ErrNotRegular:
		status = http.StatusBadRequest
	case core.ErrNotFound:
		status = http.StatusNotFound
	case core.ErrPermission:
		status = http.StatusForbidden
	case core.ErrTooLarge:
		status = http.StatusRequestEntityTooLarge
	case core.ErrLimit, core.ErrUnavailable, core.ErrStopped, core.ErrLost:
		w.Header().Set("Retry-After", "1")
		status = http.StatusServiceUnavailable
	default:
	}
	http.Error(w, err.Error(), status)
}
