// Package protocol is what the host and the guest say to each other: frames on
// one byte stream, calls multiplexed over them with credit flow control, and
// the messages of each call. Both sides treat what they receive as hostile:
// every size is bounded, and a peer that breaks a rule loses the connection.
package protocol
