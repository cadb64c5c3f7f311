//go:build !linux

// Command caisson-guest is the helper that lives in every sandbox. It runs on Linux only.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "caisson-guest: sandboxes are Linux; this helper does not run here")
	os.Exit(1)
}
