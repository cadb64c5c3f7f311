package saboteur

import (
	"bytes"
	"context"
	"errors"
	"io"
	"path"
	"strings"
	"time"

	"github.com/caisson-dev/caisson/core"
)

type uploadFunc func(ctx context.Context, b core.Backend, path string, src io.Reader, opts *core.UploadOptions) error

func onUpload(name, target, breaks string, upload uploadFunc) Saboteur {
	return Saboteur{Name: name, Target: target, Breaks: breaks, arm: func() *methods { return &methods{upload: upload} }}
}

// sh runs a script that helps a saboteur, with arguments, and reports whether it succeeded.
func sh(ctx context.Context, b core.Backend, script string, args ...string) (string, bool) {
	res, err := b.Execute(context.WithoutCancel(ctx), core.Program("sh", append([]string{"-c", script, "sh"}, args...)...))
	if err != nil {
		return "", false
	}
	return string(res.Stdout.Bytes()), res.Success()
}

// Wrong about writing files.
func uploads() []Saboteur {
	return []Saboteur{
		onUpload("files/in-place", "files/whole-or-not", "it writes into the file itself", inPlace),
		onUpload("files/new-in-place", "files/new-whole-or-not", "it writes a new file in place, and removes it if that fails", newInPlace),
		onUpload("files/read-whole", "files/bounded", "it reads all of its source before it sends any", func(ctx context.Context, b core.Backend, p string, src io.Reader, o *core.UploadOptions) error {
			if !strings.HasSuffix(p, "/bounded") {
				return b.Upload(ctx, p, src, o)
			}
			data, err := io.ReadAll(src)
			return b.Upload(ctx, p, io.MultiReader(bytes.NewReader(data), &broken{err}), o)
		}),
		onUpload("files/cut-at-4-MiB", "files/round-trip", "it holds 4 MiB and drops the rest", func(ctx context.Context, b core.Backend, p string, src io.Reader, o *core.UploadOptions) error {
			return b.Upload(ctx, p, io.LimitReader(src, 4<<20), o)
		}),
		onUpload("files/cut-at-128-MiB", "files/big", "it holds 128 MiB and drops the rest", func(ctx context.Context, b core.Backend, p string, src io.Reader, o *core.UploadOptions) error {
			return b.Upload(ctx, p, io.LimitReader(src, 128<<20), o)
		}),
		onUpload("files/names-quoted", "files/names", "it quotes names in a script, but not all of them", func(ctx context.Context, b core.Backend, p string, src io.Reader, o *core.UploadOptions) error {
			return b.Upload(ctx, strings.NewReplacer("'", "", "\n", " ").Replace(p), src, o)
		}),
		onUpload("files/line-end-added", "files/seen-by-commands", "it ends text files with a line end", func(ctx context.Context, b core.Backend, p string, src io.Reader, o *core.UploadOptions) error {
			if !strings.HasSuffix(p, "/in") {
				return b.Upload(ctx, p, src, o)
			}
			return b.Upload(ctx, p, io.MultiReader(src, strings.NewReader("\n")), o)
		}),
		onUpload("files/other-tmp", "files/tmp", "it writes below the file system that is mounted on /tmp", func(ctx context.Context, b core.Backend, p string, src io.Reader, o *core.UploadOptions) error {
			if strings.HasPrefix(p, "/tmp/conformance-") {
				p += ".below"
			}
			return b.Upload(ctx, p, src, o)
		}),
		onUpload("files/no-parents", "files/parents", "it makes no parents", func(ctx context.Context, b core.Backend, p string, src io.Reader, o *core.UploadOptions) error {
			if _, ok := sh(ctx, b, `test -e "$1"`, path.Dir(p)); !ok {
				return core.Errorf(core.ErrNotFound, "upload", "no such directory")
			}
			return b.Upload(ctx, p, src, o)
		}),
		onUpload("files/replaces-parent", "files/parent-is-file", "it removes a file that stands where a directory is needed", func(ctx context.Context, b core.Backend, p string, src io.Reader, o *core.UploadOptions) error {
			sh(ctx, b, `test -f "$1" && rm "$1"`, path.Dir(p))
			return b.Upload(ctx, p, src, o)
		}),
		onUpload("files/appends", "files/overwrite", "it leaves the end of a longer old content", func(ctx context.Context, b core.Backend, p string, src io.Reader, o *core.UploadOptions) error {
			data, rest, err := beginning(ctx, src, len("short"))
			if err != nil || len(data) != len("short") {
				return b.Upload(ctx, p, rest, o)
			}
			old, _ := sh(ctx, b, `tail -c +6 "$1"`, p)
			return b.Upload(ctx, p, io.MultiReader(bytes.NewReader(data), strings.NewReader(old)), o)
		}),
		onUpload("files/mode-ignored", "files/mode-new", "it writes every new file with 0644", func(ctx context.Context, b core.Backend, p string, src io.Reader, _ *core.UploadOptions) error {
			return b.Upload(ctx, p, src, new(core.UploadOptions))
		}),
		onUpload("files/umask", "files/mode-new", "it has its umask decide on the mode", func(ctx context.Context, b core.Backend, p string, src io.Reader, o *core.UploadOptions) error {
			return b.Upload(ctx, p, src, &core.UploadOptions{Mode: o.Mode &^ 0o022})
		}),
		onUpload("files/mode-reset", "files/mode-kept", "it resets the mode of a file that is there", func(ctx context.Context, b core.Backend, p string, src io.Reader, o *core.UploadOptions) error {
			if o.Mode == 0 {
				o = &core.UploadOptions{Mode: 0o644}
			}
			return b.Upload(ctx, p, src, o)
		}),
		onResult("files/owner-root", "files/owner", "it writes files as root", func(cmd *core.Command, r *core.Result) {
			if strings.Contains(cmd.Shell, "stat -c %u:%g") { // what the workload would see
				r.Stdout = capture([]byte("0:0\n"), 0)
			}
		}),
		onUpload("files/busy", "files/executable", "it keeps an uploaded program open for writing", func(ctx context.Context, b core.Backend, p string, src io.Reader, o *core.UploadOptions) error {
			if strings.HasSuffix(p, "/run") {
				o = &core.UploadOptions{Mode: o.Mode &^ 0o111}
			}
			return b.Upload(ctx, p, src, o)
		}),
		onUpload("files/replaces-links", "files/follows-links", "it replaces a link by a file", func(ctx context.Context, b core.Backend, p string, src io.Reader, o *core.UploadOptions) error {
			sh(ctx, b, `test -L "$1" && test ! -d "$1" && test ! -c "$1" && rm "$1"`, p)
			return b.Upload(ctx, p, src, o)
		}),
		onUpload("files/follows-for-ever", "files/link-loop", "it follows a loop of links for ever", func(ctx context.Context, b core.Backend, p string, src io.Reader, o *core.UploadOptions) error {
			if _, loop := sh(ctx, b, `test "$(readlink "$1")" = b && test ! -e "$1"`, p); loop {
				return wait(ctx, 6*time.Second)
			}
			return b.Upload(ctx, p, src, o)
		}),
		onUpload("files/leaves-temp", "files/source-fails", "it leaves a temporary file when an upload fails", func(ctx context.Context, b core.Backend, p string, src io.Reader, o *core.UploadOptions) error {
			err := b.Upload(ctx, p, src, o)
			if err != nil {
				sh(ctx, b, `echo rest > "$1.part"`, p)
			}
			return err
		}),
		onUpload("files/source-panic-is-end", "files/source-panics", "it takes a source that panics for one that ends", func(ctx context.Context, b core.Backend, p string, src io.Reader, o *core.UploadOptions) error {
			return b.Upload(ctx, p, calm{src}, o)
		}),
		onUpload("files/source-kept", "files/source-let-go", "it reads the source after the upload has been cancelled", func(ctx context.Context, b core.Backend, p string, src io.Reader, o *core.UploadOptions) error {
			err := b.Upload(ctx, p, src, o)
			if errors.Is(err, context.DeadlineExceeded) {
				go func() { _, _ = src.Read(make([]byte, 10)) }()
			}
			return err
		}),
		onUpload("files/source-error-lost", "files/source-fails", "it takes a source that fails for one that ends", func(ctx context.Context, b core.Backend, p string, src io.Reader, o *core.UploadOptions) error {
			return b.Upload(ctx, p, new(kept).of(src), o)
		}),
		onUpload("files/not-canceled", "files/upload-canceled", "it waits for the source before it looks at the context", func(ctx context.Context, b core.Backend, p string, src io.Reader, o *core.UploadOptions) error {
			late, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
			defer cancel(nil)
			defer context.AfterFunc(ctx, func() { time.AfterFunc(7*time.Second, func() { cancel(context.Cause(ctx)) }) })()
			return b.Upload(late, p, src, o)
		}),
		onUpload("files/into-directory", "files/onto-directory", "it puts a file into the directory that it should have refused", func(ctx context.Context, b core.Backend, p string, src io.Reader, o *core.UploadOptions) error {
			err := b.Upload(ctx, p, src, o)
			if errors.Is(err, core.ErrIsDirectory) {
				return b.Upload(ctx, p+"/"+path.Base(p), strings.NewReader(""), o)
			}
			return err
		}),
		onUpload("files/over-special", "files/onto-special", "it writes to FIFOs and devices", func(ctx context.Context, b core.Backend, p string, src io.Reader, o *core.UploadOptions) error {
			err := b.Upload(ctx, p, src, o)
			if errors.Is(err, core.ErrNotRegular) {
				return nil
			}
			return err
		}),
		onUpload("files/permission-is-internal", "files/permission", "it has no code for what is not permitted", func(ctx context.Context, b core.Backend, p string, src io.Reader, o *core.UploadOptions) error {
			err := b.Upload(ctx, p, src, o)
			if errors.Is(err, core.ErrPermission) {
				return core.Errorf(core.ErrInternal, "upload", "exit code 1")
			}
			return err
		}),
		onUpload("files/common-temp", "concurrency/one-path", "it gives the temporary files of one path one name", func(ctx context.Context, b core.Backend, p string, src io.Reader, o *core.UploadOptions) error {
			if !strings.HasSuffix(p, "/file") || o.Mode != 0 {
				return b.Upload(ctx, p, src, o)
			}
			data, rest, err := beginning(ctx, src, 200_000)
			if err != nil || len(data) != 200_000 {
				return b.Upload(ctx, p, rest, o)
			}
			for _, half := range [][]byte{data[:100_000], data[100_000:]} {
				if _, err := b.Execute(ctx, &core.Command{Args: []string{"sh", "-c", `cat >> "$1.temp"`, "sh", p}, Stdin: bytes.NewReader(half)}); err != nil {
					return err
				}
				time.Sleep(50 * time.Millisecond)
			}
			if _, ok := sh(ctx, b, `mv "$1.temp" "$1"`, p); !ok {
				return core.Errorf(core.ErrConflict, "upload", "temporary file is gone")
			}
			return nil
		}),
		onUpload("files/grows-over-limit", "limits/file-size", "it leaves what it could write of a file that is too large", func(ctx context.Context, b core.Backend, p string, src io.Reader, o *core.UploadOptions) error {
			err := b.Upload(ctx, p, src, o)
			if strings.HasSuffix(p, "dir/upload") && err != nil {
				sh(ctx, b, `echo part > "$1"`, p)
			}
			return err
		}),
	}
}

