// Package kernel imitates as much of a Unix kernel as shell scripts can tell
// apart: a file system in memory, processes with signals and descriptors,
// pipes, and limits.
//
// A process is a goroutine that runs a [Program]. It acts through the methods
// of its [Process], which stand for system calls. A process that is killed
// ends in the call that it is in or makes next, as by [runtime.Goexit], so no
// program has to look for its own death.
package kernel
