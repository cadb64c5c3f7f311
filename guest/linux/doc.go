// Package linux is the runner's System on Linux: it runs commands as real
// processes and keeps files in the real file system, as the user that the
// runner has.
//
// Every command has a leader, a small process between the runner and the
// command that adopts whatever the command leaves behind. So all that a command
// ever started, whatever its session or parent, hangs below its leader until it
// has ended, and a kill is exact: it reaches every process of one command and
// no process of another.
//
// The package has code on Linux only; elsewhere it is empty.
package linux
