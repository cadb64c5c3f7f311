package main

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/caisson-dev/caisson/core"
)

// runLease is how long a sandbox outlives this program if that is killed before
// it can clean up, and how long the program may be suspended. The tests have less time.
var runLease = time.Minute

// runOptions are the flags of `caisson run`.
type runOptions struct {
	sandboxOptions
	driver, script          string
	timeout                 time.Duration
	env, uploads, downloads []string
	labels                  []string
	keep, json              bool
}

func (o *runOptions) register(f *pflag.FlagSet) {
	f.SetInterspersed(false) // what follows FILE is for the script
	driverFlag(f, &o.driver)
	o.sandboxOptions.register(f)
	f.StringVarP(&o.script, "command", "c", "", "run `SCRIPT` with the sandbox's sh")
	f.DurationVar(&o.timeout, "timeout", 0, "end the command and all that it started after this time, such as 30s")
	f.StringArrayVar(&o.env, "env", nil, "set `KEY=VALUE` for the command; KEY alone takes this program's value")
	f.StringArrayVar(&o.uploads, "upload", nil, "copy `LOCAL[:REMOTE]`, a file or the regular files of a directory, into the sandbox first")
	f.StringArrayVar(&o.downloads, "download", nil, "copy the file `REMOTE[:LOCAL]` out of the sandbox afterwards")
	f.StringArrayVar(&o.labels, "label", nil, "put the label `KEY=VALUE`, below "+core.LabelPrefix+".label, on what is made on the engine")
	f.BoolVar(&o.keep, "keep", false, "do not remove the sandbox; what removes it later is printed")
	f.BoolVar(&o.json, "json", false, "print the result with the captured output as JSON")
}

// job is what the command line asks for.
type job struct {
	driver     string
	spec       *core.Spec
	images     []string // to try in turn if the spec has no runtime
	command    *core.Command
	uploads    []transfer
	downloads  []transfer
	keep, json bool
}

// job reads the command line. program says that the arguments followed "--".
func (o *runOptions) job(args []string, program bool) (*job, error) {
	j := &job{driver: o.driver, keep: o.keep, json: o.json}
	var err error
	if j.spec, err = o.spec(); err != nil {
		return nil, err
	}
	if j.spec.Labels, err = parseLabels(o.labels); err != nil {
		return nil, err
	}
	for _, arg := range o.uploads {
		u, err := parseUpload(arg)
		if err != nil {
			return nil, err
		}
		j.uploads = append(j.uploads, u)
	}
	for _, arg := range o.downloads {
		d, err := parseDownload(arg)
		if err != nil {
			return nil, err
		}
		j.downloads = append(j.downloads, d)
	}
	if err := j.setCommand(o.script, args, program); err != nil {
		return nil, err
	}
	if j.command.Env, err = parseEnv(o.env); err != nil {
		return nil, err
	}
	j.command.Timeout = o.timeout
	j.spec.Lease = runLease
	if o.keep { // it outlives this program, and has an owner of its own to find it by
		j.spec.Lease, j.spec.Owner = 0, "caisson-run-"+strings.ToLower(rand.Text())
	}
	j.images = o.images(j.images)
	whole := *j.spec
	if whole.Runtime == nil { // until it is known which image there is
		whole.Runtime = &core.Runtime{Image: j.images[0]}
	}
	if err := cmp.Or(whole.Validate(), j.command.Validate()); err != nil {
		return nil, core.Complete(err, core.Error{Op: "run"})
	}
	return j, nil
}

func parseLabels(list []string) (map[string]string, error) {
	labels := make(map[string]string, len(list))
	for _, entry := range list {
		key, value, ok := strings.Cut(entry, "=")
		if !ok {
			return nil, fmt.Errorf("--label %q: use KEY=VALUE", entry)
		}
		labels[key] = value
	}
	return labels, nil
}

// setCommand sets the command, the upload of a script file and the images that can run it.
func (j *job) setCommand(script string, args []string, program bool) error {
	j.images = shellImages()
	switch {
	case script != "" && len(args) > 0:
		return errors.New("-c takes no further arguments")
	case script != "":
		j.command = core.Shell(script)
		return nil
	case len(args) == 0:
		return errors.New("nothing to run: give -c SCRIPT, a FILE, or -- PROGRAM")
	case program:
		j.command = core.Program(args[0], args[1:]...)
		return nil
	}
	return j.setFile(args[0], args[1:])
}

func (j *job) setFile(name string, args []string) error {
	if fi, err := os.Stat(name); err != nil || !fi.Mode().IsRegular() {
		return fmt.Errorf("%q is not a file; to run a program of the sandbox put -- before it", name)
	}
	lang, ok := languages()[strings.ToLower(filepath.Ext(name))]
	if !ok {
		return fmt.Errorf("%q: no interpreter is known for it; use a .py, .js or .sh file, or --upload it and run -- PROGRAM", name)
	}
	remote := filepath.Base(name)
	j.images = lang.images
	j.uploads = append(j.uploads, transfer{local: name, remote: remote})
	j.command = core.Program(lang.interpreter, append([]string{"./" + remote}, args...)...)
	return nil
}

func parseEnv(list []string) (map[string]string, error) {
	env := make(map[string]string, len(list))
	for _, entry := range list {
		key, value, ok := strings.Cut(entry, "=")
		if !ok {
			if value, ok = os.LookupEnv(key); !ok {
				return nil, fmt.Errorf("--env %s: not set here; use KEY=VALUE", key)
			}
		}
		env[key] = value
	}
	return env, nil
}

// parseUpload reads LOCAL[:REMOTE]. REMOTE is the local name by default; with a slash at its end it is the directory to copy into.
func parseUpload(arg string) (transfer, error) {
	volume := len(filepath.VolumeName(arg)) // the colon of a drive letter divides nothing
	local, remote := arg, ""
	if i := strings.LastIndexByte(arg[volume:], ':'); i >= 0 {
		local, remote = arg[:volume+i], arg[volume+i+1:]
		if remote == "" {
			return transfer{}, fmt.Errorf("--upload %q: nothing follows the colon", arg)
		}
	}
	if local == "" {
		return transfer{}, fmt.Errorf("--upload %q: name a local file", arg)
	}
	if _, err := os.Stat(local); err != nil {
		return transfer{}, fmt.Errorf("--upload: %w", err)
	}
	base := filepath.Base(filepath.Clean(local))
	switch {
	case remote == "" && (base == "." || base == ".." || base == string(filepath.Separator)):
		remote = "."
	case remote == "":
		remote = base
	case strings.HasSuffix(remote, "/"):
		remote = path.Join(remote, base)
	}
	return transfer{local: local, remote: remote}, nil
}

// parseDownload reads REMOTE[:LOCAL]. LOCAL is the remote name in the current directory by default; if it is a directory, the file goes into it.
func parseDownload(arg string) (transfer, error) {
	remote, local, ok := strings.Cut(arg, ":")
	switch {
	case remote == "":
		return transfer{}, fmt.Errorf("--download %q: name a file of the sandbox", arg)
	case ok && local == "":
		return transfer{}, fmt.Errorf("--download %q: nothing follows the colon", arg)
	case !ok:
		local = "."
	}
	if fi, err := os.Stat(local); err == nil && fi.IsDir() {
		local = filepath.Join(local, path.Base(remote))
	}
	if _, err := core.CleanFilePath(remote); err != nil {
		return transfer{}, err
	}
	return transfer{local: local, remote: remote}, nil
}
