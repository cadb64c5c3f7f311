// Package runtimes describes environments and turns them into images.
//
// [Get] returns a built-in runtime, [Load] reads one from a file or from a
// directory that lists its dependencies, [Prompt] describes one to a model.
//
// [NewBuild] generates the build file of a runtime with everything that it
// refers to. It makes no engine call: a driver hands the result to its engine.
// The generated file has the same effect on each engine and uses only what the
// oldest of them knows.
package runtimes
