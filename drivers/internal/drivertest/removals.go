package drivertest

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/drivers/internal/container"
	"github.com/caisson-dev/caisson/internal/enginetest"
)

// Removals checks that many may remove one thing at the same time, as processes
// that collect do, and list what there is meanwhile: it is gone, and was there
// for one or for none of the others.
func Removals(t *testing.T, scheme string, e container.Engine) {
	t.Helper()
	const rounds, together = 8, 6
	drv := enginetest.Open(t, scheme)
	mark := "caisson-removals-" + strings.ToLower(rand.Text()[:12])
	label := mark + "=yes"
	for _, kind := range []struct {
		name   string
		create func(t *testing.T, name string) (id string)
		remove func(context.Context, string) error
		list   func(context.Context) (int, error)
	}{
		{"images", func(t *testing.T, name string) string {
			ref := "localhost/" + mark + ":" + name
			enginetest.Build(t, scheme, ref, fmt.Sprintf("FROM scratch\nLABEL %s name=%s\nCMD [\"none\"]\n", label, name))
			return enginetest.ImageID(t, scheme, ref)
		}, e.RemoveImage, func(ctx context.Context) (int, error) {
			found, err := e.Images(ctx, label)
			return len(found), err
		}},
		{"volumes", func(t *testing.T, name string) string {
			require.NoError(t, e.ReserveVolume(t.Context(), mark+name, map[string]string{mark: "yes"}))
			return mark + name
		}, e.RemoveVolume, func(ctx context.Context) (int, error) {
			found, err := e.Volumes(ctx, label)
			return len(found), err
		}},
		{"containers", func(t *testing.T, _ string) string {
			return name(t, enginetest.Start(t, drv, &core.Spec{Runtime: &core.Runtime{Image: enginetest.Image()}, Owner: mark}))
		}, e.Remove, func(ctx context.Context) (int, error) {
			found, err := e.Containers(ctx, core.LabelPrefix+".owner="+mark)
			return len(found), err
		}},
	} {
		t.Run(kind.name, func(t *testing.T) {
			for round := range rounds {
				id := kind.create(t, fmt.Sprint(round))
				var all sync.WaitGroup
				for range together {
					all.Go(func() {
						if err := kind.remove(t.Context(), id); err != nil && core.CodeOf(err) != core.ErrNotFound {
							t.Errorf("remove: %v", err)
						}
						if _, err := kind.list(t.Context()); err != nil {
							t.Errorf("list: %v", err)
						}
					})
				}
				all.Wait()
				left, err := kind.list(t.Context())
				require.NoError(t, err)
				require.Zero(t, left)
			}
		})
	}
}
