package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/caisson-dev/caisson/core"
)

// transfer is a file or directory here and its place in the sandbox.
type transfer struct{ local, remote string }

// upload copies the file, or every regular file below the directory, with its
// permissions. A link in a directory may lead anywhere on this host, so those are
// left out, as are devices and the like; notices gets a line that says so.
func (t transfer) upload(ctx context.Context, sb *core.Sandbox, notices io.Writer) error {
	fi, err := os.Stat(t.local)
	switch {
	case err != nil:
		return fmt.Errorf("upload: %w", err)
	case !fi.IsDir():
		return uploadFile(ctx, sb, t.local, t.remote)
	}
	var left []string
	err = filepath.WalkDir(t.local, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return fmt.Errorf("upload: %w", err)
		case d.IsDir():
			return nil
		case !d.Type().IsRegular():
			left = append(left, name)
			return nil
		}
		below, err := filepath.Rel(t.local, name)
		if err != nil {
			return fmt.Errorf("upload: %w", err)
		}
		return uploadFile(ctx, sb, name, path.Join(t.remote, filepath.ToSlash(below)))
	})
	if err == nil && len(left) > 0 {
		fmt.Fprintf(notices, "caisson: --upload %s: left out what is no regular file: %s\n", t.local, some(left))
	}
	return err
}

// some returns a list, of which the end is left out if it is long.
func some(list []string) string {
	const most = 5
	if more := len(list) - most; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(list[:most], ", "), more)
	}
	return strings.Join(list, ", ")
}

func uploadFile(ctx context.Context, sb *core.Sandbox, local, remote string) error {
	f, err := os.Open(local)
	if err != nil {
		return fmt.Errorf("upload: %w", err)
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return fmt.Errorf("upload: %w", err)
	}
	// Whatever the owner here may do, the workload may do there.
	mode := uint32(fi.Mode().Perm() | 0o600)
	return sb.Upload(ctx, remote, f, &core.UploadOptions{Mode: mode})
}

// download copies the file out. A file at the local name, or where a link of that
// name leads, is replaced when all has arrived; a FIFO or a device is written to.
func (t transfer) download(ctx context.Context, sb *core.Sandbox) error {
	src, err := sb.Read(ctx, t.remote, nil)
	if err != nil {
		return err
	}
	defer src.Close()
	local := t.local
	if real, err := filepath.EvalSymlinks(local); err == nil {
		local = real
	}
	if fi, err := os.Stat(local); err == nil && !fi.IsDir() && !fi.Mode().IsRegular() {
		dst, err := os.OpenFile(local, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		_, err = io.Copy(dst, src)
		return errors.Join(err, dst.Close())
	}
	return replaceFile(local, src)
}

// replaceFile puts a file with the content of src in the place of another.
func replaceFile(name string, src io.Reader) (err error) {
	dst, err := os.CreateTemp(filepath.Dir(name), ".caisson-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(dst.Name())
		}
	}()
	_, err = io.Copy(dst, src)
	if err = errors.Join(err, dst.Chmod(0o644), dst.Close()); err != nil {
		return err
	}
	return os.Rename(dst.Name(), name)
}
