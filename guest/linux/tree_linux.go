package linux

import (
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/caisson-dev/caisson/core"
	"golang.org/x/sys/unix"
)

// killPatience is how long a kill goes on before it gives up.
const killPatience = 800 * time.Millisecond

// Kill ends all that the command started; see runner.Process.
func (p *process) Kill() error {
	p.killing.Lock()
	defer p.killing.Unlock()
	h := hunt{system: p.system, prey: func(t *proc) bool { return t.pid == p.pid }}
	err := h.run(p.gone)
	if err == nil {
		err = p.lost
	}
	return err
}

// bury reaps the leader of p, which has closed its end of the status pipe. If
// it did not end by itself its children became the runner's; they are killed,
// because nobody could tell any more whose they are.
func (s *System) bury(p *process) error {
	var status unix.WaitStatus
	s.mu.Lock()
	for {
		// It is about to end, or has.
		_, err := unix.Wait4(p.pid, &status, unix.WALL, nil)
		if err != unix.EINTR {
			break
		}
	}
	delete(s.leaders, p.pid)
	s.mu.Unlock()
	if status.Exited() && status.ExitStatus() == 0 {
		return nil
	}
	h := hunt{system: s, prey: func(t *proc) bool { return t.stray }}
	return h.run(nil)
}

// A hunt ends every process below its prey, the prey itself only if it is a
// stray: a child of the runner's that is no leader. It freezes them until it
// finds no new one, and only then kills, so that none can run on by forking.
type hunt struct {
	system *System
	prey   func(*proc) bool
	frozen map[proc]bool // by pid and start
}

// run hunts until over is closed or, where that is nil, until nothing is left.
func (h *hunt) run(over <-chan struct{}) error {
	h.system.hunting.Lock() // one at a time is enough, and needs few threads
	defer h.system.hunting.Unlock()
	h.frozen = make(map[proc]bool)
	wait := time.NewTimer(0)
	defer wait.Stop()
	for deadline := time.Now().Add(killPatience); ; {
		select {
		case <-over:
			return nil
		default:
		}
		left, fresh, err := h.round()
		switch {
		case err != nil:
			return err
		case left == 0 && over == nil:
			return nil
		case time.Now().After(deadline):
			return core.Errorf(core.ErrInternal, "", "%d processes outlive a kill", left)
		case fresh:
			continue
		}
		wait.Reset(time.Millisecond)
		select {
		case <-over:
			return nil
		case <-wait.C:
		}
	}
}

// round looks once. It freezes what it finds new or, if there is nothing new, kills all.
func (h *hunt) round() (left int, fresh bool, err error) {
	found, err := h.below()
	if err != nil {
		return 0, false, err
	}
	for _, t := range found {
		if t.state == 'Z' {
			if t.stray {
				_, _ = unix.Wait4(t.pid, nil, unix.WALL|unix.WNOHANG, nil)
			}
			continue
		}
		left++
		key := proc{pid: t.pid, start: t.start}
		if !h.frozen[key] {
			h.frozen[key], fresh = true, true
			t.signal(unix.SIGSTOP)
		}
	}
	if fresh {
		return left, true, nil
	}
	for _, t := range found {
		if t.state != 'Z' {
			t.signal(unix.SIGKILL)
		}
	}
	return left, false, nil
}

// below returns the processes of the hunt.
func (h *hunt) below() ([]*proc, error) {
	table, err := processes()
	if err != nil {
		return nil, err
	}
	h.system.mu.Lock()
	for _, t := range table {
		// Only the runner reaps its children, and only with this lock held. So
		// one that is still there is the one that was seen.
		if t.parent == h.system.pid && h.system.leaders[t.pid] == nil {
			now, ok := process1(t.pid)
			t.stray = ok && now.start == t.start && now.parent == t.parent
		}
	}
	h.system.mu.Unlock()
	var found []*proc
	in := make(map[int]bool)
	for _, t := range table {
		if h.prey(t) {
			in[t.pid] = true
			if t.stray {
				found = append(found, t)
			} else if t.state == 'T' || t.state == 't' {
				t.signal(unix.SIGCONT) // a leader must run to reap
			}
		}
	}
	// Parents can have higher pids than their children once pids have wrapped, so this goes on until nothing is added.
	for added := true; added; {
		added = false
		for _, t := range table {
			if in[t.parent] && !in[t.pid] {
				in[t.pid], added = true, true
				found = append(found, t)
			}
		}
	}
	return found, nil
}

// A proc is a line of the process table.
type proc struct {
	pid, parent int
	start       uint64 // clock ticks since boot
	state       byte
	stray       bool
}

// signal sends a signal to the process that was seen, and to no other that got its pid since.
func (t *proc) signal(sig unix.Signal) {
	fd, err := unix.PidfdOpen(t.pid, 0)
	if err != nil {
		if err == unix.ENOSYS || err == unix.EPERM {
			_ = unix.Kill(t.pid, sig)
		}
		return
	}
	// If the start is right now, the descriptor is of the process seen.
	if now, ok := process1(t.pid); ok && now.start == t.start {
		_ = unix.PidfdSendSignal(fd, sig, nil, 0)
	}
	unix.Close(fd)
}

// processes returns every process that can be seen.
func processes() ([]*proc, error) {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil, core.Errorf(core.ErrInternal, "", "process table: %w", err)
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, core.Errorf(core.ErrInternal, "", "process table: %w", err)
	}
	table := make([]*proc, 0, len(names))
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			if t, ok := process1(pid); ok {
				table = append(table, &t)
			}
		}
	}
	return table, nil
}

// process1 reads the line of one process.
func process1(pid int) (proc, bool) {
	var path [32]byte
	var buf [512]byte
	fd, err := unix.Open(string(append(appendInt(append(path[:0], "/proc/"...), pid), "/stat"...)), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return proc{}, false
	}
	n, err := unix.Read(fd, buf[:])
	unix.Close(fd)
	if err != nil {
		return proc{}, false
	}
	return parseStat(pid, string(buf[:n]))
}

// parseStat reads "pid (name) state ppid ... start ...", where the name may hold anything.
func parseStat(pid int, line string) (proc, bool) {
	at := strings.LastIndexByte(line, ')')
	if at < 0 {
		return proc{}, false
	}
	fields := strings.Fields(line[at+1:])
	if len(fields) < 20 {
		return proc{}, false
	}
	parent, err := strconv.Atoi(fields[1])
	start, err2 := strconv.ParseUint(fields[19], 10, 64)
	return proc{pid: pid, parent: parent, start: start, state: fields[0][0]}, err == nil && err2 == nil
}

func appendInt(b []byte, n int) []byte { return strconv.AppendInt(b, int64(n), 10) }
