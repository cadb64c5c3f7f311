package container

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/runtimes"
)

// builder is an engine on which there are images only.
type builder struct {
	Engine
	images  []Listed
	removed []string
}

func (b *builder) Containers(context.Context, string) ([]Status, error) { return nil, nil }
func (b *builder) Volumes(context.Context, string) ([]Volume, error)    { return nil, nil }
func (b *builder) Images(_ context.Context, _ string) ([]Listed, error) { return b.images, nil }
func (b *builder) RemoveImage(_ context.Context, ref string) error {
	if ref == "used" {
		return core.Errorf(core.ErrConflict, "", "in use")
	}
	b.removed = append(b.removed, ref)
	return nil
}

func TestBuildsThatWereCutOffAreCollected(t *testing.T) {
	t.Parallel()
	img := func(id string, age time.Duration) Listed {
		return Listed{ID: id, Labels: map[string]string{runtimes.LabelBuild: "x"}, Created: time.Now().Add(-age)}
	}
	done, named := img("done", 9*time.Hour), img("named", 9*time.Hour)
	done.Labels[core.LabelPrefix], named.Tags = runtimes.Kind, []string{"tag"}
	b := &builder{images: []Listed{img("left", 2*time.Hour), img("used", 2*time.Hour), img("building", time.Minute), done, named}}
	d := New("test", b)
	found, err := d.Collect(t.Context(), &core.CollectOptions{DryRun: true})
	require.NoError(t, err)
	require.Len(t, found, 2)
	require.Empty(t, b.removed)
	found, err = d.Collect(t.Context(), nil)
	require.NoError(t, err)
	require.Len(t, found, 1)
	require.Equal(t, core.LeftoverImage, found[0].Kind)
	require.Equal(t, []string{"left"}, b.removed)
}
