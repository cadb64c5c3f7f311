package podman

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/drivers/internal/container"
)

// Build makes all instructions into one layer: Podman keeps no intermediate images then.
func (e *engine) Build(ctx context.Context, source io.Reader, b *container.Build) error {
	query, err := buildQuery(b)
	if err != nil {
		return err
	}
	res, err := e.request(ctx, http.MethodPost, "/build", query, source)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	output := b.Output
	if output == nil {
		output = io.Discard
	}
	err = e.follow(ctx, res.Body, func(text string) error {
		_, err := io.WriteString(output, text)
		return err
	})
	if _, ok := errors.AsType[*core.Error](err); ok || err == nil || ctx.Err() != nil {
		return err
	}
	return core.Errorf(core.ErrBuild, "", "%w", err)
}

func buildQuery(b *container.Build) (url.Values, error) {
	labels, err := json.Marshal(b.Labels)
	if err != nil {
		return nil, err
	}
	args, err := json.Marshal(b.Args)
	if err != nil {
		return nil, err
	}
	namespaces, mode, err := buildNetwork(b.Network)
	if err != nil {
		return nil, err
	}
	return url.Values{
		"t": {b.Tag}, "labels": {string(labels)}, "buildargs": {string(args)}, "nsoptions": {namespaces}, "networkmode": {mode},
		"layers": {"false"}, "nocache": {"true"}, "rm": {"true"}, "forcerm": {"true"}, "pull": {"false"}, "pullpolicy": {"never"},
		"httpproxy":    {"false"}, // the service's own, which is none of the build's business
		"outputformat": {"application/vnd.oci.image.manifest.v1+json"},
	}, nil
}

// buildNetwork returns the two parameters that make a network. Without the
// first Podman uses the host's, whatever the second says.
func buildNetwork(n core.Network) (namespaces, mode string, err error) {
	const engineDefault, disabled, enabled = "0", "1", "2" // of buildah's NetworkConfigurationPolicy
	ns := struct {
		Name string
		Host bool
		Path string
	}{Name: "network"}
	switch n {
	case "", core.NetworkNone:
		mode = disabled
	case core.NetworkDefault:
		mode = engineDefault
	case "host":
		mode, ns.Host = enabled, true
	default:
		mode, ns.Path = enabled, string(n)
	}
	data, err := json.Marshal([]any{ns})
	return string(data), mode, err
}

func (e *engine) RemoveImage(ctx context.Context, ref string) error {
	return e.call(ctx, http.MethodDelete, "/images/"+url.PathEscape(ref), nil, nil, nil)
}

// RemoveRest removes images only. Podman builds in containers of another kind, which are gone when a build has ended.
func (e *engine) RemoveRest(ctx context.Context, label string) error {
	filter, err := json.Marshal(map[string][]string{"dangling": {"true"}, "label": {label}})
	if err != nil {
		return err
	}
	return e.call(ctx, http.MethodPost, "/images/prune", url.Values{"filters": {string(filter)}}, nil, nil)
}
