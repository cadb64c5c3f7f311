package fake_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/drivers/fake"
	"github.com/caisson-dev/caisson/runtimes"
)

// TestFilesPersist writes a greeting in one command and reads it in the next,
// and takes a table in, has it worked on, and reads the result back.
func TestFilesPersist(t *testing.T) {
	sb := start(t, fake.New(nil))
	_, err := sb.Execute(t.Context(), core.Shell("echo 'hello from before' > greeting.txt"))
	require.NoError(t, err)
	res, err := sb.Execute(t.Context(), core.Program("cat", "greeting.txt"))
	require.NoError(t, err)
	require.Equal(t, "hello from before\n", res.Stdout.String())

	table := "name,score\nada,3\nbob,1\ncy,2\n"
	require.NoError(t, sb.Upload(t.Context(), "data/scores.csv", strings.NewReader(table), nil))
	res, err = sb.Execute(t.Context(), core.Shell(`
		{ head -n 1 data/scores.csv; tail -n +2 data/scores.csv | sort -t, -k2,2nr; } > sorted.csv
		total=0
		while IFS=, read -r name score; do
			[ "$name" = name ] || total=$((total + score))
		done < sorted.csv
		printf 'total,%d\0\377' $total >> sorted.csv`))
	require.NoError(t, err)
	require.True(t, res.Success(), "%s", res.Stderr.String())
	r, err := sb.Read(t.Context(), "sorted.csv", nil)
	require.NoError(t, err)
	got, err := io.ReadAll(r)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	require.Equal(t, []byte("name,score\nada,3\ncy,2\nbob,1\ntotal,6\x00\xff"), got)
}

// TestTheHostIsOutOfReach looks for what of the host could leak in: its files
// by every way that a shell opens, lists or finds them, and its environment.
func TestTheHostIsOutOfReach(t *testing.T) {
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret")
	require.NoError(t, os.WriteFile(secret, []byte("host secret"), 0o755))
	t.Setenv("CAISSON_HOST_SECRET", "host secret")
	t.Setenv("HOME", dir)
	t.Setenv("PATH", dir)
	t.Chdir(dir)
	sb := start(t, fake.New(nil))
	for _, script := range []string{
		"cat secret", "cat < secret", ". ./secret", "echo s*", "echo " + dir + "/*", "cd " + dir, "test -e " + secret,
		"command -v secret", "type secret", "secret", secret, "ls " + dir, "find " + dir, "cp " + secret + " x", "readlink -e " + secret,
		"case $(env) in *'host secret'*) exit 0;; *) exit 1;; esac", "printenv CAISSON_HOST_SECRET", "pwd | grep " + dir, "cat ~/secret", "cat ~root/secret ~nobody/secret",
		"[ secret -ef secret ]", "sh secret", "PATH=" + dir + " command -v secret", "x=secret; cat $x", "pwd -P | grep " + dir, "exec 3<secret",
	} {
		res, err := sb.Execute(t.Context(), core.Shell(script))
		require.NoError(t, err)
		require.NotContains(t, res.Stdout.String()+res.Stderr.String(), "host secret", script)
		if !strings.HasPrefix(script, "echo ") {
			require.False(t, res.Success(), script)
		}
	}
	res, err := sb.Execute(t.Context(), core.Shell("echo s* "+dir+"/*; echo x > secret; mkdir -p "+dir+" 2>/dev/null"))
	require.NoError(t, err)
	require.Equal(t, "s* "+dir+"/*\n", res.Stdout.String())
	kept, err := os.ReadFile(secret)
	require.NoError(t, err)
	require.Equal(t, "host secret", string(kept))
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 1, "nothing was written to the host")
}

func TestSandboxesAreApart(t *testing.T) {
	d := fake.New(nil)
	a, b := start(t, d), start(t, d)
	_, err := a.Execute(t.Context(), core.Shell("echo mine > file; echo mine > /tmp/file; sleep 1000 &"))
	require.NoError(t, err)
	res, err := b.Execute(t.Context(), core.Shell("ls file /tmp/file; ps -e -o args= | grep -c '[s]leep 1000'"))
	require.NoError(t, err)
	require.Equal(t, "0\n", res.Stdout.String())
}

