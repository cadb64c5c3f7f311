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
	err := p.system.hunt(p, p.gone)
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
	return s.hunt(strays, nil)
}

// strays stands for the leader of what has none: the runner's children that are no leaders.
var strays *process

// hunt ends every process below the leader of p, or every stray and what is
// below it, until over is closed or, where that is nil, until none is left.
func (s *System) hunt(p *process, over <-chan struct{}) error {
	s.mu.Lock()
	s.prey[p]++
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.prey[p]--; s.prey[p] == 0 {
			delete(s.prey, p)
		}
	}()
	wait := time.NewTimer(0)
	defer wait.Stop()
	for deadline := time.Now().Add(s.patience); ; {
		quarry, err := s.round(p, over)
		switch {
		case err != nil || quarry == nil:
			return err
		case quarry.left == 0 && over == nil:
			return nil
		case time.Now().After(deadline):
			return core.Errorf(core.ErrInternal, "", "%d processes outlive a kill", quarry.left)
		case quarry.fresh:
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

// A quarry is what a round found below one leader.
type quarry struct {
	left  int  // processes that have not ended
	fresh bool // some of them were not frozen before this round
}

// round does one step of every hunt that is under way, since each needs the
// same look at all processes, and says what it found for p; nil if that hunt is
// over. It freezes what is new. What is below a leader that has nothing new it
// kills: only then can nothing run on by forking.
func (s *System) round(p *process, over <-chan struct{}) (*quarry, error) {
	s.hunting.Lock()
	defer s.hunting.Unlock()
	select {
	case <-over: // by the round of another hunt
		return nil, nil
	default:
	}
	found, err := s.below()
	if err != nil {
		return nil, err
	}
	seen, frozen := map[*process]*quarry{p: {}}, make(map[proc]bool)
	for _, t := range found {
		if t.ended() {
			if t.stray {
				_, _ = unix.Wait4(t.pid, nil, unix.WALL|unix.WNOHANG, nil)
			}
			continue
		}
		q := seen[t.leader]
		if q == nil {
			q = new(quarry)
			seen[t.leader] = q
		}
		q.left++
		key := proc{pid: t.pid, start: t.start}
		frozen[key] = true
		q.fresh = q.fresh || !s.frozen[key]
		if t.state != 'T' { // new, or continued by one that was not frozen yet
			t.signal(unix.SIGSTOP)
		}
	}
	s.frozen = frozen
	for _, t := range found {
		if !t.ended() && !seen[t.leader].fresh {
			t.signal(unix.SIGKILL)
		}
	}
	return seen[p], nil
}

// below returns the processes of every hunt, with their leaders.
func (s *System) below() ([]*proc, error) {
	table, err := processes()
	if err != nil {
		return nil, err
	}
	var found []*proc
	hunted := make(map[int]*process) // by pid, their leaders
	s.mu.Lock()
	for _, t := range table {
		if t.parent != s.pid {
			continue
		}
		// Only the runner reaps its children, and only with this lock held. So
		// one that is still there is the one that was seen.
		if leader := s.leaders[t.pid]; leader != nil {
			if s.prey[leader] > 0 {
				hunted[t.pid] = leader
				if t.state == 'T' || t.state == 't' {
					t.signal(unix.SIGCONT) // it must run to reap
				}
			}
			continue
		}
		now, ok := process1(t.pid)
		t.stray = ok && now.start == t.start && now.parent == t.parent
		if t.stray && s.prey[strays] > 0 {
			hunted[t.pid] = strays
			found = append(found, t)
		}
	}
	s.mu.Unlock()
	// Parents can have higher pids than their children once pids have wrapped, so this goes on until nothing is added.
	for added := true; added; {
		added = false
		for _, t := range table {
			leader, below := hunted[t.parent]
			if _, known := hunted[t.pid]; below && !known {
				t.leader, hunted[t.pid], added = leader, leader, true
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
	threads     int
	stray       bool     // a child of the runner's, but no leader
	leader      *process // in whose tree it was found
}

// ended reports whether the process only waits to be reaped. One whose first
// thread has ended looks the same, but for the threads that still run.
func (t *proc) ended() bool { return t.state == 'Z' && t.threads <= 1 }

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

// parseStat reads "pid (name) state ppid ... threads ... start ...", where the name may hold anything.
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
	threads, err2 := strconv.Atoi(fields[17])
	start, err3 := strconv.ParseUint(fields[19], 10, 64)
	return proc{pid: pid, parent: parent, start: start, state: fields[0][0], threads: threads}, err == nil && err2 == nil && err3 == nil
}

func appendInt(b []byte, n int) []byte { return strconv.AppendInt(b, int64(n), 10) }
