package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"strconv"
	"time"

	"github.com/docker/docker/client"

	"github.com/caisson-dev/caisson/core"
)

// dropVolumes gives the image of one tag another, under which it declares no
// volume. No instruction of a build takes such a declaration back, and the
// engine makes a writable volume of each. So the image is loaded once more, with
// another configuration and no content: the engine has every layer.
func (e *engine) dropVolumes(ctx context.Context, from, to string) error {
	img, err := e.api.ImageInspect(ctx, from)
	if err != nil {
		return e.classify(ctx, err)
	}
	config := *img.Config
	config.Volumes = nil
	image, err := json.Marshal(map[string]any{
		"architecture": img.Architecture, "os": img.Os, "variant": img.Variant, "created": img.Created, "config": config,
		"rootfs": map[string]any{"type": img.RootFS.Type, "diff_ids": img.RootFS.Layers},
	})
	if err != nil {
		return err
	}
	layers := make([]string, len(img.RootFS.Layers))
	for i := range layers { // names of what is not in the archive
		layers[i] = strconv.Itoa(i) + "/layer.tar"
	}
	manifest, err := json.Marshal([]map[string]any{{"Config": "image.json", "RepoTags": []string{to}, "Layers": layers}})
	if err != nil {
		return err
	}
	archive := imageArchive(map[string][]byte{"image.json": image, "manifest.json": manifest})
	res, err := e.api.ImageLoad(ctx, archive, client.ImageLoadWithQuiet(true))
	if err == nil {
		defer res.Body.Close()
		err = follow(res.Body, nil, func(core.Progress) {})
	}
	err = e.classify(ctx, err)
	switch core.CodeOf(err) {
	case "", core.ErrUnavailable, core.ErrResource, core.ErrTimeout, core.ErrCanceled: // it says nothing about the image
		return err
	}
	return core.Errorf(core.ErrUnsupported, "", "the image declares volumes, which this engine would make writable without a bound; use one without (%w)", err)
}

// imageArchive is what "docker save" writes, without the layers
// (https://github.com/moby/docker-image-spec).
func imageArchive(files map[string][]byte) *bytes.Buffer {
	buf := new(bytes.Buffer)
	w := tar.NewWriter(buf)
	for name, data := range files {
		_ = w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(data)), ModTime: time.Unix(0, 0)}) // a buffer takes everything
		_, _ = w.Write(data)
	}
	_ = w.Close()
	return buf
}
