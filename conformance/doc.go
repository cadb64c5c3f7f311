// Package conformance holds every driver to the contract of package core.
//
// A driver's test file needs one call:
//
//	func TestConformance(t *testing.T) {
//		conformance.Run(t, &conformance.Harness{
//			Name: "mine",
//			Open: func(ctx context.Context) (core.Driver, error) { return mine.Open(ctx) },
//			Spec: core.Spec{Runtime: &core.Runtime{Image: "debian:bookworm-slim"}},
//		})
//	}
//
// [Check] does the same outside go test and returns a [Report]. The cases are
// data, see [Cases]; each states one promise, and works through package core
// only, so that it holds for a driver in any language. The sandbox image needs
// a POSIX shell and the usual core utilities; a case that wants more says so
// and is skipped, with the reason, where the image lacks it.
//
// The suite is itself tested: for each case there is a driver, broken in one
// realistic way, that the case must catch; see package saboteur.
package conformance
