package conformance

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/caisson-dev/caisson/core"
)

// What the sandboxes of a runtime are like. Each clause of docs/runtime-contract.md names its case.
func runtimeCases() []Case {
	return []Case{
		{ID: "runtime/work-dir", Title: "the work directory that a runtime names is there, belongs to its user, and is where commands, uploads and reads start", Level: Extended, Requires: core.CapImages, Run: workDir},
		{ID: "runtime/user", Title: "commands run as the runtime's user and are in no group but its own", Level: Extended, Requires: core.CapImages, Run: func(e *Env) {
			sb := e.Own(elsewhere)
			want(e, "user, group and groups", e.sh(sb, "echo $(id -u):$(id -g):$(id -G)"), otherUser+":5432\n")
			want(e, "the owner of a new file", e.sh(sb, "touch new && stat -c %u:%g new"), otherUser+"\n")
		}},
		{ID: "runtime/env", Title: "every command sees the runtime's environment, whatever it is and wherever it runs", Level: Core, Run: runtimeEnv},
		{ID: "runtime/env-order", Title: "the runtime's environment wins over what every sandbox has, and a command's own over both", Level: Core, Run: func(e *Env) {
			usual := strings.TrimSpace(e.sh(e.Sandbox(), "echo $PATH"))
			sb := e.Own(func(s *core.Spec) {
				s.Runtime.Env = map[string]string{"HOME": "/tmp", "TMPDIR": "/", "LANG": "C", "PATH": "/own:" + usual}
			})
			show, theirs := `echo "$HOME $TMPDIR $LANG $PATH"`, "/tmp / C /own:"+usual+"\n"
			want(e, "the runtime's", e.sh(sb, show), theirs)
			want(e, "a command's", string(e.exec(sb, &core.Command{Shell: show, Env: map[string]string{"HOME": "/", "LANG": "x"}}).Stdout.Bytes()), "/ / x /own:"+usual+"\n")
			want(e, "the next command's", e.sh(sb, show), theirs)
		}},
		{ID: "runtime/home", Title: "HOME is a hidden directory in the work directory, and the user's own", Level: Core, Run: func(e *Env) {
			sb := e.Own()
			want(e, "HOME", e.sh(sb, `echo "$HOME"`), strings.TrimSpace(e.sh(sb, "pwd"))+"/.home\n")
			want(e, "its owner", e.sh(sb, "stat -c %u:%g ~"), e.sh(sb, "echo $(id -u):$(id -g)"))
			want(e, "a file in it", e.sh(sb, "cd && echo kept > .config && cat ~/.config"), "kept\n")
		}},
		{ID: "runtime/tmpdir", Title: "TMPDIR is /tmp, where files can be made and programs run", Level: Core, Run: func(e *Env) {
			sb := e.Sandbox()
			want(e, "TMPDIR", e.sh(sb, `echo "$TMPDIR"`), "/tmp\n")
			want(e, "a program that mktemp made", e.sh(sb, `f=$(mktemp) && printf '#!/bin/sh\necho ran\n' > "$f" && chmod 700 "$f" && "$f"; rm "$f"; echo "${f%/*}"`), "ran\n/tmp\n")
		}},
		{ID: "runtime/path", Title: "PATH lists absolute directories, the same for scripts and programs, and the image's programs are in them", Level: Core, Run: func(e *Env) {
			sb := e.Sandbox()
			list := strings.TrimSpace(e.sh(sb, `echo "$PATH"`))
			for _, dir := range strings.Split(list, ":") {
				want(e, fmt.Sprintf("%q of PATH is absolute", dir), path.IsAbs(dir), true)
			}
			want(e, "the PATH of a program", strings.Contains("\n"+string(e.exec(sb, core.Program("env")).Stdout.Bytes()), "\nPATH="+list+"\n"), true)
			for _, program := range []string{"sh", "ls", "cat"} {
				found := strings.TrimSpace(e.sh(sb, "command -v "+program))
				want(e, fmt.Sprintf("%s, found at %q, is in PATH", program, found), slices.Contains(strings.Split(list, ":"), path.Dir(found)), true)
			}
			wantExit(e, "program ls", e.exec(sb, core.Program("ls", "/")), 0)
		}},
		{ID: "runtime/locale", Title: "the locale is one of UTF-8", Level: Core, Run: func(e *Env) {
			locale := strings.ToLower(e.sh(e.Sandbox(), `echo "${LC_ALL:-${LC_CTYPE:-$LANG}}"`))
			want(e, fmt.Sprintf("the locale %q is one of UTF-8", locale), strings.Contains(strings.ReplaceAll(locale, "-", ""), "utf8"), true)
		}},
		{ID: "runtime/read-only", Title: "with profile strict no directory can be written but the work directory, /tmp and shared memory", Level: Extended, Requires: core.CapImages, Needs: []string{"find"}, Run: readOnly},
		{ID: "runtime/invalid", Title: "Prepare refuses what is not a valid runtime", Level: Core, Run: invalidRuntimes},
		{ID: "runtime/build-failure", Title: "a runtime whose set-up fails, or cannot be done by this driver, is never started without it", Level: Core, Run: buildFailure},
		{ID: "runtime/setup", Title: "set-up commands run as root in their order, and what they make is there for the user", Level: Extended, Requires: core.CapBuild, Timeout: 3 * time.Minute, Run: setup},
		{ID: "runtime/packages", Title: "after the set-up each package reaches its manager as one exact argument, and the user can run what that installed", Level: Extended, Requires: core.CapBuild, Timeout: 3 * time.Minute, Run: packages},
		{ID: "runtime/cached", Title: "a runtime is built once for all who want it, again if that is asked for, and another if it differs", Level: Extended, Requires: core.CapBuild, Timeout: 3 * time.Minute, Run: cached},
		{ID: "runtime/build-canceled", Title: "a build ends when nobody waits for it any more", Level: Extended, Requires: core.CapBuild, Run: buildCanceled},
	}
}

