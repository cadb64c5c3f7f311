package conformance

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestAProofOfOtherCasesCountsForNothing(t *testing.T) {
	const record = "suite abc\ncaught a/b: x/y\nmissed a/c: \ncaught a/d: x/y x/z\n"
	assert.Equal(t, "2/3", proofOf(record, "abc").String())
	other := proofOf(record, "abd")
	assert.Zero(t, other.Caught)
	assert.Equal(t, "0/3 (the suite has changed since its proof)", other.String())
}

func TestReportsRepeatTheProof(t *testing.T) {
	p := proof()
	assert.Equal(t, SuiteDigest(), p.Suite)
	assert.Equal(t, p.Suite, p.Proven, "the cases have changed since they were proven: run with CAISSON_PROOF=update")
	assert.Equal(t, p.All, p.Caught)
	assert.GreaterOrEqual(t, p.All, 40)
}
