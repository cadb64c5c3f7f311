package core_test

import (
	"context"
	"errors"
	"net/url"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
)

// opener opens a stub that answers Info with err.
func opener(opened *[]*stub, err error) core.Opener {
	return func(_ context.Context, u *url.URL) (core.Driver, error) {
		d := &stub{name: u.Scheme, infoErr: err}
		*opened = append(*opened, d)
		return d, nil
	}
}

func TestRegistryOpensByScheme(t *testing.T) {
	var r core.Registry
	var opened []*stub
	r.Register("b", opener(&opened, nil))
	r.Register("a", opener(&opened, nil))
	require.Equal(t, []string{"a", "b"}, r.Schemes())
	d, err := r.Open(t.Context(), "b:///run/b.sock?x=y")
	require.NoError(t, err)
	require.Equal(t, "b", d.(*stub).name)
	for _, u := range []string{"", "b", "/run/b.sock", "c:", "://", "b://user:secret@host", ":b"} {
		_, err := r.Open(t.Context(), u)
		require.ErrorIs(t, err, core.ErrInvalid, "%q", u)
		require.NotContains(t, err.Error(), "secret")
	}
	_, err = r.Open(t.Context(), "c:")
	require.ErrorContains(t, err, "a:, b:", "it names what there is")
}

func TestRegistryRefusesDoubles(t *testing.T) {
	var r core.Registry
	var opened []*stub
	r.Register("a", opener(&opened, nil))
	for _, scheme := range []string{"a", "", "auto"} {
		require.Panics(t, func() { r.Register(scheme, opener(&opened, nil)) }, scheme)
	}
	require.Panics(t, func() { r.Register("b", nil) })
}

func TestAutoTakesTheFirstThatAnswers(t *testing.T) {
	gone := core.Errorf(core.ErrUnavailable, "info", "no socket at /run/x.sock")
	for _, c := range []struct {
		name           string
		docker, podman error
		want           string
	}{{"docker", nil, nil, "docker"}, {"podman", gone, nil, "podman"}, {"neither", gone, gone, ""}} {
		t.Run(c.name, func(t *testing.T) {
			var r core.Registry
			var opened []*stub
			r.Register("docker", opener(&opened, c.docker))
			r.Register("podman", opener(&opened, c.podman))
			d, err := r.Open(t.Context(), "auto:")
			closed := 0
			for _, s := range opened {
				closed += int(s.closed.Load())
			}
			if c.want == "" {
				require.ErrorIs(t, err, core.ErrUnavailable)
				require.ErrorContains(t, err, "/run/x.sock")
				require.Equal(t, len(opened), closed, "drivers that were given up are closed")
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.want, d.(*stub).name)
			require.Equal(t, len(opened)-1, closed)
		})
	}
	var r core.Registry
	for _, u := range []string{"auto:x", "auto://host", "auto:/path", "auto:?a=b"} {
		_, err := r.Open(t.Context(), u)
		require.ErrorIs(t, err, core.ErrInvalid, u)
	}
	_, err := r.Open(t.Context(), "auto:")
	require.ErrorIs(t, err, core.ErrUnavailable, "no engine is linked")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = r.Open(ctx, "auto:")
	require.ErrorIs(t, err, context.Canceled)
}

func TestRegistryIsForManyAtOnce(t *testing.T) {
	var r core.Registry
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			r.Register(string(rune('a'+i)), func(context.Context, *url.URL) (core.Driver, error) { return nil, errors.New("none") })
		})
		all.Go(func() {
			_, err := r.Open(t.Context(), "a:")
			if err == nil {
				t.Error("a driver from nowhere")
			}
			_ = r.Schemes()
		})
	}
	all.Wait()
	require.Len(t, r.Schemes(), 20)
}
