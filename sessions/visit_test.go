package sessions_test

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/drivers/fake"
	"github.com/caisson-dev/caisson/sessions"
)

func visit(t *testing.T, d core.Driver, id string, o *sessions.VisitOptions) *core.Sandbox {
	t.Helper()
	sb, err := sessions.Visit(t.Context(), d, "app", id, o)
	require.NoError(t, err, "Visit(%q)", id)
	t.Cleanup(func() { require.NoError(t, sb.Stop(t.Context())) })
	return sb
}

func TestVisitDoesNotDisturb(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*sessions.Options)
	}{{"plain", func(*sessions.Options) {}}, {"pool", pooled}} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := fake.New(nil)
				m := manage(t, d, tt.change)
				synctest.Wait()
				s := get(t, m, "alice")
				running := background(t, s, "echo began > state; sleep 10; echo ended")
				time.Sleep(time.Second)

				sb := visit(t, d.Sibling(), "alice", nil)
				require.Equal(t, "began\n", sh(t, sb, "cat state; echo visited > visit; sleep 1000 &"))
				require.NoError(t, sb.Stop(t.Context()))
				_, err := sb.Execute(t.Context(), core.Shell("true"))
				require.ErrorIs(t, err, core.ErrStopped)

				require.Equal(t, "ended\n", <-running)
				require.Same(t, s, get(t, m, "alice"))
				require.Equal(t, "visited\n", read(t, s, "visit"))
				require.NotContains(t, sh(t, s, "ps"), "sleep 1000", "what the visit has started ends with it")
			})
		})
	}
}

func TestVisitOfASessionThatHibernates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := fake.New(nil)
		m := manage(t, d)
		put(t, get(t, m, "alice"), "file", "text")
		require.NoError(t, m.Hibernate(t.Context(), "alice"))

		_, err := sessions.Visit(t.Context(), d.Sibling(), "app", "alice", nil)
		require.ErrorIs(t, err, core.ErrStopped)
		wake := &sessions.VisitOptions{Wake: &core.Spec{Runtime: &core.Runtime{Image: "debian:trixie"}}}
		sb := visit(t, d.Sibling(), "alice", wake)
		require.Equal(t, "text", read(t, sb, "file"))
		put(t, sb, "file", "changed")
		require.NoError(t, sb.Stop(t.Context()))
		require.Empty(t, d.Owned("app"))
		require.Equal(t, "changed", read(t, get(t, m, "alice"), "file"))

		// Whoever has the session comes first.
		require.NoError(t, m.Hibernate(t.Context(), "alice"))
		sb = visit(t, d.Sibling(), "alice", wake)
		require.Equal(t, "changed", read(t, get(t, m, "alice"), "file"))
		_, err = sb.Execute(t.Context(), core.Shell("true"))
		require.ErrorIs(t, err, core.ErrLost)
	})
}

func TestVisitKeepsTheLabels(t *testing.T) {
	d := fake.New(nil)
	wake := &core.Spec{Runtime: debian, Labels: map[string]string{"team": "red"}}
	visit(t, d, "a/b", &sessions.VisitOptions{Create: true, Wake: wake})
	records, err := d.Sandboxes(t.Context(), "app")
	require.NoError(t, err)
	require.Len(t, records, 1)
	require.Equal(t, map[string]string{"team": "red", sessions.LabelSession: "a%2Fb"}, records[0].Labels)
	require.Equal(t, map[string]string{"team": "red"}, wake.Labels, "the caller's are as they were")
}

func TestVisitOfASessionThatIsNotThere(t *testing.T) {
	d := fake.New(nil)
	m := manage(t, d)
	_, err := sessions.Visit(t.Context(), d, "app", "alice", nil)
	require.ErrorIs(t, err, core.ErrNotFound)
	_, err = sessions.Visit(t.Context(), d, "app", "", nil)
	require.ErrorIs(t, err, core.ErrInvalid)

	from := get(t, m, "bob")
	put(t, from, "dir/file", "text")
	var archive bytes.Buffer
	require.NoError(t, from.Export(t.Context(), &archive))
	sb := visit(t, d.Sibling(), "alice", &sessions.VisitOptions{Create: true, Wake: &core.Spec{Runtime: debian}})
	require.NoError(t, sessions.Import(t.Context(), sb, &archive))
	require.NoError(t, sb.Stop(t.Context()))
	require.Equal(t, "text", read(t, get(t, m, "alice"), "dir/file"))
}
