package core_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
)

// TestNothingThatIsPrintedShowsSecrets holds every way in which programs print
// values to showing which variables there are, and not what they hold.
func TestNothingThatIsPrintedShowsSecrets(t *testing.T) {
	const secret = "hunter2"
	env := map[string]string{"API_KEY": secret, "TOKEN": secret}
	source := core.PackageSource{
		Index: "https://user:" + secret + "@index.example/simple", Proxy: "http://" + secret + "@proxy.example:3128", CA: []byte(secret),
	}
	rt := core.Runtime{Name: "python", BaseImage: "python:3.12", Packages: []string{"numpy"}, Env: env, Source: source}
	spec := core.Spec{Runtime: &rt, Owner: "app", Lease: time.Minute, Progress: func(core.Progress) {}}
	cmd := core.Command{Args: []string{"python3", "-c", "print()"}, Env: env, Stdin: strings.NewReader(secret), Stdout: new(bytes.Buffer)}
	type nested struct {
		Runtime core.Runtime
		Spec    core.Spec
		Command core.Command
		Source  core.PackageSource
	}
	values := map[string]struct {
		value any
		shows []string // in text; empty for what holds no variables
	}{
		"runtime":         {rt, []string{"python", "API_KEY", "TOKEN", "index.example"}},
		"runtime-pointer": {&rt, []string{"python", "API_KEY", "TOKEN", "index.example"}},
		"source":          {source, []string{"index.example", "proxy.example"}},
		"source-pointer":  {&source, []string{"index.example", "proxy.example"}},
		"spec":            {spec, []string{"python", "API_KEY", "app"}},
		"spec-pointer":    {&spec, []string{"python", "API_KEY", "app"}},
		"command":         {cmd, []string{"python3", "print()", "API_KEY", "TOKEN"}},
		"command-pointer": {&cmd, []string{"python3", "print()", "API_KEY", "TOKEN"}},
		"nested":          {nested{rt, spec, cmd, source}, []string{"API_KEY", "index.example"}},
		"nested-pointer":  {&nested{rt, spec, cmd, source}, []string{"API_KEY", "index.example"}},
		"list":            {[]any{rt, &spec, cmd}, []string{"API_KEY", "index.example"}},
	}
	logged := func(handler func(*bytes.Buffer) slog.Handler) func(any) string {
		return func(v any) string {
			var out bytes.Buffer
			slog.New(handler(&out)).Info("message", "value", v)
			return out.String()
		}
	}
	formats := map[string]func(v any) string{
		"%v":        func(v any) string { return fmt.Sprintf("%v", v) },
		"%+v":       func(v any) string { return fmt.Sprintf("%+v", v) },
		"%#v":       func(v any) string { return fmt.Sprintf("%#v", v) },
		"%s":        func(v any) string { return fmt.Sprintf("%s", v) },
		"%q":        func(v any) string { return fmt.Sprintf("%q", v) },
		"error":     func(v any) string { return core.Errorf(core.ErrInvalid, "start", "cannot start %v", v).Error() },
		"slog-text": logged(func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) }),
		"slog-json": logged(func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) }),
		"json": func(v any) string {
			text, err := json.Marshal(v)
			require.NoError(t, err)
			return string(text)
		},
	}
	for what, v := range values {
		for how, format := range formats {
			t.Run(what+"/"+how, func(t *testing.T) {
				text := format(v.value)
				require.NotContains(t, text, secret)
				require.NotContains(t, text, fmt.Sprintf("%d", []byte(secret)))
				require.NotContains(t, text, fmt.Sprintf("%x", secret))
				if how == "%#v" && strings.HasSuffix(what, "pointer") {
					return // of which a nested one is an address
				}
				for _, want := range v.shows {
					require.Contains(t, text, want)
				}
			})
		}
	}
}

func TestPrintingIncompleteValues(t *testing.T) {
	for _, v := range []any{core.Runtime{}, &core.Spec{}, core.Spec{}, &core.Command{}, (*core.Runtime)(nil), (*core.Spec)(nil), (*core.Command)(nil)} {
		require.NotPanics(t, func() {
			require.NotContains(t, fmt.Sprintf("%v %+v %#v", v, v, v), "PANIC")
			_, err := json.Marshal(v)
			require.NoError(t, err)
		})
	}
}

func TestPrintedCommandsAreShort(t *testing.T) {
	cmd := core.Shell(strings.Repeat("é", 100_000))
	require.Less(t, len(cmd.String()), 400)
	require.Contains(t, cmd.String(), "200000 bytes")
}
