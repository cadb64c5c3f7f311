package container

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/runtimes"
)

const kindLayer = "layer" // the helper on top of an image

var _ core.Pruner = (*Driver)(nil)

// Prune removes images that are superseded; see core.Pruner.
func (d *Driver) Prune(ctx context.Context, opts *core.PruneOptions) ([]core.PrunedImage, error) {
	if opts == nil {
		opts = new(core.PruneOptions)
	}
	images, err := d.engine.Images(ctx, core.LabelPrefix)
	if err != nil {
		return nil, d.fail("prune", err)
	}
	rest, err := d.engine.Images(ctx, runtimes.LabelBuild)
	if err != nil {
		return nil, d.fail("prune", err)
	}
	now, err := d.engine.Now(ctx)
	if err != nil {
		return nil, d.fail("prune", err)
	}
	pruned, err := d.removeImages(ctx, superseded(images, rest, opts, now), opts.DryRun)
	if err != nil {
		return pruned, d.fail("prune", err)
	}
	return pruned, nil
}

// superseded returns the images to remove, each with those on top of it.
// Images have our label, rest has the label of a build.
func superseded(images, rest []Listed, opts *core.PruneOptions, now time.Time) [][]Listed {
	wanted := func(img Listed) bool { return opts.Runtime == "" || img.Labels[runtimes.LabelRuntime] == opts.Runtime }
	slices.SortFunc(images, func(a, b Listed) int { return b.Created.Compare(a.Created) })
	layers, newest, kept := map[string][]Listed{}, map[string]bool{}, map[string]bool{}
	for _, img := range images {
		if _, others := names(&img); img.Labels[core.LabelPrefix] == kindLayer && !others {
			base := bare(img.Labels[runtimes.LabelBase])
			layers[base] = append(layers[base], img)
		}
	}
	var groups [][]Listed
	for _, img := range images {
		if img.Labels[core.LabelPrefix] != runtimes.Kind {
			continue
		}
		if ours, others := names(&img); others {
			kept[bare(img.ID)] = true
			if !ours {
				continue
			}
		}
		name := img.Labels[runtimes.LabelRuntime]
		first := name == "" || !newest[name]
		newest[name] = true
		if kept[bare(img.ID)] {
			continue
		}
		// One without a name of its own was replaced by a newer one of the same tag.
		if wanted(img) && (opts.All || !first || len(img.Tags) == 0) {
			groups = append(groups, append(layers[bare(img.ID)], img))
		}
		delete(layers, bare(img.ID))
	}
	for _, list := range layers { // on ready-made images, and on such as a newer one has replaced
		replaced := list[0].Labels[runtimes.LabelDigest] != "" && !kept[bare(list[0].Labels[runtimes.LabelBase])]
		if wanted(list[0]) && (opts.All || replaced) {
			groups = append(groups, list)
		}
	}
	for _, img := range rest {
		if unfinished(&img, now) && wanted(img) {
			groups = append(groups, []Listed{img})
		}
	}
	return groups
}

// names reports whether an image has names that Caisson gives, and whether it has
// others. One with others is somebody's: he has tagged one of ours, or built on top of it,
// whereby his has our labels too.
func names(img *Listed) (ours, others bool) {
	for _, tag := range img.Tags {
		if strings.HasPrefix(tag, runtimes.Repository+":") || strings.HasPrefix(tag, runtimes.Repository+"/") || strings.HasPrefix(tag, layerRepository+":") {
			ours = true
		} else {
			others = true
		}
	}
	return ours, others
}

// unfinished reports whether an image with the label of a build is one that the
// build has left on its way. One that is under way needs its own.
func unfinished(img *Listed, now time.Time) bool {
	return img.Labels[core.LabelPrefix] == "" && len(img.Tags) == 0 && now.Sub(img.Created) > buildTimeout
}

// removeImages removes each group from its top, as far as nobody uses it.
func (d *Driver) removeImages(ctx context.Context, groups [][]Listed, dryRun bool) ([]core.PrunedImage, error) {
	var pruned []core.PrunedImage
	var failed []error
	for _, group := range groups {
		for _, img := range group {
			name := strings.Join(img.Tags, " ")
			var err error
			if !dryRun {
				err = d.removeNames(ctx, img)
			}
			switch core.CodeOf(err) {
			case "":
				pruned = append(pruned, core.PrunedImage{ID: img.ID, Name: name, Runtime: img.Labels[runtimes.LabelRuntime], Created: img.Created})
				continue
			case core.ErrNotFound: // with what was on top of it
				continue
			case core.ErrConflict: // in use, and so is all below
			default:
				failed = append(failed, err)
			}
			break
		}
	}
	return pruned, failures(failed)
}

// removeNames removes an image by its names, of which the last takes the image with it, if it has any.
func (d *Driver) removeNames(ctx context.Context, img Listed) error {
	if len(img.Tags) == 0 {
		return d.engine.RemoveImage(ctx, img.ID)
	}
	for _, tag := range img.Tags {
		if err := d.engine.RemoveImage(ctx, tag); err != nil {
			return err
		}
	}
	return nil
}

// bare is an image id without its algorithm.
func bare(id string) string { return id[strings.IndexByte(id, ':')+1:] }
