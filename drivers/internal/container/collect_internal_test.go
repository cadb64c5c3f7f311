package container

import (
	"context"
	"fmt"
	"regexp"
	"strings"
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
	ahead   time.Duration // its clock
}

func (b *builder) now() time.Time { return time.Now().Add(b.ahead) }

func (b *builder) Now(context.Context) (time.Time, error)                  { return b.now(), nil }
func (b *builder) Containers(context.Context, ...string) ([]Status, error) { return nil, nil }
func (b *builder) Volumes(context.Context, string) ([]Volume, error)       { return nil, nil }
func (b *builder) Images(_ context.Context, _ string) ([]Listed, error)    { return b.images, nil }
func (b *builder) RemoveImage(_ context.Context, ref string) error {
	switch {
	case ref == "used":
		return core.Errorf(core.ErrConflict, "", "in use")
	case strings.HasPrefix(ref, "broken"):
		return core.Errorf(core.ErrResource, "", "%s: no space", ref)
	}
	b.removed = append(b.removed, ref)
	return nil
}

func TestBuildsThatWereCutOffAreCollected(t *testing.T) {
	t.Parallel()
	b := &builder{ahead: -24 * time.Hour}
	img := func(id string, age time.Duration) Listed {
		return Listed{ID: id, Labels: map[string]string{runtimes.LabelBuild: "x"}, Created: b.now().Add(-age)}
	}
	done, named := img("done", 9*time.Hour), img("named", 9*time.Hour)
	done.Labels[core.LabelPrefix], named.Tags = runtimes.Kind, []string{"tag"}
	b.images = []Listed{img("left", 2*time.Hour), img("used", 2*time.Hour), img("building", time.Minute), done, named}
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

	for n, text := range map[int]string{1: "no space", 3: "no space (and 2 more)"} {
		b.images = []Listed{img("another", 2*time.Hour)}
		for i := range n {
			b.images = append(b.images, img(fmt.Sprint("broken-", i+1), 2*time.Hour))
		}
		found, err = d.Collect(t.Context(), nil)
		require.Len(t, found, 1)
		require.ErrorIs(t, err, core.ErrResource)
		require.Regexp(t, "^test: [a-z]+: resource: broken-[1-3]: "+regexp.QuoteMeta(text)+"$", err.Error())
		_, err = d.Prune(t.Context(), nil)
		require.Regexp(t, "^test: [a-z]+: resource: broken-[1-3]: "+regexp.QuoteMeta(text)+"$", err.Error())
	}
}

// skewed is an engine whose clock is not ours.
type skewed struct {
	builder
	containers []Status
	volumes    []Volume
}

func (s *skewed) Containers(context.Context, ...string) ([]Status, error) { return s.containers, nil }
func (s *skewed) Volumes(_ context.Context, label string) ([]Volume, error) {
	if label != core.LabelPrefix+"="+kindWorkspace {
		return nil, nil
	}
	return s.volumes, nil
}

func TestAgeIsByTheClockOfTheEngine(t *testing.T) {
	t.Parallel()
	for _, ahead := range []time.Duration{0, 24 * time.Hour, -24 * time.Hour} {
		e := &skewed{builder: builder{ahead: ahead}}
		for name, age := range map[string]time.Duration{"young": time.Minute, "old": time.Hour} {
			labels := map[string]string{labelOwner: "owner"}
			e.containers = append(e.containers, Status{Name: name, Labels: labels, State: Running, Created: e.now().Add(-age)})
			e.volumes = append(e.volumes, Volume{Name: name + "-files", Labels: labels, Created: e.now().Add(-age)})
		}
		found, err := New("test", e).Collect(t.Context(), &core.CollectOptions{Owner: "owner", Workspaces: true, DryRun: true})
		require.NoError(t, err)
		require.Len(t, found, 2, "ahead %v: %v", ahead, found)
		require.Equal(t, []string{"old", "old-files"}, []string{found[0].ID, found[1].ID})
	}
}

func TestOnlyOfOnesOwnAreTheYoungCollected(t *testing.T) {
	t.Parallel()
	e := new(skewed)
	for _, owner := range []string{"", "mine", "another"} {
		for what, age := range map[string]time.Duration{"young": time.Second, "old": time.Hour} {
			labels := map[string]string{labelLease: "1m0s"}
			if owner != "" {
				labels[labelOwner] = owner
			}
			e.containers = append(e.containers, Status{Name: what + " of " + owner, Labels: labels, State: Created, Created: e.now().Add(-age)})
		}
	}
	for owner, wanted := range map[string][]string{
		"":     {"old of ", "old of another", "old of mine"},
		"mine": {"old of ", "old of another", "old of mine", "young of mine"},
	} {
		found, err := New("test", e).Collect(t.Context(), &core.CollectOptions{Owner: owner, MinAge: 1, DryRun: true})
		require.NoError(t, err)
		var ids []string
		for _, l := range found {
			ids = append(ids, l.ID)
		}
		require.ElementsMatch(t, wanted, ids, "owner %q", owner)
	}
}
