// Package runner is the part of the guest that serves calls: it runs commands
// and handles files over a System, which is Linux in a real sandbox and a
// memory file system in the fake. So every driver has the same semantics.
package runner
