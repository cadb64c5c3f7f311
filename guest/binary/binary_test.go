package binary_test

import (
	"bytes"
	"debug/elf"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/guest/binary"
)

func TestEveryArchitectureHasAStaticExecutable(t *testing.T) {
	machines := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}
	require.Len(t, binary.Archs(), len(machines))
	for _, arch := range binary.Archs() {
		data, err := binary.Load(arch)
		require.NoError(t, err)
		f, err := elf.NewFile(bytes.NewReader(data))
		require.NoError(t, err)
		require.Equal(t, machines[arch], f.Machine)
		libs, err := f.ImportedLibraries()
		require.NoError(t, err)
		require.Empty(t, libs)
		for _, p := range f.Progs {
			require.NotEqual(t, elf.PT_INTERP, p.Type, "it needs a loader, which an image may not have")
		}
		digest, err := binary.Digest(arch)
		require.NoError(t, err)
		require.Len(t, digest, 64)
	}
}

func TestAnotherArchitectureIsUnsupported(t *testing.T) {
	_, err := binary.Load("s390x")
	require.ErrorIs(t, err, core.ErrUnsupported)
	_, err = binary.Digest("s390x")
	require.ErrorIs(t, err, core.ErrUnsupported)
}