func TestProfiles(t *testing.T) {
	for profile, want := range map[core.Profile]string{
		core.Strict:   "uid=1000(user) gid=1000(user) groups=1000(user)\nCapEff:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\ntouch: cannot touch '/etc/x': Read-only file system\n",
		core.Standard: "uid=1000(user) gid=1000(user) groups=1000(user)\nCapEff:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\ntouch: cannot touch '/etc/x': Permission denied\n",
		core.Relaxed:  "uid=0(root) gid=0(root) groups=0(root)\nCapEff:\t00000000000000cb\nNoNewPrivs:\t1\nSeccomp:\t2\n",
	} {
		t.Run(string(profile), func(t *testing.T) {
			sb := start(t, fake.New(nil), func(s *core.Spec) { s.Profile = profile })
			res, err := sb.Execute(t.Context(), core.Shell("id; grep -E '^(CapEff|NoNewPrivs|Seccomp):' /proc/self/status; touch /etc/x 2>&1; touch /tmp/x x"))
			require.NoError(t, err)
			require.Equal(t, want, res.Stdout.String())
			require.Empty(t, res.Stderr.String(), "/tmp and the work directory can be written")
			res, err = sb.Execute(t.Context(), core.Shell("cat /proc/net/route | wc -l; grep -c : /proc/net/dev; echo x > /dev/null; head -c 2 /dev/zero | od -An -tx1; readlink /uploads; echo $HOME; kill -0 1; echo $?"))
			require.NoError(t, err)
			want := "1\n1\n 00 00\n/workspace/.uploads\n/workspace/.home\n1\n"
			if profile == core.Relaxed {
				want = strings.TrimSuffix(want, "1\n") + "0\n" // root may signal, though it does not help
			}
			require.Equal(t, want, res.Stdout.String())
		})
	}
}

func TestANetworkIsUnsupported(t *testing.T) {
	_, err := core.Start(t.Context(), fake.New(nil), &core.Spec{Runtime: &core.Runtime{Image: "debian"}, Network: core.NetworkDefault})
	require.ErrorIs(t, err, core.ErrUnsupported)
}

func TestPrepare(t *testing.T) {
	d := fake.New(&fake.Options{Missing: []string{"private:1"}})
	for _, image := range []string{"missing/image:1", "registry.example:5000/missing/x", "private:1"} {
		_, err := d.Prepare(t.Context(), &core.Runtime{Image: image}, nil)
		require.ErrorIs(t, err, core.ErrNotFound, image)
	}
	var kinds []core.ProgressKind
	opts := &core.PrepareOptions{Progress: func(p core.Progress) { kinds = append(kinds, p.Kind) }}
	first, err := d.Prepare(t.Context(), &core.Runtime{Image: "debian"}, opts)
	require.NoError(t, err)
	require.Equal(t, core.ProgressPull, kinds[0])
	require.Equal(t, core.ProgressDone, kinds[len(kinds)-1])
	kinds = nil
	again, err := d.Prepare(t.Context(), &core.Runtime{Image: "debian"}, opts)
	require.NoError(t, err)
	require.Equal(t, first, again)
	require.Equal(t, []core.ProgressKind{core.ProgressDone}, kinds, "it is there already")
}

