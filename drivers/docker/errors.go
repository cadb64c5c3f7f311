package docker

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/client"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/drivers/internal/container"
)

// classify gives an error of the client its code.
func (e *engine) classify(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	code := core.ErrInternal
	own, classified := errors.AsType[*core.Error](err)
	var network net.Error
	switch {
	case ctx.Err() != nil && errors.Is(context.Cause(ctx), container.ErrNoAnswer):
		return core.Errorf(core.ErrTimeout, "", "the engine at %s does not answer: %w", e.api.DaemonHost(), err)
	case ctx.Err() != nil:
		return core.Ended(ctx)
	case classified:
		return own
	case says(err.Error(), "database not open", "failed to update store", "transport is closing"): // of images, networks and containerd: what an engine closes first when it ends
		return core.Errorf(core.ErrUnavailable, "", "docker at %s is ending: %w", e.api.DaemonHost(), err)
	case client.IsErrConnectionFailed(err), errors.As(err, &network):
		return core.Errorf(core.ErrUnavailable, "", "docker cannot be reached at %s; start it, or set DOCKER_HOST (%w)", e.api.DaemonHost(), err)
	case errdefs.IsNotFound(err):
		code = core.ErrNotFound
	case errdefs.IsConflict(err):
		code = core.ErrConflict
	case strings.Contains(err.Error(), "no space left on device"):
		code = core.ErrResource
	case errdefs.IsInvalidArgument(err):
		code = core.ErrInvalid
	case errdefs.IsPermissionDenied(err), errdefs.IsUnauthorized(err):
		code = core.ErrPermission
	}
	return core.Errorf(code, "", "%w", err)
}

// says reports whether a text has one of the phrases in it.
func says(text string, phrases ...string) bool {
	return slices.ContainsFunc(phrases, func(p string) bool { return strings.Contains(text, p) })
}
