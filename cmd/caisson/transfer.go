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

	"github.com/caisson-dev/caisson/core"
)

// transfer is a file or directory here and its place in the sandbox.
type transfer struct{ local, remote string }

// upload copies the file, or every regular file below the directory, with its permissions.
func (t transfer) upload(ctx context.Context, sb *core.Sandbox) error {
	fi, err := os.Stat(t.local)
	switch {
	case err != nil:
		return fmt.Errorf("upload: %w", err)
	case !fi.IsDir():
		return uploadFile(ctx, sb, t.local, t.remote)
	}
	return filepath.WalkDir(t.local, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return fmt.Errorf("upload: %w", err)
		case d.IsDir():
			return nil
		case !d.Type().IsRegular():
			return core.Errorf(core.ErrNotRegular, "upload", "%s is neither a file nor a directory", name)
		}
		below, err := filepath.Rel(t.local, name)
		if err != nil {
			return fmt.Errorf("upload: %w", err)
		}
		return uploadFile(ctx, sb, name, path.Join(t.remote, filepath.ToSlash(below)))
	})
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

// download copies the file out. What is at the local name is replaced when all has arrived.
func (t transfer) download(ctx context.Context, sb *core.Sandbox) (err error) {
	src, err := sb.Read(ctx, t.remote, nil)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.CreateTemp(filepath.Dir(t.local), ".caisson-*")
	if err != nil {
		return fmt.Errorf("download: %w", err)
	}
	defer func() {
		if err != nil {
			os.Remove(dst.Name())
		}
	}()
	_, err = io.Copy(dst, src)
	if err = errors.Join(err, dst.Chmod(0o644), dst.Close()); err != nil {
		return fmt.Errorf("download: %w", err)
	}
	if err = os.Rename(dst.Name(), t.local); err != nil {
		return fmt.Errorf("download: %w", err)
	}
	return nil
}
