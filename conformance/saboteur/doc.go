// Package saboteur holds drivers that each break one promise in a realistic
// way, so that the conformance suite can be tested: a suite that lets one of
// them pass proves nothing.
//
// A [Saboteur] wraps a driver that keeps every promise. Package conformance's
// own test runs the suite on each of them; testdata/proof.golden there is the
// record of which cases caught which.
package saboteur