// newInPlace is an upload that writes a file in place unless something is there already.
func inPlace(ctx context.Context, b core.Backend, p string, src io.Reader, o *core.UploadOptions) error {
	if o.Mode != 0 {
		return b.Upload(ctx, p, src, o)
	}
	if _, emptied := sh(ctx, b, `test -f "$1" && : > "$1"`, p); !emptied {
		return b.Upload(ctx, p, src, o)
	}
	failed := new(kept)
	res, err := b.Execute(ctx, &core.Command{Args: []string{"sh", "-c", `cat > "$1"`, "sh", p}, Stdin: failed.of(src)})
	switch {
	case err != nil:
		return err
	case failed.err != nil:
		return failed.err
	case !res.Success():
		return core.Errorf(core.ErrPermission, "upload", "%s", res.Stderr.String())
	}
	return nil
}

func newInPlace(ctx context.Context, b core.Backend, p string, src io.Reader, o *core.UploadOptions) error {
	if _, missing := sh(ctx, b, `test ! -e "$1" && test ! -L "$1" && test -d "$2" && test -w "$2"`, p, path.Dir(p)); !missing || o.Mode != 0 {
		return b.Upload(ctx, p, src, o)
	}
	failed := new(kept)
	res, err := b.Execute(ctx, &core.Command{Args: []string{"sh", "-c", `cat > "$1"`, "sh", p}, Stdin: failed.of(src)})
	switch {
	case err != nil:
	case failed.err != nil:
		err = failed.err
	case !res.Success():
		err = core.Errorf(core.ErrResource, "upload", "%s", res.Stderr.String())
	}
	if err != nil {
		sh(ctx, b, `rm -f "$1"`, p)
	}
	return err
}

