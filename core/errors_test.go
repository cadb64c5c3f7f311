package core_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
)

var codes = []core.Code{
	core.ErrInvalid, core.ErrNotFound, core.ErrExists, core.ErrPermission, core.ErrNotRegular, core.ErrIsDirectory, core.ErrTooLarge,
	core.ErrUnsupported, core.ErrStopped, core.ErrLost, core.ErrUnavailable, core.ErrIndeterminate, core.ErrResource, core.ErrLimit,
	core.ErrConflict, core.ErrBuild, core.ErrTimeout, core.ErrProtocol, core.ErrPluginExited, core.ErrCanceled, core.ErrInternal,
}

var twins = map[core.Code]error{
	core.ErrNotFound: fs.ErrNotExist, core.ErrExists: fs.ErrExist, core.ErrPermission: fs.ErrPermission,
	core.ErrUnsupported: errors.ErrUnsupported, core.ErrTimeout: context.DeadlineExceeded,
}

func TestCodesAreErrors(t *testing.T) {
	for _, code := range codes {
		wrapped := fmt.Errorf("while testing: %w", &core.Error{Code: code, Op: "test", Err: io.ErrUnexpectedEOF})
		for _, other := range codes {
			require.Equal(t, code == other, errors.Is(wrapped, other), "%s is %s", code, other)
		}
		for owner, twin := range twins {
			require.Equal(t, owner == code, errors.Is(wrapped, twin), "%s is %v", code, twin)
		}
		require.ErrorIs(t, wrapped, io.ErrUnexpectedEOF)
		require.Equal(t, code, core.CodeOf(wrapped))
		require.Equal(t, code, core.CodeOf(code))
	}
}

func TestCodeOf(t *testing.T) {
	for _, c := range []struct {
		name string
		err  error
		want core.Code
	}{
		{"nil", nil, ""},
		{"plain", errors.New("plain"), core.ErrInternal},
		{"canceled", fmt.Errorf("x: %w", context.Canceled), core.ErrCanceled},
		{"deadline", context.DeadlineExceeded, core.ErrCanceled},
		{"not exist", &fs.PathError{Op: "open", Path: "x", Err: fs.ErrNotExist}, core.ErrNotFound},
		{"exist", fs.ErrExist, core.ErrExists},
		{"permission", fs.ErrPermission, core.ErrPermission},
		{"unsupported", errors.ErrUnsupported, core.ErrUnsupported},
		{"a bare code within", fmt.Errorf("x: %w", core.ErrLost), core.ErrLost},
		{"the outer error", core.Errorf(core.ErrUnavailable, "start", "%w", core.ErrNotFound), core.ErrUnavailable},
		{"joined", errors.Join(errors.New("plain"), core.Errorf(core.ErrLimit, "start", "full")), core.ErrLimit},
	} {
		t.Run(c.name, func(t *testing.T) { require.Equal(t, c.want, core.CodeOf(c.err)) })
	}
}

func TestComplete(t *testing.T) {
	place := core.Error{Op: "read", Driver: "docker", Sandbox: "id", Path: "a"}
	inner := core.Errorf(core.ErrNotFound, "", "gone")
	wrapped := fmt.Errorf("wrapped: %w", inner)
	require.Nil(t, core.Complete(nil, place))
	require.Equal(t, &core.Error{Code: core.ErrNotFound, Op: "read", Driver: "docker", Sandbox: "id", Path: "a", Err: inner.Err}, core.Complete(inner, place))
	require.Empty(t, inner.Op, "it is a copy")
	require.Equal(t, &core.Error{Code: core.ErrNotFound, Op: "read", Driver: "docker", Sandbox: "id", Path: "a", Err: wrapped}, core.Complete(wrapped, place))
	whole := &core.Error{Code: core.ErrLost, Op: "stat", Driver: "fake", Sandbox: "other", Path: "b"}
	require.Equal(t, whole, core.Complete(whole, place))
}

func TestErrorText(t *testing.T) {
	for _, c := range []struct {
		err  *core.Error
		want string
	}{
		{&core.Error{Code: core.ErrStopped}, "stopped"},
		{&core.Error{Code: core.ErrStopped, Err: core.ErrStopped}, "stopped"},
		{core.Errorf(core.ErrInvalid, "open", "%q is no URL", "x"), `open: invalid: "x" is no URL`},
		{&core.Error{Code: core.ErrNotFound, Op: "read", Driver: "docker", Sandbox: "0123456789abcdef", Path: "a b", Err: fs.ErrNotExist},
			`docker: read: sandbox 0123456789ab: "a b": not_found: file does not exist`},
	} {
		require.Equal(t, c.want, c.err.Error())
	}
}

// FuzzErrorIsOneLine: whatever names files have, an error stays one line.
func FuzzErrorIsOneLine(f *testing.F) {
	f.Add("a\nb")
	f.Fuzz(func(t *testing.T, path string) {
		err := &core.Error{Code: core.ErrNotFound, Op: "read", Path: path}
		require.NotContains(t, err.Error(), "\n")
		require.True(t, strings.HasPrefix(err.Error(), "read: "))
	})
}
