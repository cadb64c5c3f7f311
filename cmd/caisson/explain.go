package main

import (
	_ "embed"
	"fmt"
	"path"

	"go.yaml.in/yaml/v3"

	"github.com/caisson-dev/caisson/conformance"
)

// Why Docker and Podman differ, a list of explanations.
//
//go:embed differences.yaml
var differences []byte

// explanation says why something differs.
type explanation struct {
	What string // a pattern as of path.Match
	Why  string
}

// explain gives the known reasons for what differs between Docker and Podman. Of other drivers none is known.
func explain(found *conformance.Comparison) error {
	a, b := found.A.Driver, found.B.Driver
	if (a != "docker" || b != "podman") && (a != "podman" || b != "docker") {
		return nil
	}
	var known []explanation
	if err := yaml.Unmarshal(differences, &known); err != nil {
		return fmt.Errorf("differences.yaml: %w", err)
	}
	found.Explain(func(d conformance.Difference) string {
		for _, e := range known {
			if fits, _ := path.Match(e.What, d.What); fits {
				return e.Why
			}
		}
		return ""
	})
	return nil
}
