package conformance

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/caisson-dev/caisson/core"
)

// A file appears whole or not at all, whatever becomes of its upload.

func wholeOrNot(e *Env) {
	sb := e.Sandbox()
	file := e.Dir(sb) + "/file"
	src, ended := overwrite(e, e.Context(), sb, file, nil)
	for range 5 {
		want(e, "content while the upload runs", string(e.read(sb, file, nil)), "old")
	}
	src.release()
	want(e, "error of the upload", e.outcome(ended, "upload"), nil)
	wantBytes(e, "content after the upload", e.read(sb, file, nil), noise(300_000))
}

// newWholeOrNot is about a file that was not there before.
func newWholeOrNot(e *Env) {
	sb := e.Sandbox()
	dir := e.Dir(sb)
	absent := func(when string) {
		r, err := sb.Read(e.Context(), dir+"/file", nil)
		wantCode(e, "read "+when, err, core.ErrNotFound)
		if err == nil {
			_ = r.Close()
		}
		want(e, "a command finds the file "+when, e.exec(sb, core.Program("test", "-e", dir+"/file")).Success(), false)
	}
	src, ended := slowUpload(e, e.Context(), sb, dir+"/file", errSource)
	absent("while the upload runs")
	src.release()
	want(e, "an error of the upload", e.outcome(ended, "upload whose source fails") != nil, true)
	absent("after its source has failed")
	holds(e, sb, dir, "")

	ctx, cancel := context.WithCancel(e.Context())
	defer cancel()
	_, ended = slowUpload(e, ctx, sb, dir+"/file", nil)
	absent("while the next upload runs")
	cancel()
	wantError(e, "the cancelled upload", e.outcome(ended, "upload whose context ended"), context.Canceled)
	absent("after the upload was cancelled")
	holds(e, sb, dir, "")

	src, ended = slowUpload(e, e.Context(), sb, dir+"/file", nil)
	src.release()
	want(e, "error of the last upload", e.outcome(ended, "upload"), nil)
	wantBytes(e, "content after it", e.read(sb, dir+"/file", nil), noise(300_000))
}

func sourceFails(e *Env) {
	sb := e.Sandbox()
	dir := e.Dir(sb)
	src, ended := overwrite(e, e.Context(), sb, dir+"/file", errSource)
	src.release()
	err := e.outcome(ended, "upload whose source fails")
	want(e, "an error", err != nil, true)
	want(e, fmt.Sprintf("error %v tells the source's", err), err != nil && strings.Contains(err.Error(), errSource.Error()), true)
	untouched(e, sb, dir)
}

// sourcePanics has the panic come late, once the upload is under way.
func sourcePanics(e *Env) {
	sb := e.Sandbox()
	dir := e.Dir(sb)
	e.upload(sb, dir+"/file", []byte("old"))
	err := sb.Upload(e.Context(), dir+"/file", io.MultiReader(bytes.NewReader(noise(300_000)), panicking{}), new(core.UploadOptions))
	wantCode(e, "upload whose source panics", err, core.ErrInvalid)
	untouched(e, sb, dir)
}

func sourceLetGo(e *Env) {
	ctx, cancel := context.WithTimeout(e.Context(), 200*time.Millisecond)
	defer cancel()
	src, sb := new(trickle), e.Sandbox()
	wantError(e, "upload of an endless source under a deadline", sb.Upload(ctx, e.Dir(sb)+"/file", src, new(core.UploadOptions)), context.DeadlineExceeded)
	src.letGo(e)
}

func uploadCanceled(e *Env) {
	sb := e.Sandbox()
	dir := e.Dir(sb)
	ctx, cancel := context.WithCancel(e.Context())
	defer cancel()
	_, ended := overwrite(e, ctx, sb, dir+"/file", nil)
	cancel()
	wantError(e, "the cancelled upload", e.outcome(ended, "upload whose context ended"), context.Canceled)
	untouched(e, sb, dir)
}

// untouched reports a directory that holds more than the old file.
func untouched(e *Env, sb core.Backend, dir string) {
	e.Helper()
	want(e, "content", string(e.read(sb, dir+"/file", nil)), "old")
	holds(e, sb, dir, "file\n")
}

// holds reports a directory that does not come to hold these files alone: a
// cancelled call clears up after it has returned.
func holds(e *Env, sb core.Backend, dir, files string) {
	e.Helper()
	left := ""
	for range 20 {
		if left = e.sh(sb, "ls -A "+dir); left == files {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	want(e, "files", left, files)
}
