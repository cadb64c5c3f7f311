package kernel

import (
	"bytes"
	"path"
	"strings"
)

// An Image is a program that was found, with the arguments that it gets.
type Image struct {
	program Program
	args    []string
}

// NewImage returns an image that runs a program of the caller's.
func NewImage(args []string, program Program) *Image { return &Image{program, args} }

const (
	maxScriptLine = 255
	maxScripts    = 4        // scripts whose interpreter is a script
	maxProgram    = 32 << 20 // bytes of an executable
)

// Load finds the program of a file, an absolute path, for u. Name is what a
// script is told to be called, args are those of the new program.
func (k *Kernel) Load(u User, file, name string, args []string) (*Image, error) {
	for range maxScripts {
		data, err := k.executable(u, file)
		if err != nil {
			return nil, err
		}
		line, script := bytes.CutPrefix(data, []byte("#!"))
		if !script {
			program := k.Loader(data)
			if program == nil {
				return nil, ENOEXEC
			}
			return &Image{program, args}, nil
		}
		line, _, _ = bytes.Cut(line[:min(len(line), maxScriptLine)], []byte("\n"))
		interpreter, arg, _ := strings.Cut(strings.TrimSpace(string(line)), " ")
		if interpreter == "" {
			return nil, ENOEXEC
		}
		head := []string{interpreter}
		if arg = strings.TrimSpace(arg); arg != "" {
			head = append(head, arg)
		}
		args = append(append(head, name), args[1:]...)
		file, name = interpreter, interpreter
		if !path.IsAbs(file) {
			return nil, ENOENT // relative interpreters are nothing but a trap
		}
	}
	return nil, ELOOP
}

func (k *Kernel) executable(u User, file string) ([]byte, error) {
	k.FS.mu.Lock()
	defer k.FS.mu.Unlock()
	at, err := k.FS.find(u, file, true)
	if err != nil {
		return nil, err
	}
	n := at.node
	if !n.mode.IsRegular() {
		return nil, EACCES
	}
	if err := n.check(u, MayExec); err != nil {
		return nil, err
	}
	if n.data.size > maxProgram {
		return nil, ENOEXEC
	}
	return n.data.bytes(), nil
}

// Exec makes the process run another program with an environment. It does not return.
func (p *Process) Exec(image *Image, env []string) {
	p.check()
	for fd := range p.files {
		if fd >= private {
			_ = p.Close(fd)
		}
	}
	p.kernel.mu.Lock()
	p.title = image.args
	for sig, a := range p.actions {
		if a == Catch {
			p.actions[sig] = Default
		}
	}
	p.caught = nil
	p.kernel.mu.Unlock()
	p.Args, p.Env = image.args, env
	p.Exit(image.program(p))
}

// LoadFile is Kernel.Load for the process: name is relative to its directory.
func (p *Process) LoadFile(name string, args []string) (*Image, error) {
	p.check()
	return p.kernel.Load(p.User, p.Abs(name), name, args)
}

// Lookup finds a program in the directories of search, as execvp(3) does, and
// returns the path that it has. It returns EACCES if all there is cannot be executed, else ENOENT.
func (p *Process) Lookup(name, search string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil
	}
	result := error(ENOENT)
	for dir := range strings.SplitSeq(search, ":") {
		file := path.Join(dir, name)
		if dir == "" {
			file = "./" + name
		}
		info, err := p.Stat(file)
		if err != nil || !info.Mode.IsRegular() {
			continue
		}
		if p.Access(file, MayExec) == nil {
			return file, nil
		}
		result = EACCES
	}
	return "", result
}

// DefaultPath is searched where there is no PATH.
const DefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
