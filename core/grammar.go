package core

import (
	"path"
	"regexp"
	"strings"
)

// MaxPathBytes is Linux's PATH_MAX less the NUL.
const MaxPathBytes = 4095

var (
	envKey = regexp.MustCompile(`\A[A-Za-z_][A-Za-z0-9_]*\z`)
	// A name goes into labels and tags, so it is what both engines take.
	name = regexp.MustCompile(`\A[a-z0-9]+(?:[._-][a-z0-9]+)*\z`)
	// An image reference: [host[:port]/]path[:tag][@sha256:digest], as the distribution
	// specification has it (https://github.com/distribution/reference).
	imageRef = regexp.MustCompile(`\A(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5})?/)?` +
		`[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*` +
		`(?::[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?(?:@sha256:[a-f0-9]{64})?\z`)
	imageID = regexp.MustCompile(`\A(?:sha256:)?[a-f0-9]{64}\z`)
)

const maxNameBytes = 63

func validateName(what, s string) error {
	if len(s) > maxNameBytes || !name.MatchString(s) {
		return invalidf("%s %q: use at most %d lower-case letters and digits, with single '.', '_' or '-' between them", what, s, maxNameBytes)
	}
	return nil
}

func validateImage(what, s string) error {
	if len(s) > 255+128+72 || !imageRef.MatchString(s) && !imageID.MatchString(s) {
		return invalidf("%s %q is not an image reference such as python:3.12-slim", what, s)
	}
	return nil
}

func validateEnv(what string, env map[string]string) error {
	for k, v := range env {
		if !envKey.MatchString(k) {
			return invalidf("%s: key %q: use letters, digits and '_', not beginning with a digit", what, k)
		}
		if err := checkArg(what+" "+k, v); err != nil {
			return err
		}
		if len(k)+1+len(v) > MaxArgBytes {
			return invalidf("%s %s: key and value exceed %d bytes", what, k, MaxArgBytes)
		}
	}
	return nil
}

// kernelTrees are file systems whose links lead out of the path they are named by.
var kernelTrees = []string{"/proc", "/sys", "/dev"}

// validateDir accepts an absolute directory outside the kernel's own file systems.
func validateDir(what, dir string) error {
	switch {
	case !path.IsAbs(dir):
		return invalidf("%s %q must be an absolute path", what, dir)
	case strings.IndexByte(dir, 0) >= 0:
		return invalidf("%s contains a NUL byte", what)
	case len(dir) > MaxPathBytes:
		return invalidf("%s has %d bytes, more than %d", what, len(dir), MaxPathBytes)
	}
	if tree := kernelTree(path.Clean(dir)); tree != "" {
		return invalidf("%s %q lies in %s", what, dir, tree)
	}
	return nil
}

func kernelTree(clean string) string {
	for _, tree := range kernelTrees {
		if clean == tree || strings.HasPrefix(clean, tree+"/") {
			return tree
		}
	}
	return ""
}

// CleanPath returns the shortest form of a path as Upload, Read and the file
// verbs take it: absolute, or relative to the work directory and not leaving
// it. It returns ErrInvalid for anything else. "." is the work directory.
func CleanPath(p string) (string, error) {
	switch {
	case p == "":
		return "", invalidf("path is empty")
	case strings.IndexByte(p, 0) >= 0:
		return "", invalidf("path %q contains a NUL byte", p)
	case len(p) > MaxPathBytes:
		return "", invalidf("path has %d bytes, more than %d", len(p), MaxPathBytes)
	}
	clean := path.Clean(p)
	if clean == ".." || strings.HasPrefix(clean, "../") {
		return "", invalidf("path %q leaves the work directory; use an absolute path", p)
	}
	if tree := kernelTree(clean); tree != "" && tree != "/dev" {
		return "", invalidf("path %q lies in %s; run a command to look there", p, tree)
	}
	return clean, nil
}

// CleanFilePath is CleanPath for the path of a file: the work directory itself is ErrInvalid, a trailing slash ErrIsDirectory.
func CleanFilePath(p string) (string, error) {
	clean, err := CleanPath(p)
	switch {
	case err != nil:
		return "", err
	case clean == ".":
		return "", invalidf("path %q names the work directory, not a file", p)
	case strings.HasSuffix(p, "/"):
		return "", &Error{Code: ErrIsDirectory, Path: p}
	}
	return clean, nil
}
