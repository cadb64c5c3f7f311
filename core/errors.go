package core

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// Code classifies an error. A Code is itself an error and a constant, so
// errors.Is(err, core.ErrNotFound) works on both sides of a process boundary;
// it also answers for its twin in the standard library. A value is never
// renamed or reused.
//
// An error may wrap others and then answers for their codes too, with one
// exception: an ErrIndeterminate answers for no other code and no other error
// of the standard library. Whoever finds ErrUnavailable in an error, which says
// that nothing happened, may try again; so what made a call indeterminate is in
// its text only.
type Code string

// The codes.
const (
	ErrInvalid       Code = "invalid"       // the call must be changed; nothing happened
	ErrNotFound      Code = "not_found"     // file, image or sandbox; also fs.ErrNotExist
	ErrExists        Code = "exists"        // also fs.ErrExist
	ErrPermission    Code = "permission"    // also fs.ErrPermission
	ErrNotRegular    Code = "not_regular"   // a device, FIFO or socket
	ErrIsDirectory   Code = "is_directory"  // a directory where a file was wanted
	ErrTooLarge      Code = "too_large"     // over a limit that the caller set
	ErrUnsupported   Code = "unsupported"   // not on this driver or engine; also errors.ErrUnsupported
	ErrStopped       Code = "stopped"       // Stop was called
	ErrLost          Code = "lost"          // the sandbox is gone
	ErrUnavailable   Code = "unavailable"   // nothing happened: the engine cannot be reached
	ErrIndeterminate Code = "indeterminate" // it may have run; never retried
	ErrResource      Code = "resource"      // disk, memory or processes of the sandbox or engine are used up
	ErrLimit         Code = "limit"         // a configured maximum is reached
	ErrConflict      Code = "conflict"      // something else stands in its place
	ErrBuild         Code = "build"         // an image build failed
	ErrTimeout       Code = "timeout"       // an engine did not answer in time; also context.DeadlineExceeded
	ErrProtocol      Code = "protocol"      // the other side broke the protocol
	ErrPluginExited  Code = "plugin_exited" // the driver's process ended
	ErrCanceled      Code = "canceled"      // the caller's context ended; wraps its error
	ErrInternal      Code = "internal"      // a defect of Caisson or of a driver
)

// Error returns the code's text.
func (c Code) Error() string { return string(c) }

// Is reports whether target is the code's twin in the standard library.
func (c Code) Is(target error) bool {
	switch c {
	case ErrNotFound:
		return target == fs.ErrNotExist
	case ErrExists:
		return target == fs.ErrExist
	case ErrPermission:
		return target == fs.ErrPermission
	case ErrUnsupported:
		return target == errors.ErrUnsupported
	case ErrTimeout:
		return target == context.DeadlineExceeded
	default:
		return false
	}
}

// Error is an error with its class and its place. Empty fields are left out of
// the message. It holds no environment values and no file content.
type Error struct {
	Code    Code
	Op      string // execute, upload, read, stop, start, prepare, open, ...
	Driver  string // docker, podman, fake, ...
	Sandbox string // the driver's id of the sandbox
	Path    string // the file in question
	Err     error  // the cause, or a text that says what to change
}

// Errorf returns an Error with a formatted text; %w wraps the cause.
func Errorf(code Code, op, format string, args ...any) *Error {
	return &Error{Code: code, Op: op, Err: fmt.Errorf(format, args...)}
}

// Error returns "driver: op: sandbox: path: code: cause", without the parts that are empty.
func (e *Error) Error() string {
	parts := make([]string, 0, 6)
	for _, s := range []string{e.Driver, e.Op} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	if e.Sandbox != "" {
		parts = append(parts, "sandbox "+shortID(e.Sandbox))
	}
	if e.Path != "" {
		parts = append(parts, fmt.Sprintf("%q", e.Path))
	}
	parts = append(parts, string(e.Code))
	if e.Err != nil {
		if text := e.Err.Error(); text != string(e.Code) {
			parts = append(parts, text)
		}
	}
	return strings.Join(parts, ": ")
}

// Unwrap returns the code and the cause.
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Code}
	}
	return []error{e.Code, e.Err}
}

// CodeOf returns the code of err: its first Error's, the code that answers for
// a standard error, or ErrInternal. It returns "" for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	if c, ok := errors.AsType[Code](err); ok {
		return c
	}
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return ErrCanceled
	case errors.Is(err, fs.ErrNotExist):
		return ErrNotFound
	case errors.Is(err, fs.ErrExist):
		return ErrExists
	case errors.Is(err, fs.ErrPermission):
		return ErrPermission
	case errors.Is(err, errors.ErrUnsupported):
		return ErrUnsupported
	default:
		return ErrInternal
	}
}

// Ended returns the error for a context that has ended: an ErrCanceled that
// answers errors.Is for the context's own error and for its cause, whatever that is.
func Ended(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if cause != nil && !errors.Is(cause, err) {
		err = fmt.Errorf("%w: %w", err, cause)
	}
	return &Error{Code: ErrCanceled, Err: err}
}

// Complete returns a copy of err as an [*Error] in which those of Op, Driver,
// Sandbox and Path that are empty are place's. Only the outermost Error is
// completed, since one within is a cause; what is none becomes the cause of one.
// It returns nil if err is nil.
func Complete(err error, place Error) *Error {
	if err == nil {
		return nil
	}
	e := &Error{Code: CodeOf(err), Err: err}
	if own, ok := err.(*Error); ok { //nolint:errorlint // one within is a cause
		c := *own
		e = &c
	}
	e.Op, e.Driver = cmp.Or(e.Op, place.Op), cmp.Or(e.Driver, place.Driver)
	e.Sandbox, e.Path = cmp.Or(e.Sandbox, place.Sandbox), cmp.Or(e.Path, place.Path)
	return e
}

func invalidf(format string, args ...any) *Error {
	return &Error{Code: ErrInvalid, Err: fmt.Errorf(format, args...)}
}

func shortID(id string) string {
	if len(id) > 12 {
		return id[:12]
	}
	return id
}
