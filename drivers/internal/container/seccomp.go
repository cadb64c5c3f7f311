package container

import (
	"bytes"
	_ "embed"
	"encoding/json"
)

// The profile lets through the calls that ordinary programs make and refuses
// those that manage the machine: modules, mounts, namespaces, keys, clocks,
// tracing of the kernel, io_uring. docs/security.md gives the reasons. It names
// calls of both architectures; engines skip those that a kernel does not have.
// The rule for unshare is the mark by which a runner knows it: see protocol.FilterMark.
//
//go:embed seccomp.json
var seccompFile []byte

// seccomp is the profile in the compact form that engines are sent.
var seccomp = func() string {
	var buf bytes.Buffer
	if err := json.Compact(&buf, seccompFile); err != nil {
		panic("drivers: seccomp.json: " + err.Error()) // the program was built from a damaged tree
	}
	return buf.String()
}()
