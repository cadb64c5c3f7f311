package container

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/runtimes"
)

func newLog(t *testing.T) (*buildLog, *[]core.Progress) {
	t.Helper()
	rt := &core.Runtime{
		BaseImage: "debian", Packages: []string{"a"}, SetupCommands: []string{"make all"},
		Source: core.PackageSource{Proxy: "http://u:s3cret@proxy.example"},
	}
	b, err := runtimes.NewBuild(rt, runtimes.BaseImage{ID: strings.Repeat("0", 64)}, nil)
	require.NoError(t, err)
	var events []core.Progress
	return &buildLog{build: b, progress: func(p core.Progress) { events = append(events, p) }}, &events
}

func TestBuildLogUnderstandsEveryEngine(t *testing.T) {
	t.Parallel()
	for engine, text := range map[string]string{
		"docker": "Step 1/6 : FROM 0000\n ---> 0000\nStep 2/6 : USER 0:0\n ---> Running in 11\nRemoved intermediate container 11\n" +
			"Step 3/6 : RUN [\"/bin/sh\"]\n\x1b[91mwarning: s3cret\n\x1b[0m10%\r50%\r100%\nStep 7/7 : LABEL a=b\n",
		"podman": "STEP 1/6: FROM 0000\n[1/2] STEP 2/6: USER 0:0\nSTEP 3/6: RUN [\"/bin/sh\"]\nwarning: s3cret\n10%\r50%\r100%\nSTEP 4/6: RUN [\"env\"]\nCOMMIT x\n--> 00ab\n",
	} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			log, events := newLog(t)
			for i := range len(text) { // as badly cut as can be
				n, err := log.Write([]byte(text[i : i+1]))
				require.NoError(t, err)
				require.Equal(t, 1, n)
			}
			require.Empty(t, cmp.Diff([]core.Progress{
				{Kind: core.ProgressStep, Text: "start from debian", Current: 1, Total: 6},
				{Kind: core.ProgressStep, Text: "be root", Current: 2, Total: 6},
				{Kind: core.ProgressStep, Text: "set up: make all", Current: 3, Total: 6},
				{Kind: core.ProgressLog, Text: "warning: ***"},
				{Kind: core.ProgressLog, Text: "100%"},
				{Kind: core.ProgressStep, Text: "install a", Current: 4, Total: 6},
			}, *events), "(-want +got)")
		})
	}
}

func TestBuildFailureNamesStepCodeAndLastLine(t *testing.T) {
	t.Parallel()
	for reason, want := range map[string]string{
		"The command '/bin/sh -c make all' returned a non-zero code: 5":                                   "step 3 of 6, set up: make all: exit code 5: no rule",
		"building at STEP \"RUN /bin/sh -c make all\": while running runtime: exit status 5":              "step 3 of 6, set up: make all: exit code 5: no rule",
		"building at STEP \"RUN make\": setting up network for s3cret: netavark: no such program or file": "step 3 of 6, set up: make all: setting up network for ***: netavark: no such program or file: no rule",
	} {
		log, _ := newLog(t)
		_, _ = log.Write([]byte("Step 1/6 : FROM x\nnot of this step\nStep 2/6 : USER x\nStep 3/6 : RUN x\nmaking\nno rule"))
		e := log.failure(reason)
		require.Equal(t, want, e.Error())
		require.Equal(t, "making\nno rule", e.Log)
	}
	log, _ := newLog(t)
	require.Equal(t, "no space left", log.failure("no space left").Error())
}

func TestBuildLogIsBounded(t *testing.T) {
	t.Parallel()
	log, _ := newLog(t)
	_, _ = fmt.Fprintf(log, "Step 1/6 : FROM x\n%s\n", strings.Repeat("x", 1<<20))
	for i := range 100_000 {
		_, _ = fmt.Fprintf(log, "line %d\n", i)
	}
	e := log.failure("exit status 1")
	require.LessOrEqual(t, len(e.Log), runtimes.MaxLog)
	require.Greater(t, len(e.Log), runtimes.MaxLog/2)
	require.True(t, strings.HasSuffix(e.Log, "line 99999"))
	require.LessOrEqual(t, cap(log.line), 2*maxLine)
	require.LessOrEqual(t, cap(log.tail), 8*len(log.tail))
}
