package buildtest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/internal/enginetest"
	"github.com/caisson-dev/caisson/runtimes"
)

// contract checks what every runtime promises, on one that was built.
func (s *suite) contract(t *testing.T) {
	rt := s.runtime(func(rt *core.Runtime) {
		rt.WorkDir, rt.User, rt.Env = "/srv/my-work", "1234:2345", map[string]string{"GREETING": "good day $HOME \"\\\n#"}
		rt.SetupCommands = []string{
			"echo one >>/order; id -u >>/order", `echo "$HOME" '\' 'two' >>/order; pwd >>/order`, "cat >>/order <<'X'", "env >/environment",
			"mkdir -p /srv/my-work && echo of the image >/srv/my-work/there && chmod -R go-w /srv/my-work",
		}
		rt.Source.Network = core.NetworkNone
	})
	out := s.sh(t, rt, `cat /order; id -u; id -g; pwd; touch here && echo writable; printf '%s' "$GREETING"; grep -c GREETING /environment || true; grep -c "^[0-9]* [0-9]* [0-9:]* / / ro," /proc/self/mountinfo`)
	require.Equal(t, "/srv/my-work/.home /tmp C.UTF-8\nof the image\n", s.sh(t, rt, `echo "$HOME $TMPDIR $LANG"; cat there && rm there`))
	require.Equal(t, "one\n0\n/root \\ two\n/\n1234\n2345\n/srv/my-work\nwritable\ngood day $HOME \"\\\n#0\n1\n", out)
	require.NotContains(t, enginetest.History(t, s.scheme, s.image(t, rt)), "GREETING", "the environment is in the image")
}

// image returns the name of the image that was built for rt.
func (s *suite) image(t *testing.T, rt *core.Runtime) string {
	t.Helper()
	b, err := runtimes.NewBuild(rt, runtimes.BaseImage{ID: enginetest.ImageID(t, s.scheme, rt.BaseImage)}, nil)
	require.NoError(t, err)
	return b.Tag
}

// recorder is a setup command that puts a program in the place of a package manager, which records its arguments.
func recorder(name string) string {
	return fmt.Sprintf(`printf '#!/bin/sh\nfor a; do printf "%%%%s\\n" "$a"; done >>/recorded; echo >>/recorded\n' >/usr/local/bin/%[1]s && chmod 755 /usr/local/bin/%[1]s`, name)
}

func (s *suite) exactArguments(t *testing.T) {
	for manager, packages := range map[core.PackageManager][]string{
		core.Pip: {
			"numpy>=1,<2", "scikit-learn", "ruamel.yaml", "A_b-c.D", "a~=1.0", "a!=1.25.*", "a[x,y-z]>=1,!=1.5", "a==1!2.0+cpu", "a==2.*", "b===1", "a<2", "a>1",
			"a<=2.0rc1", "uvicorn[standard]",
		},
		core.Npm:   {"@s/p@^1", "@types/react", "vite@~5.0.1", "vite@>=5", "vite@5.x", "a@*", "a@latest", "a@1.0.0-beta.1+b", "lodash.get", "JSONStream"},
		core.Apt:   {"git", "g++", "libstdc++6", "libc6:amd64=2.36-9", "a1=1:2.3~rc1-1", "jq=1.6-2.1+deb12u1", "python3.11-venv"},
		core.Cargo: {"ripgrep", "cargo-edit", "a@^1.2", "a@~1", "a@=1.0.0", "a@>=1", "a_b", "a@1.0.0-rc.1", "fd-find@10"},
	} {
		t.Run(string(manager), func(t *testing.T) {
			t.Parallel()
			program := string(manager)
			if manager == core.Apt {
				program = "apt-get"
			}
			rt := s.runtime(func(rt *core.Runtime) {
				rt.PackageManager, rt.Packages, rt.Source.Network = manager, packages, core.NetworkNone
				rt.SetupCommands = []string{recorder(program)}
			})
			require.Contains(t, s.sh(t, rt, "cat /recorded"), "\n--\n"+strings.Join(packages, "\n")+"\n\n")
		})
	}
}

