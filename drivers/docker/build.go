package docker

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"time"

	"github.com/docker/docker/api/types/build"
	dockercontainer "github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/drivers/internal/container"
)

// Bounds of the wait for the end of a cancelled build.
const (
	stopPatience = 10 * time.Second
	stopLook     = 100 * time.Millisecond
	stopQuiet    = 5 // looks in a row that must find nothing
)

// Build uses the classic builder, which every engine has.
func (e *engine) Build(ctx context.Context, source io.Reader, b *container.Build) error {
	if !b.NoVolumes {
		return e.build(ctx, source, b)
	}
	first := *b
	first.Tag = "" // so that nobody takes it for the image that is wanted, and RemoveRest finds it
	if err := e.build(ctx, source, &first); err != nil {
		return err
	}
	images, err := e.untagged(ctx, b.Mark)
	if err != nil {
		return err
	}
	if len(images) != 1 {
		return core.Errorf(core.ErrInternal, "", "the build has left %d images where one was expected", len(images))
	}
	return e.dropVolumes(ctx, images[0].ID, b.Tag)
}

func (e *engine) build(ctx context.Context, source io.Reader, b *container.Build) error {
	args := make(map[string]*string, len(b.Args))
	for k, v := range b.Args {
		args[k] = &v
	}
	var tags []string
	if b.Tag != "" {
		tags = []string{b.Tag}
	}
	res, err := e.api.ImageBuild(ctx, source, build.ImageBuildOptions{
		Version: build.BuilderV1, Tags: tags, Labels: b.Labels, BuildArgs: args, NetworkMode: networkMode(b.Network),
		// No step is one that another build has had, and the search for one fails
		// if an image on the same base is removed meanwhile.
		NoCache: true,
		// Both: the first keeps the container of a step that fails.
		Remove: true, ForceRemove: true,
	})
	if err != nil {
		return e.classify(ctx, err)
	}
	defer res.Body.Close()
	if err := follow(res.Body, b.Output, func(core.Progress) {}); err != nil {
		if ctx.Err() != nil {
			e.settle(ctx, b.Mark)
			return e.classify(ctx, err)
		}
		if _, ok := errors.AsType[*core.Error](err); ok { // not the engine's word
			return err
		}
		return core.Errorf(core.ErrBuild, "", "%w", err)
	}
	return nil
}

// settle waits for the end of a cancelled build. The builder kills the step
// that it is in, or ends its commit, and does not say when it has; but it
// removes its containers last.
func (e *engine) settle(ctx context.Context, mark string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopPatience)
	defer cancel()
	for quiet := 0; quiet < stopQuiet; quiet++ {
		select {
		case <-time.After(stopLook):
		case <-ctx.Done():
			return
		}
		left, err := e.buildContainers(ctx, mark)
		if err != nil {
			return
		}
		if len(left) > 0 {
			quiet = -1
		}
	}
}

// buildContainers returns the ids of the containers that builds have left with a label, KEY=VALUE.
func (e *engine) buildContainers(ctx context.Context, label string) ([]string, error) {
	list, err := e.api.ContainerList(ctx, dockercontainer.ListOptions{All: true, Filters: filters.NewArgs(filters.Arg("label", label))})
	if err != nil {
		return nil, e.classify(ctx, err)
	}
	var ids []string
	for _, c := range list {
		if c.Labels[core.LabelPrefix] == "" { // else a sandbox, which has the labels of its image
			ids = append(ids, c.ID)
		}
	}
	return ids, nil
}

func networkMode(n core.Network) string {
	switch n {
	case "", core.NetworkNone:
		return "none"
	case core.NetworkDefault:
		return ""
	}
	return string(n)
}

// GuardsSteps is false: the builder kills the container of a step when its client leaves.
func (e *engine) GuardsSteps() bool { return false }

func (e *engine) RemoveImage(ctx context.Context, ref string) error {
	_, err := e.api.ImageRemove(ctx, ref, image.RemoveOptions{PruneChildren: true})
	return container.Removal(e.classify(ctx, err), func() error { _, err := e.Image(ctx, ref); return err })
}

func (e *engine) Images(ctx context.Context, label string) ([]container.Listed, error) {
	return e.list(ctx, filters.Arg("label", label))
}

// untagged lists the images with a label that have no name, and on which no other is based.
func (e *engine) untagged(ctx context.Context, label string) ([]container.Listed, error) {
	return e.list(ctx, filters.Arg("label", label), filters.Arg("dangling", "true"))
}

func (e *engine) list(ctx context.Context, by ...filters.KeyValuePair) ([]container.Listed, error) {
	images, err := e.api.ImageList(ctx, image.ListOptions{Filters: filters.NewArgs(by...)})
	if err != nil {
		return nil, e.classify(ctx, err)
	}
	list := make([]container.Listed, len(images))
	for i, img := range images {
		list[i] = container.Listed{ID: img.ID, Labels: img.Labels, Created: time.Unix(img.Created, 0)}
		for _, tag := range img.RepoTags {
			if tag != "<none>:<none>" {
				list[i].Tags = append(list[i].Tags, tag)
			}
		}
	}
	return list, nil
}

func (e *engine) RemoveRest(ctx context.Context, label string) error {
	if err := e.agree(ctx); err != nil {
		return err
	}
	containers, err := e.buildContainers(ctx, label)
	if err != nil {
		return err
	}
	for _, id := range containers {
		if err := e.Remove(ctx, id); err != nil && core.CodeOf(err) != core.ErrNotFound {
			return err
		}
	}
	// The engine prunes for one client at a time and refuses the others.
	images, err := e.untagged(ctx, label)
	if err != nil {
		return err
	}
	for _, img := range images {
		if err := e.RemoveImage(ctx, img.ID); err != nil && core.CodeOf(err) != core.ErrNotFound {
			return err
		}
	}
	return nil
}

// event is a line of the stream that pulls and builds answer with. They fail in it, not by the status of the answer.
type event struct {
	Status   string `json:"status"`
	ID       string `json:"id"`
	Stream   string `json:"stream"`
	Error    string `json:"error"`
	Progress struct {
		Current int64 `json:"current"`
		Total   int64 `json:"total"`
	} `json:"progressDetail"`
}

// follow reports the events of a stream, passes on what a build prints, and
// returns the error that it ends with. A stream that is cut off is an [*core.Error].
func follow(body io.Reader, output io.Writer, progress func(core.Progress)) error {
	if output == nil {
		output = io.Discard
	}
	layers := map[string][2]int64{}
	for dec := json.NewDecoder(body); ; {
		var ev event
		err := dec.Decode(&ev)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return core.Errorf(core.ErrUnavailable, "", "the engine's answer was cut off: %w", err)
		case ev.Error != "":
			return errors.New(ev.Error)
		case ev.Stream != "":
			if _, err := io.WriteString(output, ev.Stream); err != nil {
				return err
			}
		case ev.ID != "":
			if ev.Status == "Downloading" {
				layers[ev.ID] = [2]int64{ev.Progress.Current, ev.Progress.Total}
			}
			p := core.Progress{Kind: core.ProgressPull, Text: ev.Status}
			for _, l := range layers {
				p.Current, p.Total = p.Current+l[0], p.Total+l[1]
			}
			progress(p)
		}
	}
}
