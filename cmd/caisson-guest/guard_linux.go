package main

import (
	"bytes"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// What a guard removes: a container that was not started, or images that a build has left on its way.
const (
	guardStart  = "start"
	guardImages = "images"
)

// For how long a guard goes on.
const (
	guardTime  = time.Minute // for which an engine may go on with a request whose client is dead
	guardQuiet = 10 * time.Second
	guardRest  = 200 * time.Millisecond
)

// guard stands by, on the host, while an engine does what a process has asked it
// for. If the process is killed, nobody is left who would know of what the engine
// makes, or goes on with. Then guard removes that.
//
// The process writes a zero byte to standard input when it is done. An end without
// one is its death.
func guard(socket, what, label string) error {
	outlive()
	if n, _ := os.Stdin.Read(make([]byte, 1)); n > 0 {
		return nil
	}
	g := &guarded{socket: socket, label: label}
	switch what {
	case guardStart:
		repeat(g.removeUnstarted)
	case guardImages:
		quiet := time.Now()
		repeat(func() bool {
			if g.removeUntagged() {
				quiet = time.Now()
			}
			return time.Since(quiet) > guardQuiet
		})
	}
	return nil
}

// outlive keeps off what ends a process and all of its group.
func outlive() {
	signal.Ignore(syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGPIPE)
	_, _ = unix.Setsid()
}

// repeat calls done until it returns true.
func repeat(done func() bool) {
	for end := time.Now().Add(guardTime); time.Now().Before(end) && !done(); {
		time.Sleep(guardRest)
	}
}

// guarded is what a guard has to remove: all that has a label.
type guarded struct{ socket, label string }

// removeUnstarted removes a container that was not started. An engine makes it by
// one request and starts it by another. One that was started has a lease, and is left alone.
func (g *guarded) removeUnstarted() (done bool) {
	list, err := request(g.socket, "GET", "/containers/json?all=1&filters="+g.filter(""))
	if err != nil {
		return false
	}
	ids := idsIn(list)
	if len(ids) == 0 {
		return false
	}
	if !bytes.Contains(list, []byte(`"State":"created"`)) {
		return true
	}
	_, err = request(g.socket, "DELETE", "/containers/"+ids[0]+"?v=1") // without force: by now it may run
	return err == nil
}

// removeUntagged removes what a build has made on its way, and reports whether
// there may be more. Nothing else is based on it; what it is based on itself, and has no name, goes with it.
func (g *guarded) removeUntagged() (more bool) {
	list, err := request(g.socket, "GET", "/images/json?filters="+g.filter("%2C%22dangling%22%3A%5B%22true%22%5D"))
	if err != nil {
		return true
	}
	ids := idsIn(list)
	for _, id := range ids {
		_, _ = request(g.socket, "DELETE", "/images/"+id) // if the engine still needs it, later
	}
	return len(ids) > 0
}

// filter is for a list of what has the label, with more conditions.
func (g *guarded) filter(more string) string {
	return "%7B%22label%22%3A%5B%22" + strings.ReplaceAll(g.label, "=", "%3D") + "%22%5D" + more + "%7D"
}

// idsIn returns the ids in a list. In a string of JSON the quotes would be
// escaped, so nothing that others write looks like one.
func idsIn(list []byte) (ids []string) {
	for {
		_, rest, found := bytes.Cut(list, []byte(`"Id":"`))
		if !found {
			return ids
		}
		id, rest, _ := bytes.Cut(rest, []byte(`"`))
		ids, list = append(ids, string(id)), rest
	}
}
