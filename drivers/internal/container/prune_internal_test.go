package container

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/runtimes"
)

func TestSuperseded(t *testing.T) {
	t.Parallel()
	now := time.Now()
	img := func(id, kind, name, base string, age time.Duration) Listed {
		tag := layerRepository + ":" + id
		if kind == runtimes.Kind {
			tag = runtimes.Repository + "/" + name + ":" + id
		}
		l := Listed{ID: "sha256:" + id, Tags: []string{tag}, Labels: map[string]string{core.LabelPrefix: kind}, Created: now.Add(-age)}
		if base != "" {
			l.Labels[runtimes.LabelBase] = "sha256:" + base
		}
		if name != "" {
			l.Labels[runtimes.LabelRuntime], l.Labels[runtimes.LabelDigest] = name, "digest"
		}
		return l
	}
	tagged := func(l Listed, tags ...string) Listed { l.Tags = tags; return l }
	also := func(l Listed, tag string) Listed { return tagged(l, l.Tags[0], tag) }
	images := []Listed{
		img("web-old", "runtime", "web", "python", 3*time.Hour),
		img("web-new", "runtime", "web", "python", time.Hour),
		img("web-old-layer", "layer", "web", "web-old", 2*time.Hour),
		img("web-new-layer", "layer", "web", "web-new", time.Hour),
		img("web2-only", "runtime", "web2", "python", 9*time.Hour),
		img("unnamed-a", "runtime", "", "python", 9*time.Hour),
		img("unnamed-b", "runtime", "", "python", 8*time.Hour),
		img("python-layer", "layer", "", "python", 9*time.Hour),
		img("replaced-layer", "layer", "web2", "web2-that-is-gone", 9*time.Hour),
		tagged(img("web2-untagged", "runtime", "web2", "python", 10*time.Hour)),
		tagged(img("derived", "runtime", "web", "python", time.Minute), "registry.example/derived:1"),
		img("derived-layer", "layer", "web", "derived", time.Minute),
		tagged(img("on-a-layer", "layer", "web", "web-new", time.Minute), "registry.example/layer:1"),
		also(img("web3-tagged-too", "runtime", "web3", "python", 9*time.Hour), "registry.example/web:3"),
		img("web3-layer", "layer", "web3", "web3-tagged-too", 9*time.Hour),
		img("web3-older", "runtime", "web3", "python", 10*time.Hour),
		img("workspace", "other", "web", "", 9*time.Hour),
	}
	step := func(id string, age time.Duration) Listed {
		return Listed{ID: "sha256:" + id, Labels: map[string]string{runtimes.LabelBuild: "x", runtimes.LabelRuntime: "web"}, Created: now.Add(-age)}
	}
	rest := append(slices.Clone(images[:2]), step("left", 2*time.Hour), step("building", time.Minute))
	for name, c := range map[string]struct {
		opts core.PruneOptions
		want []string
	}{
		"default":      {core.PruneOptions{}, []string{"web-old-layer web-old", "replaced-layer", "web2-untagged", "web3-older", "left"}},
		"of a name":    {core.PruneOptions{Runtime: "web"}, []string{"web-old-layer web-old", "left"}},
		"absent":       {core.PruneOptions{Runtime: "we"}, nil},
		"all of a one": {core.PruneOptions{Runtime: "web2", All: true}, []string{"web2-only", "replaced-layer", "web2-untagged"}},
		"all": {core.PruneOptions{All: true}, []string{
			"web-new-layer web-new", "web-old-layer web-old", "derived-layer", "web3-layer", "web3-older", "unnamed-a", "unnamed-b", "web2-only", "web2-untagged", "python-layer", "replaced-layer", "left",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, group := range superseded(slices.Clone(images), slices.Clone(rest), &c.opts, now) {
				text := ""
				for _, l := range group {
					text += " " + bare(l.ID)
				}
				got = append(got, text[1:])
			}
			slices.Sort(got)
			slices.Sort(c.want)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}