// What elsewhere changes: neither the default directory nor the default user.
const (
	otherDir  = "/srv/conformance"
	otherUser = "4321:5432"
)

func elsewhere(s *core.Spec) { s.Runtime.WorkDir, s.Runtime.User = otherDir, otherUser }

// workDir looks beside the default directory too: an image that was made for
// that does not have the other.
func workDir(e *Env) {
	beside := func(s *core.Spec) { s.Runtime.WorkDir = "/conformance" }
	for _, change := range []func(*core.Spec){beside, elsewhere} {
		sb := e.Own(change)
		dir, user := sb.Spec().Runtime.WorkDir, sb.Spec().Runtime.User
		want(e, "pwd", e.sh(sb, "pwd"), dir+"\n")
		want(e, "pwd of a program", string(e.exec(sb, core.Program("pwd")).Stdout.Bytes()), dir+"\n")
		want(e, "its owner", e.sh(sb, "stat -c %u:%g ."), user+"\n")
		e.sh(sb, "mkdir made && echo command > made/command")
		e.upload(sb, "made/upload", []byte("upload\n"))
		want(e, "what a command and an upload wrote", e.sh(sb, "cat "+dir+"/made/*"), "command\nupload\n")
		wantBytes(e, "a read", e.read(sb, "made/command", nil), []byte("command\n"))
	}
}

func runtimeEnv(e *Env) {
	key, value := "RUNTIME_"+e.Marker, "a 'b' \"c\"\n$d \\"
	sb := e.Own(func(s *core.Spec) { s.Runtime.Env = map[string]string{key: value} })
	script, line := `printf '%s' "$`+key+`"`, key+"="+value+"\n"
	for name, cmd := range map[string]*core.Command{
		"a script":               core.Shell(script),
		"a program":              core.Program("env"),
		"a child of a child":     core.Shell("sh -c 'env & wait'"),
		"a command elsewhere":    {Shell: "env", Dir: "/"},
		"one with variables":     {Shell: "env", Env: map[string]string{"OTHER": "x"}},
		"one with input":         {Shell: "env", Stdin: strings.NewReader("x")},
		"one that may time out":  {Shell: "env", Timeout: time.Minute},
		"a program of a program": core.Program("sh", "-c", "exec env"),
	} {
		out := string(e.exec(sb, cmd).Stdout.Bytes())
		want(e, name+" sees it", out == value || strings.Contains("\n"+out, "\n"+line), true)
	}
}