func TestBuilds(t *testing.T) {
	d := fake.New(nil)
	rt := &core.Runtime{
		BaseImage: "debian", Packages: []string{"numpy==1.0"},
		SetupCommands: []string{"echo built > /etc/built", "test -e /etc/built && echo progress"},
	}
	var log []string
	opts := &core.PrepareOptions{Progress: func(p core.Progress) {
		if p.Kind == core.ProgressLog {
			log = append(log, p.Text)
		}
	}}
	p, err := d.Prepare(t.Context(), rt, opts)
	require.NoError(t, err)
	require.True(t, p.Built)
	require.Equal(t, []string{"progress", "installed numpy==1.0"}, log)
	again, err := d.Prepare(t.Context(), rt, nil)
	require.NoError(t, err)
	require.False(t, again.Built)
	require.Equal(t, p.ID, again.ID)
	var mirrored []*core.Prepared
	for _, user := range []string{"", "me:secret@", "you@"} {
		m := *rt
		m.Source.Index = "https://" + user + "mirror.example/simple"
		p, err := d.Prepare(t.Context(), &m, nil)
		require.NoError(t, err)
		mirrored = append(mirrored, p)
	}
	require.NotEqual(t, p.ID, mirrored[0].ID, "the index is part of what a runtime is")
	require.True(t, mirrored[0].Built)
	require.Equal(t, mirrored[0].ID, mirrored[1].ID, "who asks it is not")
	require.False(t, mirrored[1].Built)
	require.Equal(t, mirrored[0].ID, mirrored[2].ID)
	fresh, err := d.Prepare(t.Context(), rt, &core.PrepareOptions{NoCache: true})
	require.NoError(t, err)
	require.True(t, fresh.Built)

	sb := start(t, d, func(s *core.Spec) { s.Runtime = rt })
	res, err := sb.Execute(t.Context(), core.Shell("cat /etc/built /var/lib/caisson/packages"))
	require.NoError(t, err)
	require.Equal(t, "built\npip numpy==1.0\n", res.Stdout.String())

	for want, rt := range map[runtimes.BuildError]*core.Runtime{
		{Step: 2, Steps: 2, Title: "pip install caisson-fails", Reason: `no package "caisson-fails"`}: {BaseImage: "debian", PackageManager: core.Pip, Packages: []string{"caisson-fails"}},
		{Step: 3, Steps: 3, Title: "RUN echo why; exit 3", ExitCode: 3, Log: "why\n"}:                 {BaseImage: "debian", SetupCommands: []string{"true", "echo why; exit 3"}},
	} {
		_, err := d.Prepare(t.Context(), rt, nil)
		require.ErrorIs(t, err, core.ErrBuild)
		failed, ok := errors.AsType[*runtimes.BuildError](err)
		require.True(t, ok, "as on the engines")
		require.Equal(t, want, *failed)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err = d.Prepare(ctx, &core.Runtime{BaseImage: "debian", SetupCommands: []string{"sleep 1000"}}, nil)
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestCanceledCallsSayWhy(t *testing.T) {
	d := fake.New(nil)
	own := errors.New("own reason")
	calls := map[string]func(ctx context.Context, cancel func()) error{
		"info": func(ctx context.Context, cancel func()) error {
			cancel()
			_, err := d.Info(ctx)
			return err
		},
		"setup": func(ctx context.Context, cancel func()) error {
			time.AfterFunc(20*time.Millisecond, cancel)
			_, err := d.Prepare(ctx, &core.Runtime{BaseImage: "debian", SetupCommands: []string{"sleep 1000"}}, nil)
			return err
		},
	}
	for name, call := range calls {
		ctx, cancel := context.WithCancelCause(t.Context())
		err := call(ctx, func() { cancel(own) })
		for _, want := range []error{core.ErrCanceled, context.Canceled, own} {
			require.ErrorIs(t, err, want, name)
		}
		require.ErrorContains(t, err, "fake: ", name)
	}
}

func TestNamesOfFilesAreBytes(t *testing.T) {
	sb := start(t, fake.New(nil))
	for _, name := range []string{"two words", "new\nline", "-rf", "$(x)", "\xff\xfe", strings.Repeat("n", 255)} {
		require.NoError(t, sb.Upload(t.Context(), "dir/"+name, bytes.NewReader([]byte(name)), nil))
		res, err := sb.Execute(t.Context(), core.Program("cat", "--", "dir/"+name))
		require.NoError(t, err)
		require.Equal(t, name, string(res.Stdout.Bytes()))
	}
}
