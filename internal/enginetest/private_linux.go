package enginetest

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Private is an engine of a test's own, which it may stop and kill. It has its
// own data, sockets and network, and nothing of the tests' engine.
type Private struct {
	t       testing.TB
	scheme  string
	dir     string
	process *exec.Cmd // nil while it does not run
	ended   chan struct{}
}

// NewPrivate starts an engine with the tests' image, and removes all of it when
// t ends. It skips t, or fails it if CAISSON_REQUIRE names the scheme, where that cannot be done.
func NewPrivate(t testing.TB, scheme string) *Private {
	t.Helper()
	program := map[string]string{"docker": "dockerd", "podman": "podman"}[scheme]
	if _, err := exec.LookPath(program); err != nil || os.Geteuid() != 0 {
		reason := fmt.Sprintf("an engine of the test's own needs root and the program %s", program)
		if slices.Contains(strings.Split(os.Getenv("CAISSON_REQUIRE"), ","), scheme) {
			t.Fatal(reason)
		}
		t.Skip(reason)
	}
	// Not in /tmp, which can be of a kind that no image can be unpacked on; the path of a socket has to be short.
	dir, err := os.MkdirTemp("/var/lib", "caisson-test-") //nolint:usetesting // see above
	if err != nil {
		t.Fatal(err)
	}
	p := &Private{t: t, scheme: scheme, dir: dir}
	t.Cleanup(p.remove)
	p.Start()
	p.load(Image())
	return p
}

// URL returns the driver's URL for the engine.
func (p *Private) URL() string { return p.scheme + "://" + p.socket() }

func (p *Private) socket() string { return filepath.Join(p.dir, "api.sock") }

// Start starts the engine, which does not run, and waits until it answers.
func (p *Private) Start() {
	p.t.Helper()
	_ = os.Remove(p.socket())
	log, err := os.OpenFile(filepath.Join(p.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		p.t.Fatal(err)
	}
	defer log.Close()
	p.process = p.command()
	p.process.Stdout, p.process.Stderr, p.process.Dir = log, log, "/"
	// A network of its own: a second dockerd takes the bridge of the first away. A
	// session of its own, so that what is typed to end the tests ends them alone.
	p.process.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Cloneflags: syscall.CLONE_NEWNET}
	if err := p.process.Start(); err != nil {
		p.t.Fatal(err)
	}
	ended, process := make(chan struct{}), p.process
	p.ended = ended
	go func() {
		defer close(ended)
		_ = process.Wait() // it was told to end, or its log says why it did
	}()
	for began := time.Now(); time.Since(began) < time.Minute; time.Sleep(50 * time.Millisecond) {
		if res, err := p.client().Get("http://engine/_ping"); err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return
			}
		}
	}
	text, _ := os.ReadFile(log.Name())
	p.t.Fatalf("the private %s does not answer: %s", p.scheme, text[max(0, len(text)-2000):])
}

func (p *Private) command() *exec.Cmd {
	in := func(name string) string { return filepath.Join(p.dir, name) }
	if p.scheme == "docker" {
		p.write("daemon.json", "{}") // in place of the machine's
		return exec.Command("dockerd", "--host", "unix://"+p.socket(), "--data-root", in("data"), "--exec-root", in("exec"),
			"--pidfile", in("pid"), "--config-file", in("daemon.json"), "--bridge", "none", "--iptables=false")
	}
	cmd := exec.Command("podman", "--root", in("data"), "--runroot", in("run"), "--tmpdir", in("tmp"),
		"system", "service", "--time=0", "unix://"+p.socket())
	// Podman's processes share locks by a name in memory, unless they are files below tmpdir.
	p.write("containers.conf", p.configuration())
	cmd.Env = append(os.Environ(), "CONTAINERS_CONF="+in("containers.conf"))
	return cmd
}

func (p *Private) write(name, text string) {
	if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// configuration is that of Podman on a machine without systemd.
func (p *Private) configuration() string {
	var files, processes syscall.Rlimit
	const rlimitNPROC = 6
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		p.t.Fatal(err)
	}
	if err := syscall.Getrlimit(rlimitNPROC, &processes); err != nil {
		p.t.Fatal(err)
	}
	n, m := min(files.Max, 1<<20), min(processes.Max, 32768)
	return fmt.Sprintf("[containers]\ndefault_ulimits = [\"nofile=%d:%d\", \"nproc=%d:%d\"]\n"+
		"[engine]\nruntime = \"runc\"\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"file\"\nexit_command_delay = 10\nlock_type = \"file\"\n", n, n, m, m)
}

// Stop ends the engine as its operator does.
func (p *Private) Stop() { p.end(syscall.SIGTERM) }

// Kill ends the engine as a crash does. What it has started lives on, as it then does.
func (p *Private) Kill() { p.end(syscall.SIGKILL) }

func (p *Private) end(sig syscall.Signal) {
	p.t.Helper()
	if p.process == nil {
		return
	}
	_ = p.process.Process.Signal(sig)
	select {
	case <-p.ended:
	case <-time.After(time.Minute):
		_ = p.process.Process.Kill()
		p.t.Errorf("the private %s does not end", p.scheme)
		<-p.ended
	}
	p.process = nil
}

// remove ends what the engine leaves running, and removes its files. What is
// still ending can mount something once more.
func (p *Private) remove() {
	p.Stop()
	var err error
	for began := time.Now(); time.Since(began) < 20*time.Second; time.Sleep(200 * time.Millisecond) {
		p.killRest()
		p.unmount()
		if err = os.RemoveAll(p.dir); err == nil {
			return
		}
	}
	p.t.Errorf("the private %s leaves files: %v", p.scheme, err)
}

// killRest kills the processes that name the engine's directory in their
// command line: those that it has started to watch over containers.
func (p *Private) killRest() {
	for pid := range Processes(p.dir + "/") {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

func (p *Private) unmount() {
	mounts, _ := os.ReadFile("/proc/self/mounts")
	lines := strings.Split(string(mounts), "\n")
	slices.Reverse(lines) // what is mounted on top comes first
	for _, line := range lines {
		if fields := strings.Fields(line); len(fields) > 1 && strings.HasPrefix(fields[1], p.dir+"/") {
			_ = syscall.Unmount(fields[1], syscall.MNT_DETACH)
		}
	}
}

// load gives the engine an image of the tests' one.
func (p *Private) load(ref string) {
	p.t.Helper()
	from, err := client(p.t, p.scheme).Get("http://engine/v1.40/images/" + url.PathEscape(ref) + "/get")
	if err != nil {
		p.t.Fatal(err)
	}
	defer from.Body.Close()
	res, err := p.client().Post("http://engine/v1.40/images/load?quiet=1", "application/x-tar", from.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	defer res.Body.Close()
	if text, _ := io.ReadAll(res.Body); from.StatusCode != http.StatusOK || res.StatusCode != http.StatusOK {
		p.t.Fatalf("image %s: %s, %s: %s", ref, from.Status, res.Status, text)
	}
}

// Objects lists the containers and volumes with a label, as the function Objects does.
func (p *Private) Objects(label string) []string {
	p.t.Helper()
	return objects(p.t, p.client(), label)
}

func (p *Private) client() *http.Client { return socketClient(p.socket()) }