func readOnly(e *Env) {
	sb := e.Own(elsewhere, func(s *core.Spec) { s.Profile = core.Strict })
	list := e.sh(sb, `find / \( -path /proc -o -path /sys \) -prune -o -type d -print 2>/dev/null | while IFS= read -r d; do [ ! -w "$d" ] || echo "$d"; done`)
	var writable []string
	for dir := range strings.Lines(list) {
		dir = strings.TrimSuffix(dir, "\n")
		writable = append(writable, dir)
		in := func(tree string) bool { return dir == tree || strings.HasPrefix(dir, tree+"/") }
		want(e, dir+" may be writable", slices.ContainsFunc([]string{otherDir, "/tmp", "/dev/shm", "/dev/mqueue"}, in), true)
	}
	for _, dir := range []string{otherDir, "/tmp"} {
		want(e, dir+" is writable", slices.Contains(writable, dir), true)
	}
}

func invalidRuntimes(e *Env) {
	for name, rt := range map[string]*core.Runtime{
		"nil":                         nil,
		"no image":                    {},
		"two images":                  {Image: "a", BaseImage: "b"},
		"an instruction for an image": {Image: "a\nUSER root"},
		"packages for an image":       {Image: "a", Packages: []string{"x"}},
		"an option for a package":     {BaseImage: "a", Packages: []string{"--index-url=http://x"}},
		"a URL for a package":         {BaseImage: "a", Packages: []string{"https://x/y.whl"}},
		"shell in a package":          {BaseImage: "a", Packages: []string{"x;id"}},
		"a manager that there is not": {BaseImage: "a", PackageManager: "yum", Packages: []string{"x"}},
		"set-up of two lines":         {BaseImage: "a", SetupCommands: []string{"true\nUSER root"}},
		"a relative work directory":   {Image: "a", WorkDir: "work"},
		"a work directory in /proc":   {Image: "a", WorkDir: "/proc/self"},
		"a line after a directory":    {Image: "a", WorkDir: "/a\nUSER root"},
		"a variable with =":           {Image: "a", Env: map[string]string{"A=B": ""}},
		"root":                        {Image: "a", User: "0:0"},
		"a name with a slash":         {Image: "a", Name: "../a"},
	} {
		_, err := e.Driver().Prepare(e.Context(), rt, new(core.PrepareOptions))
		wantCode(e, "prepare with "+name, err, core.ErrInvalid)
	}
}

// built returns a runtime that set-up commands make of the harness's image, without
// a network. At the end of the case its images are removed, if the driver can do that.
func (e *Env) built(commands ...string) *core.Runtime {
	rt := e.Spec().Runtime
	rt.Name, rt.BaseImage, rt.Image = "conformance-"+e.Marker, cmp.Or(rt.BaseImage, rt.Image), ""
	rt.Packages, rt.SetupCommands, rt.Source = nil, commands, core.PackageSource{Network: core.NetworkNone}
	if pruner, ok := core.AsDriver[core.Pruner](e.Driver()); ok {
		e.Cleanup(func() {
			if _, err := pruner.Prune(context.WithoutCancel(e.Context()), &core.PruneOptions{Runtime: rt.Name, All: true}); err != nil {
				e.Errorf("remove the case's images: %v", err)
			}
		})
	}
	return rt
}

func buildFailure(e *Env) {
	code := core.ErrUnsupported
	if e.has(core.CapBuild) {
		code = core.ErrBuild
	}
	rt := e.built("exit 7 # " + e.Marker)
	_, err := e.Driver().Prepare(e.Context(), rt, new(core.PrepareOptions))
	wantCode(e, "prepare with a set-up that fails", err, code)
	spec := e.Spec()
	spec.Runtime = rt
	sb, err := e.run.start(e.Context(), e.Driver(), spec)
	wantCode(e, "start with a set-up that fails", err, code)
	if err == nil {
		want(e, "stop", sb.Stop(e.Context()), nil)
	}
	if code == core.ErrUnsupported {
		rt.SetupCommands, rt.Packages = nil, []string{"conformance"}
		_, err = e.Driver().Prepare(e.Context(), rt, new(core.PrepareOptions))
		wantCode(e, "prepare with a package", err, code)
	}
}

// tool is a set-up command that makes a program of lines of shell.
func tool(name string, lines ...string) string {
	file := "/usr/local/bin/" + name
	return "mkdir -p /usr/local/bin; { echo '#!/bin/sh'; echo '" + strings.Join(lines, "'; echo '") + "'; } > " + file + " && chmod 755 " + file
}

