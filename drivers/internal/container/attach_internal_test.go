package container

import (
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// lister is an engine that knows who is asked for.
type lister struct {
	Engine
	labels []string
}

func (l *lister) Containers(_ context.Context, labels ...string) ([]Status, error) {
	l.labels = slices.Sorted(slices.Values(labels))
	return []Status{
		{Name: "a", Labels: map[string]string{labelOwner: "me"}},
		{Name: "b", Labels: map[string]string{labelOwner: "another"}},
	}, nil
}

// TestOwnersAreListedAlone: Podman takes the lock of each container that it
// lists, and whatever else is done to the container may hold that for seconds.
func TestOwnersAreListedAlone(t *testing.T) {
	e := new(lister)
	d := &Driver{engine: e}
	records, err := d.Sandboxes(t.Context(), "me")
	require.NoError(t, err)
	require.Len(t, records, 1)
	require.Equal(t, []string{"dev.caisson.owner=me", "dev.caisson=sandbox"}, e.labels)
	records, err = d.Sandboxes(t.Context(), "")
	require.NoError(t, err)
	require.Len(t, records, 2)
	require.Equal(t, []string{"dev.caisson=sandbox"}, e.labels)
}
