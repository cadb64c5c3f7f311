package drivertest

import (
	"crypto/rand"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
)

// example is what the library is for: state that persists between commands, data in, code run on it, data out.
func (s *suite) example(t *testing.T) {
	sb := s.start(t)
	sh(t, sb, "echo 'Hello from Caisson' > greeting.txt")
	require.Equal(t, "Hello from Caisson\n", sh(t, sb, "cat greeting.txt"))

	require.NoError(t, sb.Upload(t.Context(), "/uploads/sales.csv", strings.NewReader("product,amount\ntea,3\nsoap,4.5\ntea,2\n"), nil))
	require.NoError(t, sb.Upload(t.Context(), "sum.py", strings.NewReader(`
import csv, collections
totals = collections.Counter()
for row in csv.DictReader(open("/uploads/sales.csv")):
    totals[row["product"]] += float(row["amount"])
with open("totals.bin", "wb") as out:
    for product in sorted(totals):
        out.write(b"%s\0%g\xff\r\n" % (product.encode(), totals[product]))
`), nil))
	res, err := sb.Execute(t.Context(), core.Program("python3", "sum.py"))
	require.NoError(t, err)
	require.True(t, res.Success(), res.Combined.String())
	require.Equal(t, "soap\x004.5\xff\r\ntea\x005\xff\r\n", read(t, sb, "totals.bin"))

	random := make([]byte, 5<<20)
	_, _ = rand.Read(random)
	require.NoError(t, sb.Upload(t.Context(), "blob", strings.NewReader(string(random)), nil))
	require.True(t, string(random) == read(t, sb, "blob"), "a file came back otherwise")
}

func read(t *testing.T, sb core.Backend, path string) string {
	t.Helper()
	r, err := sb.Read(t.Context(), path, nil)
	require.NoError(t, err)
	data, err := io.ReadAll(r)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	return string(data)
}
