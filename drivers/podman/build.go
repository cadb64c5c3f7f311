package podman

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"time"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/drivers/internal/container"
	"github.com/caisson-dev/caisson/runtimes"
)

// stopPatience is how long a cancelled build has to end before it is left alone.
const stopPatience = 1500 * time.Millisecond

// Build makes all instructions into one layer: Podman keeps no intermediate images then.
func (e *engine) Build(ctx context.Context, source io.Reader, b *container.Build) error {
	query, err := buildQuery(b)
	if err != nil {
		return err
	}
	// The service goes on with a step when the request is cut off, so that is
	// the last thing to be done.
	request, cutOff := context.WithCancel(context.WithoutCancel(ctx))
	defer cutOff()
	step := newStepFinder(b.Output)
	ended := make(chan error, 1)
	go func() { ended <- e.build(request, b.Dial, query, source, step) }()
	select {
	case err = <-ended:
		return err
	case <-ctx.Done():
	}
	timer := time.AfterFunc(stopPatience, cutOff)
	defer timer.Stop()
	for found := step.found; ; found = nil {
		select {
		case <-found:
			// It is of the storage's containers, which are not Podman's, and goes by the beginning of its
			// id, the step's host name. The guard in the step ends that, and with it the build.
			_ = e.call(request, http.MethodDelete, "/containers/"+step.name, url.Values{"force": {"true"}}, nil, nil)
		case <-ended:
			return e.unreachable(ctx, context.Cause(ctx)) // whoever has ended it, the caller or a bound of ours
		}
	}
}

func (e *engine) build(ctx context.Context, dial func() net.Conn, query url.Values, source io.Reader, output io.Writer) error {
	var over *http.Client
	if dial != nil {
		if conn := dial(); conn != nil {
			defer conn.Close()
			over = &http.Client{Transport: &http.Transport{
				DisableKeepAlives: true, DialContext: func(context.Context, string, string) (net.Conn, error) { return conn, nil },
			}}
		}
	}
	// Of a plain reader no length is known, so the request is in chunks.
	res, err := e.requestOver(ctx, over, http.MethodPost, "/build", query, struct{ io.Reader }{source})
	if err != nil {
		return err
	}
	defer res.Body.Close()
	err = e.follow(ctx, res.Body, func(text string) error {
		_, err := io.WriteString(output, text)
		return err
	})
	if _, ok := errors.AsType[*core.Error](err); ok || err == nil || ctx.Err() != nil {
		return err
	}
	return core.Errorf(core.ErrBuild, "", "%w", err)
}

// stepFinder passes on the output of a build and finds the name of the
// container that its steps run in. What a step itself prints comes too late to mislead it.
type stepFinder struct {
	output io.Writer
	line   []byte
	name   string // once found is closed
	found  chan struct{}
}

func newStepFinder(output io.Writer) *stepFinder {
	if output == nil {
		output = io.Discard
	}
	return &stepFinder{output: output, found: make(chan struct{})}
}

var guarded = regexp.MustCompile(`\A` + runtimes.GuardLine + `([0-9a-f]{12})\z`)

func (f *stepFinder) Write(p []byte) (int, error) {
	for _, b := range p {
		switch {
		case b != '\n' && len(f.line) < 128:
			f.line = append(f.line, b)
		case b == '\n':
			if m := guarded.FindSubmatch(f.line); m != nil && f.name == "" {
				f.name = string(m[1])
				close(f.found)
			}
			f.line = f.line[:0]
		}
	}
	return f.output.Write(p)
}

// GuardsSteps is true: a step goes on when the client has left.
func (e *engine) GuardsSteps() bool { return true }

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

func (e *engine) Images(ctx context.Context, label string) ([]container.Listed, error) {
	var images []struct {
		ID       string `json:"Id"`
		RepoTags []string
		Labels   map[string]string
		Created  int64
	}
	err := settled(func() error {
		return e.call(ctx, http.MethodGet, "/images/json", url.Values{"filters": {labelled(label)}}, nil, &images)
	})
	if err != nil {
		return nil, err
	}
	list := make([]container.Listed, len(images))
	for i, img := range images {
		list[i] = container.Listed{ID: img.ID, Tags: img.RepoTags, Labels: img.Labels, Created: time.Unix(img.Created, 0)}
	}
	return list, nil
}

func (e *engine) RemoveImage(ctx context.Context, ref string) error {
	err := e.call(ctx, http.MethodDelete, "/images/"+url.PathEscape(ref), nil, nil, nil)
	return container.Removal(err, func() error { _, err := e.Image(ctx, ref); return err })
}

// RemoveRest removes images only. Podman builds in containers of another kind, which are gone when a build has ended.
func (e *engine) RemoveRest(ctx context.Context, label string) error {
	filter, err := json.Marshal(map[string][]string{"dangling": {"true"}, "label": {label}})
	if err != nil {
		return err
	}
	return settled(func() error {
		return e.call(ctx, http.MethodPost, "/images/prune", url.Values{"filters": {string(filter)}}, nil, nil)
	})
}

// settled repeats a call on all images, volumes or containers that fails because one
// of them was removed meanwhile: the service looks at one after the other.
func settled(call func() error) (err error) {
	for range 20 {
		if err = call(); core.CodeOf(err) != core.ErrNotFound {
			return err
		}
	}
	return err
}
