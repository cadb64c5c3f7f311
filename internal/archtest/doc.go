// Package archtest holds the tests that keep the module in its layers: which
// package may import which, no build tags and no cgo. It exports nothing.
package archtest
