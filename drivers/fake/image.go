package fake

import (
	"bytes"
	"fmt"
	"io/fs"
	"strings"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/drivers/fake/internal/kernel"
	"github.com/caisson-dev/caisson/drivers/fake/internal/shell"
	"github.com/caisson-dev/caisson/drivers/fake/internal/tools"
)

// magic begins the executable of an imitated program; its name follows. It looks like an ELF file's head.
const magic = "\x7fELF\x02\x01\x01\x00caisson fake\x00"

// load returns the program of an executable; see kernel.Options.
func load(data []byte) kernel.Program {
	name, ours := bytes.CutPrefix(data, []byte(magic))
	if !ours {
		return nil
	}
	if string(name) == "sh" {
		return shell.Main
	}
	return tools.Lookup(string(name))
}

const (
	binDir  = "/usr/bin"
	rootDir = 1 << 40 // bytes that fit into the root's layer
)

// install makes the file system of the image.
func (s *sandbox) install() {
	dir := func(mode fs.FileMode) kernel.Node { return kernel.Node{Mode: fs.ModeDir | mode} }
	link := func(target string) kernel.Node { return kernel.Node{Mode: fs.ModeSymlink | 0o777, Target: target} }
	file := func(text string) kernel.Node { return kernel.Node{Mode: 0o644, Data: []byte(text)} }
	device := func(d kernel.Device) kernel.Node {
		return kernel.Node{Mode: fs.ModeDevice | fs.ModeCharDevice | 0o666, Device: d}
	}
	limits := s.spec.Limits
	s.ram = kernel.NewVolume(limits.Memory, nil)
	s.work = kernel.NewVolume(s.driver.options.Disk, nil)
	s.root = kernel.NewVolume(rootDir, nil)
	s.fs = kernel.NewFS(s.root)
	s.fs.SetFileSize(limits.FileSize)
	for name, node := range map[string]kernel.Node{
		"/dev": dir(0o755), "/etc": dir(0o755), "/home": dir(0o755), "/root": dir(0o700), "/run": dir(0o755), "/sys": dir(0o555),
		"/usr/lib": dir(0o755), "/usr/local/bin": dir(0o755), "/usr/sbin": dir(0o755), "/var/tmp": dir(fs.ModeSticky | 0o777), "/opt": dir(0o755),
		binDir: dir(0o755),
	} {
		s.fs.Install(name, node)
	}
	for name, node := range map[string]kernel.Node{
		"/bin": link("usr/bin"), "/sbin": link("usr/sbin"), "/lib": link("usr/lib"),
		"/dev/null": device(kernel.DevNull), "/dev/zero": device(kernel.DevZero), "/dev/full": device(kernel.DevFull),
		"/dev/random": device(kernel.DevRandom), "/dev/urandom": device(kernel.DevRandom),
		"/dev/stdin": device(kernel.DevStdin), "/dev/stdout": device(kernel.DevStdout), "/dev/stderr": device(kernel.DevStderr),
		"/etc/hostname":   file(s.hostname() + "\n"),
		"/etc/hosts":      file("127.0.0.1\tlocalhost\n"),
		"/etc/os-release": file("NAME=\"Caisson fake\"\nID=caisson-fake\nPRETTY_NAME=\"Caisson fake\"\n"),
		"/etc/passwd":     file(s.passwd()),
		"/etc/group":      file(s.group()),
		"/tmp":            {Mode: fs.ModeDir | fs.ModeSticky | 0o777, Volume: s.newTmp()},
	} {
		s.fs.Install(name, node)
	}
	for _, name := range append(tools.Names(), "sh") {
		s.fs.Install(binDir+"/"+name, kernel.Node{Mode: 0o755, Data: []byte(magic + name)})
	}
	s.fs.Install(binDir+"/su", kernel.Node{Mode: fs.ModeSetuid | 0o755, Data: []byte(magic + "su")})
	wd := s.spec.Runtime.WorkDir
	s.fs.Install(wd, kernel.Node{Mode: fs.ModeDir | 0o755, Owner: s.user, Volume: s.work})
	if !s.mountWorkspace(wd) {
		s.fs.Install(wd+"/.uploads", kernel.Node{Mode: fs.ModeDir | 0o755, Owner: s.user})
	}
	s.fs.Install("/uploads", link(wd+"/.uploads"))
	s.fs.Install("/var/lib/caisson/packages", file(packageList(s.spec.Runtime)))
}

func (s *sandbox) newTmp() *kernel.Volume {
	s.tmp = kernel.NewVolume(s.spec.Limits.Tmp, s.ram)
	return s.tmp
}

// seal makes the root's layer read-only where the profile says so.
func (s *sandbox) seal() {
	if s.spec.Profile == core.Strict {
		s.fs.SetReadOnly(s.root)
	}
}

// fill takes all the room that there is for files, or gives it back.
func (s *sandbox) fill(full bool) {
	s.fs.SetFull(s.work, full)
	s.fs.SetFull(s.tmp, full)
}

func (s *sandbox) passwd() string {
	lines := "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
	if s.user != kernel.Root {
		lines += fmt.Sprintf("user:x:%d:%d::%s/.home:/bin/sh\n", s.user.UID, s.user.GID, s.spec.Runtime.WorkDir)
	}
	return lines
}

func (s *sandbox) group() string {
	lines := "root:x:0:\nnogroup:x:65534:\n"
	if s.user != kernel.Root {
		lines += fmt.Sprintf("user:x:%d:\n", s.user.GID)
	}
	return lines
}

// packageList is what the image says to have installed.
func packageList(rt *core.Runtime) string {
	var b strings.Builder
	for _, p := range rt.Packages {
		fmt.Fprintf(&b, "%s %s\n", rt.PackageManager, p)
	}
	return b.String()
}
