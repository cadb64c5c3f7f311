package core

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// Bounds of a command. They are Linux's own, so a command that is accepted can be run.
const (
	MaxArgBytes     = 128<<10 - 1 // one argument or one KEY=VALUE, execve(2) MAX_ARG_STRLEN less its NUL
	MaxCommandBytes = 1 << 20     // all arguments and environment variables together
)

// DefaultOutputLimit is how many bytes of each captured output a Result keeps unless the command says otherwise.
const DefaultOutputLimit = 1 << 20

// Command is what to run. Exactly one of Args and Shell must be set. A Command
// is not changed by Execute and may be used again, unless Stdin was consumed.
type Command struct {
	// Args is the program and its arguments, passed on byte for byte with no
	// shell between. A program without a slash is looked up in the PATH that
	// the command will have.
	Args []string
	// Shell is a script for the sandbox's /bin/sh.
	Shell string
	// Dir is the absolute directory to run in; empty means the runtime's work directory.
	Dir string
	// Env is added to the runtime's environment for this command only.
	Env map[string]string
	// Stdin is copied to the command, ahead of what it reads. Nil means that the
	// command reads the end of the file at once. A Read that fails ends the
	// command, and Execute returns its error, an ErrInvalid. Stdin is not closed.
	// Execute does not wait for a Read that blocks when the command has ended:
	// that one goes on until it returns, which nothing but the caller can bring
	// about, and what it returns is lost; no other Read begins once Execute has returned.
	Stdin io.Reader
	// Stdout and Stderr receive output while the command runs; nil captures it
	// into the Result instead. The two are written by one goroutine, one
	// after the other, so both may be the same writer. A writer that fails
	// ends the command, and Execute returns the writer's error, an ErrInvalid.
	// One that blocks holds up Execute, until a second after the Timeout or the
	// context has ended; no output is left out to be faster. A panic of a
	// writer, as of Stdin, counts as its failure.
	Stdout, Stderr io.Writer
	// Timeout ends the command and all that it started; 0 means none. It
	// counts from the call of Execute, or, if that has to start a lazy sandbox,
	// from when that runs: it is the time of the command, and a start can have
	// to build an image first. What bounds the start is the context. The
	// Result then has the Reason TimedOut.
	Timeout time.Duration
	// OutputLimit bounds each captured output in bytes; 0 means
	// DefaultOutputLimit. A larger output keeps its head and its tail.
	OutputLimit int
}

// Shell returns a command that runs script in the sandbox's /bin/sh.
func Shell(script string) *Command { return &Command{Shell: script} }

// Program returns a command that runs the program name with args and no shell.
func Program(name string, args ...string) *Command {
	return &Command{Args: append([]string{name}, args...)}
}

// Argv returns the argument vector that runs the command: Args, or /bin/sh with the script.
func (c *Command) Argv() []string {
	if len(c.Args) > 0 {
		return c.Args
	}
	return []string{"/bin/sh", "-c", "--", c.Shell} // a script that begins with a dash is no option
}

// Validate returns an ErrInvalid that names the field to change if the command cannot be run on any driver.
func (c *Command) Validate() error {
	if c == nil {
		return invalidf("command is nil")
	}
	switch {
	case len(c.Args) == 0 && c.Shell == "":
		return invalidf("command: set Args or Shell")
	case len(c.Args) > 0 && c.Shell != "":
		return invalidf("command: Args and Shell exclude each other")
	case len(c.Args) > 0 && c.Args[0] == "":
		return invalidf("command: Args[0], the program, is empty")
	case c.Timeout < 0:
		return invalidf("command: Timeout %v is negative", c.Timeout)
	case c.OutputLimit < 0:
		return invalidf("command: OutputLimit %d is negative", c.OutputLimit)
	}
	total := 0
	for i, arg := range c.Argv() {
		if err := checkArg(fmt.Sprintf("argument %d", i), arg); err != nil {
			return err
		}
		total += len(arg) + 1
	}
	if err := validateEnv("command: Env", c.Env); err != nil {
		return err
	}
	for k, v := range c.Env {
		total += len(k) + len(v) + 2
	}
	if total > MaxCommandBytes {
		return invalidf("command: %d bytes of arguments and environment exceed %d; send data by Stdin or Upload", total, MaxCommandBytes)
	}
	if c.Dir != "" {
		return validateDir("command: Dir", c.Dir)
	}
	return nil
}

func checkArg(what, arg string) error {
	if strings.IndexByte(arg, 0) >= 0 {
		return invalidf("command: %s contains a NUL byte", what)
	}
	if len(arg) > MaxArgBytes {
		return invalidf("command: %s has %d bytes, more than the %d that Linux allows; send it by Stdin or Upload", what, len(arg), MaxArgBytes)
	}
	return nil
}
