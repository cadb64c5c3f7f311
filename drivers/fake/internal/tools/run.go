package tools

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/caisson-dev/caisson/drivers/fake/internal/kernel"
)

// load finds a program as execvp(3) does.
func (t *tool) load(argv []string) (*kernel.Image, error) {
	search, ok := t.Getenv("PATH")
	if !ok {
		search = kernel.DefaultPath
	}
	file, err := t.Lookup(argv[0], search)
	if err != nil {
		return nil, err
	}
	return t.LoadFile(file, argv)
}

// notFound is the status of a program that cannot be run.
func notFound(err error) int {
	if errors.Is(err, kernel.ENOENT) {
		return 127
	}
	return 126
}

// run runs a program as a child and returns its status. In prepares the child.
func (t *tool) run(argv []string, in func(*kernel.Process)) int {
	image, err := t.load(argv)
	if err != nil {
		t.errorf("%s: %s", argv[0], kernel.Reason(err))
		return notFound(err)
	}
	child, err := t.Fork(func(p *kernel.Process) int {
		if in != nil {
			in(p)
		}
		p.Exec(image, p.Env)
		return 0
	})
	if err != nil {
		t.errorf("cannot fork: %s", kernel.Reason(err))
		return 126
	}
	_, status, err := t.Wait(child.PID, false)
	if err != nil {
		return 127
	}
	return status.Shell()
}

// become runs a program in place of the command. It returns if that cannot be.
func (t *tool) become(argv []string, failure string) {
	image, err := t.load(argv)
	if err != nil {
		t.warn(fmt.Sprintf("%s: %s: %s\n", t.name, failure, kernel.Reason(err)))
		t.status = notFound(err)
		return
	}
	t.flush()
	t.Exec(image, t.Env)
}

// env shows or changes the environment of a program.
func env(t *tool) {
	if t.has("i") {
		t.Env = nil
	}
	for _, name := range t.values('u') {
		t.unset(name)
	}
	if dir := t.value('C', ""); dir != "" {
		if err := t.Chdir(dir); err != nil {
			t.errorf("cannot change directory to %s: %s", quoteName(dir), kernel.Reason(err))
			t.status = 125
			return
		}
	}
	args := t.args
	if s := t.value('S', ""); s != "" {
		args = append(strings.Fields(s), args...)
	}
	for len(args) > 0 && (strings.Contains(args[0], "=") || args[0] == "-") {
		if args[0] == "-" {
			t.Env = nil
		} else {
			name, _, _ := strings.Cut(args[0], "=")
			t.unset(name)
			t.Env = append(t.Env, args[0])
		}
		args = args[1:]
	}
	if len(args) == 0 {
		end := "\n"
		if t.has("0") {
			end = "\x00"
		}
		for _, kv := range t.Env {
			_, _ = t.out.WriteString(kv + end)
		}
		return
	}
	t.become(args, quote(args[0]))
}

func (t *tool) unset(name string) {
	var rest []string
	for _, kv := range t.Env {
		if !strings.HasPrefix(kv, name+"=") {
			rest = append(rest, kv)
		}
	}
	t.Env = rest
}

// printenv shows variables.
func printenv(t *tool) {
	if len(t.args) == 0 {
		for _, kv := range t.Env {
			t.println(kv)
		}
	}
	for _, name := range t.args {
		value, ok := t.Getenv(name)
		if !ok {
			t.status = 1
			continue
		}
		t.println(value)
	}
}

// nohup runs a program that a hangup does not end.
func nohup(t *tool) {
	if len(t.args) == 0 {
		t.missing()
		return
	}
	t.SetAction(kernel.SIGHUP, kernel.Ignore)
	t.become(t.args, "failed to run command "+quoteName(t.args[0]))
}

// setsid runs a program in a new session, as a child if need be.
func setsid(t *tool) {
	if len(t.args) == 0 {
		t.usage("no command specified")
		return
	}
	if t.Setsid() == nil && !t.has("f") {
		t.become(t.args, "failed to execute "+t.args[0])
		return
	}
	image, err := t.load(t.args)
	if err != nil {
		t.errorf("failed to execute %s: %s", t.args[0], kernel.Reason(err))
		t.status = notFound(err)
		return
	}
	child, err := t.Fork(func(p *kernel.Process) int {
		_ = p.Setsid() // a fresh process can
		p.Exec(image, p.Env)
		return 0
	})
	if err != nil {
		t.errorf("fork: %s", kernel.Reason(err))
		return
	}
	if t.has("w") {
		_, status, _ := t.Wait(child.PID, false) // it is there
		t.status = status.Shell()
	}
}

// nice runs a program with a priority that nothing here has.
func nice(t *tool) {
	if len(t.args) == 0 {
		t.println("0")
		return
	}
	t.become(t.args, quote(t.args[0]))
}

// tee copies its input to files and on.
func tee(t *tool) {
	type output struct {
		name string
		fd   int
	}
	outs := []output{{"standard output", 1}}
	for _, name := range t.args {
		if fd, ok := t.create(name, kernel.OpenFlags{Append: t.has("a"), Truncate: !t.has("a")}); ok {
			outs = append(outs, output{name, fd})
		}
	}
	in := t.reporting("-", 0)
	buf := make([]byte, outSize)
	for {
		n, err := in.Read(buf)
		for i, out := range outs {
			if out.fd < 0 || n == 0 {
				continue
			}
			if _, err := t.Write(out.fd, buf[:n]); err != nil {
				t.errorf("%s: %s", quoteName(out.name), kernel.Reason(err))
				outs[i].fd = -1
			}
		}
		if err == io.EOF { //nolint:errorlint // reporting does not wrap it
			return
		}
	}
}
