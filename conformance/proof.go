package conformance

import (
	_ "embed"
	"fmt"
	"strings"
)

// Proof says how many of the deliberately broken drivers the suite catches.
type Proof struct {
	Caught int `json:"caught"`
	All    int `json:"all"`
}

// String returns "caught/all".
func (p Proof) String() string { return fmt.Sprintf("%d/%d", p.Caught, p.All) }

// The record of the suite's last proof, a line "caught|missed SABOTEUR: CASES" each. The
// suite's own test compares it with what it sees, so it cannot claim more than is true.
//
//go:embed testdata/proof.golden
var proofRecord string

func proof() Proof {
	var p Proof
	for line := range strings.Lines(proofRecord) {
		if strings.HasPrefix(line, "caught ") {
			p.Caught++
		}
		if strings.TrimSpace(line) != "" {
			p.All++
		}
	}
	return p
}
