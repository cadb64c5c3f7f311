package conformance

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"strings"
	"sync"
)

// Proof says how many of the deliberately broken drivers the suite catches, as its last proof recorded.
type Proof struct {
	Caught int `json:"caught"` // 0 if what was proven is not this suite
	All    int `json:"all"`
	// Suite identifies the cases of this suite, see SuiteDigest.
	Suite string `json:"suite"`
	// Proven identifies the cases that were proven.
	Proven string `json:"proven"`
}

// String returns "caught/all", and says so if another suite was proven.
func (p Proof) String() string {
	if p.Suite != p.Proven {
		return fmt.Sprintf("%d/%d (the suite has changed since its proof)", p.Caught, p.All)
	}
	return fmt.Sprintf("%d/%d", p.Caught, p.All)
}

// The record of the suite's last proof: a line "suite DIGEST", then a line
// "caught SABOTEUR: CASES" each. The suite's own test does the proof again and
// compares; a suite with other cases than those of the record claims nothing.
//
//go:embed testdata/proof.golden
var proofRecord string

// What the cases are made of.
//
//go:embed case.go cases_*.go env.go probe.go tools.go
var sources embed.FS

// SuiteDigest identifies the suite by the source of its cases.
var SuiteDigest = sync.OnceValue(func() string {
	h := sha256.New()
	names, err := fs.Glob(sources, "*.go") // sorted
	if err != nil {
		panic(err) // the pattern is good
	}
	for _, name := range names {
		text, err := sources.ReadFile(name)
		if err != nil {
			panic(err) // it is part of this program
		}
		fmt.Fprintf(h, "%s\n%s\n", name, bytes.ReplaceAll(text, []byte("\r"), nil))
	}
	return hex.EncodeToString(h.Sum(nil))[:16]
})

func proof() Proof { return proofOf(proofRecord, SuiteDigest()) }

func proofOf(record, suite string) Proof {
	p := Proof{Suite: suite}
	for line := range strings.Lines(record) {
		switch word, rest, _ := strings.Cut(strings.TrimSpace(line), " "); word {
		case "suite":
			p.Proven = rest
		case "caught":
			p.Caught++
			p.All++
		case "missed":
			p.All++
		}
	}
	if p.Proven != suite {
		p.Caught = 0
	}
	return p
}
