// Package fake is a driver without an engine: its sandboxes are a file system
// in memory, a POSIX shell and the everyday commands, all within the calling
// process. The guest's own runner serves them, so exit codes, truncation,
// timeouts, kills and file verbs are those of the real drivers.
//
// It touches neither the files nor the environment nor the network of its
// host. Time goes through package time and nothing blocks outside Go's own
// primitives, so in a bubble of testing/synctest a sleep of an hour takes no time.
//
// It is for tests, examples and machines without an engine. It is no
// protection: what runs in it is not the untrusted program but an imitation of
// the programs that it names. Faults can be switched on by name; see [Fault].
package fake
