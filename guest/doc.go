// Package guest is the host's side of the helper that lives in every sandbox.
//
// [NewBackend] turns any byte stream to a runner into a full core.Backend with
// the optional file verbs, so that a driver supplies three things: how to open
// a stream, how to restart and how to remove. [NewFiles] gives the file verbs
// to a Backend that has only the four methods.
//
// One stream serves all calls of a sandbox at once; the container engine is
// not part of a call.
package guest
