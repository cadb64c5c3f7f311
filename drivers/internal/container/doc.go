// Package container is the driver of every container engine: all of it that is
// not an engine's own API. What differs is an [Engine], about a dozen verbs.
package container
