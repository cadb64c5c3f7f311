package runtimes

import (
	"bytes"
	"encoding/json"
	"path"
	"slices"
	"strings"

	"github.com/caisson-dev/caisson/core"
)

// sourceDir holds what a build needs to reach its packages, while it runs.
const sourceDir = "/.caisson-build"

// guardScript runs "$@" for as long as a file can be made beside it, and an hour at
// the most. It is the first process of its namespace, so that its end is the end of
// all. (Where ':' cannot write, a shell exits; where true cannot, it goes on. A name
// that was there before can be opened, and removed, when the root file system is
// gone, so each has its own.)
const guardScript = `trap 'exit 143' USR1; read -r name </proc/sys/kernel/hostname; echo "` + GuardLine + `$name"; "$@" & step=$!; ` +
	`{ n=0; while [ $n -lt 3600 ] && sleep 1 && true >/.caisson-alive-$n && rm /.caisson-alive-$n; do n=$((n+1)); done; kill -USR1 $$; } 2>/dev/null & guard=$!; ` +
	`wait $step; code=$?; kill $guard; wait $guard 2>/dev/null; rm -f /.caisson-alive-*; exit $code`

// buildFile is a build file in the making. Nothing in it is interpreted: what
// comes from a runtime stands in the exec form of RUN, as JSON, or was
// validated to hold no character that means anything.
type buildFile struct {
	text  strings.Builder
	steps []string
	guard bool
	err   error
}

// newBuildFile writes the build of rt. With files it has two stages, the first
// of which holds the files; the second takes over the result without its
// history, as no engine's oldest builder can give a file to a step and keep it
// out of the image's layers.
func newBuildFile(rt *core.Runtime, base BaseImage, opts *BuildOptions, files []file) *buildFile {
	f := &buildFile{guard: opts.Guard}
	from := "FROM " + baseName(rt, base)
	if len(files) > 0 {
		from += " AS build"
	}
	f.add("start from "+rt.BaseImage, from)
	if opts.ID != "" {
		label := "LABEL " + LabelBuild + "=" + quoted(opts.ID)
		if rt.Name != "" {
			label += " " + LabelRuntime + "=" + quoted(rt.Name)
		}
		f.add("mark the build", label)
	}
	f.add("be root", "USER 0:0")
	if len(files) > 0 {
		f.openSource(rt, files)
	}
	for _, c := range rt.SetupCommands {
		f.run("set up: "+c, "/bin/sh", "-c", c)
	}
	if len(rt.Packages) > 0 {
		m := managers[rt.PackageManager]
		f.run("install "+strings.Join(rt.Packages, " "), m.command(rt.Packages)...)
	}
	if len(files) > 0 {
		f.closeSource(files, base.Env)
	}
	f.add("make the work directory", "WORKDIR "+rt.WorkDir)
	f.add("be the workload user", "USER "+rt.User)
	return f
}

// openSource brings the files in and points every tool at them.
func (f *buildFile) openSource(rt *core.Runtime, files []file) {
	f.add("bring in the package source", "COPY source/ /")
	if len(rt.Source.CA) > 0 {
		f.run("trust the given authorities", "/bin/sh", "-ec", trustScript)
	}
	if hasFile(files, aptIndex) {
		f.run("use the package index", "/bin/sh", "-ec", aptSourcesScript)
	}
	f.env("point the tools at it", sourceEnv(rt, files))
}

// closeSource removes the files and takes what is left into an image of its own.
func (f *buildFile) closeSource(files []file, env []string) {
	var roots []string
	for _, file := range files {
		root := "/" + strings.Split(strings.TrimPrefix(file.name, "source/"), "/")[0]
		if !slices.Contains(roots, root) {
			roots = append(roots, root)
		}
	}
	f.run("remove the package source", append([]string{"rm", "-rf", "--"}, roots...)...)
	f.add("begin the image", "FROM scratch")
	f.add("take over the result", "COPY --from=build / /")
	f.env("take over the environment", env)
}

// add appends an instruction.
func (f *buildFile) add(step, instruction string) {
	f.steps = append(f.steps, step)
	f.text.WriteString(instruction + "\n")
}

// run appends a RUN in exec form, one argument to a line if it is long.
func (f *buildFile) run(step string, argv ...string) {
	if f.guard {
		argv = append([]string{"/bin/sh", "-c", guardScript, "guard"}, argv...)
	}
	list := make([]string, len(argv))
	for i, arg := range argv {
		list[i] = jsonString(arg)
	}
	sep := ", "
	if len(strings.Join(list, sep)) > 100 {
		sep = ", \\\n     "
	}
	f.add(step, "RUN ["+strings.Join(list, sep)+"]")
}

// env appends an ENV of KEY=VALUE entries.
func (f *buildFile) env(step string, list []string) {
	var pairs []string
	for _, kv := range list {
		k, v, _ := strings.Cut(kv, "=")
		if !isName(k) { // ENV cannot have put it there, and would not take it
			continue
		}
		if strings.ContainsAny(v, "\n\r\x00") {
			f.err = core.Errorf(core.ErrUnsupported, "build", "the base image's environment variable %s has several lines, which a build file cannot hold", k)
			return
		}
		pairs = append(pairs, k+"="+quoted(v))
	}
	if len(pairs) > 0 {
		f.add(step, "ENV "+strings.Join(pairs, " \\\n    "))
	}
}

// jsonString spells s for the exec form. Two '<' in a row would begin a
// here-document for some parsers, before they look at the JSON.
func jsonString(s string) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string in UTF-8 can be encoded
	return strings.ReplaceAll(strings.TrimSuffix(b.String(), "\n"), "<<", `<\u003c`)
}

// quoted spells a value for ENV and LABEL so that nothing in it is expanded.
func quoted(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `\$`).Replace(s) + `"`
}

func isName(s string) bool {
	for i, r := range s {
		switch {
		case r == '_', r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', i > 0 && r >= '0' && r <= '9':
		default:
			return false
		}
	}
	return s != ""
}

// baseName names the base image by its id, so that the build uses just the one that was looked at.
func baseName(rt *core.Runtime, base BaseImage) string {
	if base.ID == "" {
		return rt.BaseImage
	}
	if _, id, found := strings.Cut(base.ID, ":"); found {
		return id
	}
	return base.ID
}

// file is a file of the build context.
type file struct{ name, text string }

func hasFile(files []file, name string) bool {
	return slices.ContainsFunc(files, func(f file) bool { return f.name == path.Join("source", name) })
}
