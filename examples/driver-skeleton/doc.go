// Package skeleton is the smallest driver that keeps every promise of level
// core: copy it to begin a driver of your own. Its sandbox is a temporary
// directory and a plain process on this Linux host, so it protects nothing; it
// shows what a driver has to supply when the guest does the rest:
//
//   - a place with the guest's binary, a work directory and an environment;
//   - Open: a runner in that place, and a byte stream to it;
//   - Remove: the end of all that.
//
// docs/writing-a-driver.md goes through it step by step.
package skeleton
