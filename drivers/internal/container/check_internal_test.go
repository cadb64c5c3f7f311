package container

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/guest/protocol"
)

func TestFilterHasItsMark(t *testing.T) {
	var profile struct {
		Syscalls []struct {
			Names    []string
			Action   string
			ErrnoRet int
			Args     []struct {
				Index, Value int
				Op           string
			}
		}
	}
	require.NoError(t, json.Unmarshal([]byte(seccomp), &profile))
	marks := 0
	for _, rule := range profile.Syscalls {
		if !slices.Contains(rule.Names, "unshare") {
			continue
		}
		marks++
		require.Equal(t, "SCMP_ACT_ERRNO", rule.Action)
		require.Equal(t, protocol.FilterAnswer, rule.ErrnoRet)
		require.Len(t, rule.Args, 1)
		require.Equal(t, protocol.FilterMark, rule.Args[0].Value)
		require.Equal(t, "SCMP_CMP_EQ", rule.Args[0].Op)
	}
	require.Equal(t, 1, marks)
}

func TestCheckOfTheFilter(t *testing.T) {
	spec := (&core.Spec{Runtime: &core.Runtime{Image: "x"}}).WithDefaults()
	facts := func(seccomp int, own bool) *protocol.Facts {
		return &protocol.Facts{
			UID: 1000, GID: 1000, NoNewPrivs: true, ReadOnlyRoot: true, Seccomp: seccomp, OwnFilter: own,
			Memory: spec.Limits.Memory, Swap: spec.Limits.Memory, CPUs: spec.Limits.CPUs, PIDs: spec.Limits.PIDs,
		}
	}
	require.NoError(t, check(spec)(facts(2, true)))
	require.ErrorContains(t, check(spec)(facts(0, false)), "are not filtered")
	require.ErrorContains(t, check(spec)(facts(2, false)), "another filter")
	spec.Allow = []core.Weakening{core.WeakenSeccomp}
	require.NoError(t, check(spec)(facts(2, false)))
	require.NoError(t, check(spec)(facts(0, false)))
}
