package main

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
)

func TestProgressInPlainLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		p := newProgress(&out)
		pulled := func(mib int64) {
			p.event(core.Progress{Kind: core.ProgressPull, Current: mib << 20, Total: 8 << 20})
		}
		pulled(0) // may be over in a moment: no line
		time.Sleep(firstLine)
		pulled(1)
		pulled(2) // within the interval: no line
		time.Sleep(lineInterval)
		pulled(3)
		p.event(core.Progress{Kind: core.ProgressStep, Current: 2, Total: 5, Text: "install packages"})
		p.event(core.Progress{Kind: core.ProgressLog, Text: "a line of the build"})
		p.event(core.Progress{Kind: core.ProgressDone, Text: "an image"})
		p.close()
		p.close()
		require.Equal(t, "caisson: pulling: 1MiB of 8MiB\n"+
			"caisson: pulling: 3MiB of 8MiB\n"+
			"caisson: building: step 2 of 5: install packages\n", out.String())
	})
}

func TestProgressOfAnUnknownSize(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		p := newProgress(&out)
		time.Sleep(firstLine)
		p.event(core.Progress{Kind: core.ProgressPull, Current: 1})
		require.Equal(t, "caisson: pulling\n", out.String())
	})
}
