package fake_test

import (
	"context"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/drivers/fake"
)

func kept(s *core.Spec) { s.Owner, s.Workspace, s.Lease = "alice", "notes", time.Minute }

func read(t *testing.T, b core.Backend, path string) string {
	t.Helper()
	r, err := b.Read(t.Context(), path, nil)
	require.NoError(t, err)
	defer r.Close()
	text, err := io.ReadAll(r)
	require.NoError(t, err)
	return string(text)
}

func TestWorkspaceOutlivesItsSandbox(t *testing.T) {
	d := fake.New(nil)
	sb := start(t, d, kept)
	require.NoError(t, sb.Upload(t.Context(), "dir/file", strings.NewReader("text"), nil))

	_, err := core.Start(t.Context(), d, sb.Spec())
	require.ErrorIs(t, err, core.ErrConflict, "one sandbox at a time")
	require.ErrorIs(t, d.RemoveWorkspace(t.Context(), "alice", "notes"), core.ErrConflict)

	require.NoError(t, sb.Stop(t.Context()))
	again := start(t, d, kept)
	require.Equal(t, "text", read(t, again, "dir/file"))
	require.NoError(t, again.Upload(t.Context(), "dir/other", strings.NewReader("more"), nil))

	d.Lose(d.Owned("alice")[0])
	third := start(t, d, kept)
	require.Equal(t, "more", read(t, third, "dir/other"))

	require.NoError(t, third.Stop(t.Context()))
	require.NoError(t, d.RemoveWorkspace(t.Context(), "alice", "notes"))
	_, err = start(t, d, kept).Read(t.Context(), "dir/file", nil)
	require.ErrorIs(t, err, core.ErrNotFound)
}

func TestAttachTakesOver(t *testing.T) {
	d := fake.New(nil)
	first := start(t, d, kept)
	require.NoError(t, first.Upload(t.Context(), "file", strings.NewReader("text"), nil))

	other := d.Sibling()
	records, err := other.Sandboxes(t.Context(), "alice")
	require.NoError(t, err)
	require.Len(t, records, 1)
	require.Equal(t, "notes", records[0].Workspace)

	for what, change := range map[string]func(*core.Spec){
		"limit": func(s *core.Spec) { s.Limits.Memory *= 2 },
		"index": func(s *core.Spec) { s.Runtime.Source.Index = "https://mirror.example" },
	} {
		different, rt := *first.Spec(), *first.Spec().Runtime
		different.Runtime = &rt
		change(&different)
		_, err = core.Attach(t.Context(), other, records[0].ID, &different)
		require.ErrorIs(t, err, core.ErrConflict, what)
	}

	second, err := core.Attach(t.Context(), other, records[0].ID, first.Spec())
	require.NoError(t, err)
	require.Equal(t, "text", read(t, second, "file"))
	_, err = first.Execute(t.Context(), core.Shell("true"))
	require.ErrorIs(t, err, core.ErrConflict)
	require.NoError(t, first.Stop(t.Context()), "it leaves the sandbox to the other")
	require.Equal(t, "text", read(t, second, "file"))
	require.NoError(t, second.Stop(t.Context()))
	_, err = core.Attach(t.Context(), other, records[0].ID, first.Spec())
	require.ErrorIs(t, err, core.ErrLost)
}

func TestLeaseEndsAfterACrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := fake.New(nil)
		for _, workspace := range []string{"adopted", "left"} {
			_, err := core.Start(t.Context(), d, &core.Spec{
				Runtime: &core.Runtime{Image: "debian:bookworm"}, Owner: "alice", Workspace: workspace, Lease: time.Minute,
			})
			require.NoError(t, err)
		}
		d.Crash()
		time.Sleep(59 * time.Second)
		other := d.Sibling()
		records, err := other.Sandboxes(t.Context(), "alice")
		require.NoError(t, err)
		require.Len(t, records, 2)
		for _, r := range records {
			if r.Workspace == "adopted" {
				sb, err := core.Attach(t.Context(), other, r.ID, &core.Spec{
					Runtime: &core.Runtime{Image: "debian:bookworm"}, Owner: "alice", Workspace: "adopted", Lease: time.Minute,
				})
				require.NoError(t, err)
				defer func() { require.NoError(t, sb.Stop(context.Background())) }()
			}
		}
		time.Sleep(time.Minute)
		require.Len(t, d.Owned("alice"), 1)
	})
}

func TestCollectRemovesWhatItSelects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := fake.New(nil)
		sb, err := core.Start(t.Context(), d, &core.Spec{Runtime: &core.Runtime{Image: "debian:bookworm"}, Owner: "alice", Workspace: "notes"})
		require.NoError(t, err)
		defer func() { require.NoError(t, sb.Stop(context.Background())) }()
		require.NoError(t, d.Link(t.Context(), "alice", "name", "notes"))
		require.ErrorIs(t, d.Link(t.Context(), "alice", "notes", "x"), core.ErrConflict)
		links, err := d.Links(t.Context(), "alice")
		require.NoError(t, err)
		require.Equal(t, map[string]string{"name": "notes"}, links)
		_, err = core.Start(t.Context(), d, &core.Spec{Runtime: &core.Runtime{Image: "debian:bookworm"}, Owner: "alice", Workspace: "name"})
		require.ErrorIs(t, err, core.ErrConflict, "a link has no files")

		collect := func(o core.CollectOptions) []string {
			found, err := d.Collect(t.Context(), &o)
			require.NoError(t, err)
			var list []string
			for _, l := range found {
				list = append(list, l.Kind+" "+l.Workspace)
			}
			return list
		}
		mine := core.CollectOptions{Owner: "alice", Workspaces: true}
		require.Empty(t, collect(mine), "too young")
		time.Sleep(core.DefaultMinAge)
		require.Empty(t, collect(core.CollectOptions{}), "of an owner who lives")
		require.Empty(t, collect(core.CollectOptions{Owner: "bob", Workspaces: true}))
		dry := mine
		dry.DryRun = true
		everything := []string{"sandbox notes", "workspace name", "workspace notes"}
		require.Equal(t, everything, collect(dry))
		keep := mine
		keep.Keep = func(l core.Leftover) bool { return l.Kind == core.LeftoverSandbox }
		require.Equal(t, []string{"workspace name"}, collect(keep))
		require.Equal(t, []string{"sandbox notes", "workspace notes"}, collect(mine))
		require.Empty(t, d.Owned(""))

		claimed, err := core.Start(t.Context(), d, &core.Spec{Runtime: &core.Runtime{Image: "debian:bookworm"}, Owner: "alice", Workspace: "notes"})
		require.NoError(t, err)
		require.NoError(t, claimed.Stop(t.Context()))
		time.Sleep(core.DefaultMinAge)
		claim := mine
		claim.Keep = func(core.Leftover) bool {
			claimed, err = core.Start(t.Context(), d, &core.Spec{Runtime: &core.Runtime{Image: "debian:bookworm"}, Owner: "alice", Workspace: "notes"})
			require.NoError(t, err)
			return false
		}
		require.Empty(t, collect(claim), "somebody has begun to use it")
		_, err = core.Start(t.Context(), d, claimed.Spec())
		require.ErrorIs(t, err, core.ErrConflict)
		require.NoError(t, claimed.Stop(t.Context()))
	})
}