// kept is a source that keeps the error of another and ends instead.
type kept struct {
	src io.Reader
	err error
}

func (k *kept) of(src io.Reader) io.Reader { k.src = src; return k }

func (k *kept) Read(p []byte) (int, error) {
	n, err := k.src.Read(p)
	if err != nil && err != io.EOF { //nolint:errorlint // sources return it bare
		k.err, err = err, io.EOF
	}
	return n, err
}

// broken is a source that has nothing but an error, or nothing at all.
type broken struct{ err error }

func (b *broken) Read([]byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	return 0, io.EOF
}

// wait is a call that hangs, but not for ever.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return core.Errorf(core.ErrTimeout, "", "gave up")
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// beginning reads n bytes and one more, as far as there are, and returns a reader
// of these and of what follows, for an upload that turns out to be none of a saboteur's.
func beginning(ctx context.Context, src io.Reader, n int) (data []byte, whole io.Reader, err error) {
	data, err = io.ReadAll(io.LimitReader(&ending{ctx, src}, int64(n)+1))
	if err != nil {
		src = &broken{err}
	}
	return data, io.MultiReader(bytes.NewReader(data), src), err
}

// ending is a reader that ends with a context.
type ending struct {
	ctx context.Context
	io.Reader
}

func (e *ending) Read(p []byte) (int, error) {
	if err := e.ctx.Err(); err != nil {
		return 0, err
	}
	return e.Reader.Read(p)
}