func (s *suite) noTrace(t *testing.T) {
	const ca = "-----BEGIN CERTIFICATE-----\nVGhpc0lzVHJhY2VhYmxl\n-----END CERTIFICATE-----\n"
	rt := s.runtime(func(rt *core.Runtime) {
		rt.Source = core.PackageSource{
			Index: "http://builder:s3cretOfIndex@index.invalid/simple", CA: []byte(ca), Network: core.NetworkNone,
			Proxy: "http://builder:s3cretOfProxy@proxy.invalid:3128", NoProxy: "internal.invalid",
		}
		rt.SetupCommands = []string{
			`grep -q s3cretOfIndex "$PIP_CONFIG_FILE" && grep -q VGhpc0lzVHJhY2VhYmxl "$SSL_CERT_FILE" && grep -q VGhpc0lzVHJhY2VhYmxl "$NODE_EXTRA_CA_CERTS"`,
			`grep -c 'BEGIN CERT' "$SSL_CERT_FILE" >/authorities`,
			`test "$https_proxy" = http://builder:s3cretOfProxy@proxy.invalid:3128 && test "$HTTP_PROXY" = "$https_proxy" && test "$no_proxy" = internal.invalid`,
			`echo "kept" >/kept; chown 12:34 /kept; chmod 4751 /kept`, recorder("pip"),
			`echo the password is s3cretOfIndex`,
		}
		rt.Packages = []string{"a"}
	})
	var events []string
	_, err := s.driver.Prepare(t.Context(), rt, &core.PrepareOptions{Progress: func(p core.Progress) { events = append(events, p.Text) }})
	require.NoError(t, err, "%q", events)
	require.Contains(t, events, "the password is ***")
	require.NotContains(t, events, "Terminated", "what watches over a step is silent")
	out := s.sh(t, rt, `stat -c '%u %g %a' /kept; cat /authorities; ls -d /.caisson-build /.cargo 2>/dev/null; env | grep -i -e proxy -e pip -e ssl; echo "$PATH"`)
	lines := strings.Split(out, "\n")
	require.Equal(t, "12 34 4751", lines[0])
	require.NotEqual(t, "1", lines[1], "the image's own authorities are to be trusted as well")
	require.Equal(t, "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", lines[2])
	image := s.image(t, rt)
	for _, where := range map[string]string{"history": enginetest.History(t, s.scheme, image), "layers": string(enginetest.Save(t, s.scheme, image))} {
		for _, secret := range []string{"s3cretOfIndex", "s3cretOfProxy", "VGhpc0lzVHJhY2VhYmxl", "index.invalid", "proxy.invalid", "internal.invalid"} {
			require.False(t, strings.Contains(where, secret), "%s holds %s", where[:min(len(where), 20)], secret)
		}
	}

	t.Run("of a proxy alone", func(t *testing.T) {
		rt := s.runtime(func(rt *core.Runtime) {
			rt.Source = core.PackageSource{Proxy: "http://builder:s3cretOfProxy@proxy.invalid:3128", Network: core.NetworkNone}
			rt.SetupCommands = []string{`printf %s "$https_proxy" | sha256sum | grep -q ` + sum(rt.Source.Proxy)}
		})
		s.prepare(t, rt)
		image := s.image(t, rt)
		require.False(t, strings.Contains(enginetest.History(t, s.scheme, image), "proxy.invalid"))
		require.False(t, strings.Contains(string(enginetest.Save(t, s.scheme, image)), "proxy.invalid"))
	})
}

func (s *suite) failingStep(t *testing.T) {
	rt := s.runtime(func(rt *core.Runtime) {
		rt.Source.Network = core.NetworkNone
		rt.SetupCommands = []string{"true", "echo said; echo no such thing >&2; exit 5"}
		rt.Packages = []string{"a"}
	})
	_, err := s.driver.Prepare(t.Context(), rt, nil)
	require.ErrorIs(t, err, core.ErrBuild)
	failed, ok := errors.AsType[*runtimes.BuildError](err)
	require.True(t, ok)
	require.Equal(t, 5, failed.ExitCode)
	require.Equal(t, "set up: "+rt.SetupCommands[1], failed.Title)
	require.Contains(t, failed.Log, "said")
	require.Contains(t, failed.Log, "no such thing")
	require.NotContains(t, failed.Log, "true")
	require.Contains(t, err.Error(), "exit code 5")
	s.requireNothingLeft(t)

	rt.SetupCommands[1], rt.Packages = "true", nil
	require.True(t, s.prepare(t, rt).Built)

	rt.BaseImage = "localhost/" + s.name + ":absent"
	_, err = s.driver.Prepare(t.Context(), rt, nil)
	require.Error(t, err)
	require.NotErrorIs(t, err, core.ErrBuild)
}

func (s *suite) cancel(t *testing.T) {
	marker := "marker-" + s.name
	rt := s.runtime(func(rt *core.Runtime) {
		rt.Source.Network = core.NetworkNone
		rt.SetupCommands = []string{"true", fmt.Sprintf("trap '' TERM; (setsid sleep 300 %[1]s & true) 2>/dev/null; echo started; sleep 3; echo later; while :; do sleep 1; done # %[1]s", marker)}
	})
	for _, when := range []string{"start from", "set up: true", "started", "later"} {
		t.Run("at "+when, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var once sync.Once
			var at time.Time
			_, err := s.driver.Prepare(ctx, rt, &core.PrepareOptions{Progress: func(p core.Progress) {
				if strings.HasPrefix(p.Text, when) {
					once.Do(func() { at = time.Now(); cancel() })
				}
			}})
			require.ErrorIs(t, err, context.Canceled)
			took := time.Since(at)
			t.Logf("cancelled in %v", took)
			require.Less(t, took, stopsWithin)
			require.Eventually(t, func() bool { return len(enginetest.Processes(marker)) == 0 }, 3*time.Second, 50*time.Millisecond, "the step goes on")
			s.requireNothingLeft(t)
		})
	}
	enginetest.NoBuildContainers(t, s.scheme)
}