func setup(e *Env) {
	work := e.Spec().Runtime.WithDefaults().WorkDir
	rt := e.built("id -u > /set-up", "echo second >> /set-up", tool("conformance-tool", "echo made by set-up"),
		fmt.Sprintf("mkdir -p %[1]s && echo of the image > %[1]s/file", work))
	sb := e.Own(func(s *core.Spec) { s.Runtime = rt })
	want(e, "what the commands wrote", e.sh(sb, "cat /set-up"), "0\nsecond\n")
	want(e, "the user may change it", e.exec(sb, core.Shell("echo third >> /set-up")).Success(), false)
	want(e, "the tool that they made", string(e.exec(sb, core.Program("conformance-tool")).Stdout.Bytes()), "made by set-up\n")
	want(e, "what they put into the work directory", e.sh(sb, "cat file && rm file && echo the user\\'s > file && cat file"), "of the image\nthe user's\n")
}

func packages(e *Env) {
	// A manager of its own, since no index of packages is the same everywhere.
	rt := e.built(tool("pip", `while [ "$1" != -- ]; do shift; done; shift; for p; do echo "$p"; done > /installed`,
		`f=/usr/local/bin/conformance-tool; { echo "#!/bin/sh"; echo "echo runs offline"; } > $f; chmod 755 $f`))
	rt.PackageManager, rt.Packages = core.Pip, []string{"a>=1,<2", "b[x,y]~=1.0", "c==1.*", "d!=1", "e"}
	sb := e.Own(func(s *core.Spec) { s.Runtime, s.Network = rt, core.NetworkNone })
	want(e, "what the manager got", e.sh(sb, "cat /installed"), strings.Join(rt.Packages, "\n")+"\n")
	want(e, "what it installed", string(e.exec(sb, core.Program("conformance-tool")).Stdout.Bytes()), "runs offline\n")
}

func cached(e *Env) {
	rt := e.built("echo " + e.Marker + " > /made")
	prepare := func(rt *core.Runtime, opts *core.PrepareOptions) *core.Prepared {
		p, err := e.Driver().Prepare(e.Context(), rt, opts)
		if err != nil || p == nil {
			e.Errorf("prepare: expected an image, got %v and error %v", p, err)
			p = new(core.Prepared)
		}
		return p
	}
	all := make([]*core.Prepared, 10)
	var wg sync.WaitGroup
	for i := range all {
		wg.Go(func() { all[i] = prepare(rt, new(core.PrepareOptions)) })
	}
	wg.Wait()
	for _, p := range all {
		want(e, "the image of one of ten at once", p.ID, all[0].ID)
	}
	again := prepare(rt, new(core.PrepareOptions))
	want(e, "the image once more", again.ID, all[0].ID)
	want(e, "it is built once more", again.Built, false)
	described := *rt
	described.Description, described.Env = "described differently", map[string]string{"A": "b"}
	want(e, "it is built for another description and environment", prepare(&described, new(core.PrepareOptions)).Built, false)
	want(e, "it is built if that is asked for", prepare(rt, &core.PrepareOptions{NoCache: true}).Built, true)
	other := *rt
	other.SetupCommands = []string{"echo other > /made"}
	want(e, "another set-up has the same image", prepare(&other, new(core.PrepareOptions)).ID == all[0].ID, false)
}

func buildCanceled(e *Env) {
	rt := e.built("sleep 10 # " + e.Marker)
	ctx, cancel := context.WithCancel(e.Context())
	defer cancel()
	begun := make(chan time.Time, 1)
	opts := &core.PrepareOptions{Progress: func(p core.Progress) {
		if p.Kind == core.ProgressStep && strings.Contains(p.Text, e.Marker) && len(begun) == 0 {
			begun <- time.Now()
			cancel()
		}
	}}
	_, err := e.Driver().Prepare(ctx, rt, opts)
	wantError(e, "prepare that is canceled", err, context.Canceled)
	select {
	case at := <-begun:
		took := time.Since(at)
		want(e, fmt.Sprintf("it ended %v later, before the step would have", took), took < 8*time.Second, true)
	default:
		e.Errorf("progress: expected an event of the set-up's step, got none")
	}
}
