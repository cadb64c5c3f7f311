package kernel

import (
	"io"
	"time"
)

// A Job is a process with all that it starts, whatever parent, group or session these get.
type Job struct {
	kernel *Kernel
	outer  *Job     // whose process made this one
	maker  *Process // that started it
	root   *Process
	stdout *pipe
	stderr *pipe
	pumped [2]chan struct{}
	ooms   int // the kernel's, before

	count   int // processes; guarded by the kernel's lock
	changed event
}

// Command is what a Job begins with.
type Command struct {
	Image  *Image
	Env    []string
	Dir    string
	User   User
	Stdin  io.Reader // nil is an empty one
	Stdout io.Writer // written by one goroutine, until the process has ended
	Stderr io.Writer
}

// Start starts a job whose process is a child of p. It may be called from any
// goroutine. A writer that fails ends the job.
func (p *Process) Start(cmd *Command) (*Job, error) {
	k := p.kernel
	k.mu.Lock()
	p.reaper = true // nobody else waits for what the job leaves
	k.mu.Unlock()
	j := &Job{kernel: k, outer: p.job, maker: p, stdout: newPipe(), stderr: newPipe(), ooms: k.Kills()}
	j.pumped[0], j.pumped[1] = make(chan struct{}), make(chan struct{})
	var stdin *pipe
	input := describe(deviceFile(DevNull))
	if cmd.Stdin != nil {
		stdin = newPipe()
		input = describe(&pipeEnd{pipe: stdin, reads: 1})
	}
	j.root = &Process{
		User: cmd.User, Args: cmd.Image.args, Env: cmd.Env, Dir: cmd.Dir, Umask: 0o022, job: j, parent: p,
		files: map[int]*descriptor{
			0: input,
			1: describe(&pipeEnd{pipe: j.stdout, writes: 1}),
			2: describe(&pipeEnd{pipe: j.stderr, writes: 1}),
		},
	}
	if err := k.start(j.root, cmd.Image.program); err != nil {
		return nil, err
	}
	for i, out := range []struct {
		from *pipe
		to   io.Writer
	}{{j.stdout, cmd.Stdout}, {j.stderr, cmd.Stderr}} {
		go func() {
			defer close(j.pumped[i])
			out.from.pumpOut(out.to, j.root.over, func() { go func() { _ = j.Kill(time.Second) }() })
		}()
	}
	if stdin != nil {
		go stdin.pumpIn(cmd.Stdin, j.root.over)
	}
	return j, nil
}

// An End is how a job's first process ended.
type End struct {
	Status
	OOM  bool          // a process of the kernel was killed meanwhile for want of memory
	CPU  time.Duration // that it and the children that it waited for computed
	Peak int64         // bytes of memory that its largest process took
}

// Wait waits for the end of the job's first process and of its output. What
// background children write later is dropped.
func (j *Job) Wait() End {
	<-j.root.over
	<-j.pumped[0]
	<-j.pumped[1]
	return End{j.root.status, j.kernel.Kills() > j.ooms, j.root.used, j.root.peak}
}

// Kill kills every process of the job and reports whether none was left within the time given.
func (j *Job) Kill(patience time.Duration) bool {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		j.kernel.mu.Lock()
		for _, p := range j.kernel.procs {
			if p.job.within(j) {
				p.terminate(SIGKILL)
			}
		}
		left, changed := j.count, j.changed.next()
		j.kernel.mu.Unlock()
		if left == 0 {
			return true
		}
		select {
		case <-changed:
		case <-timer.C:
			return false
		}
	}
}

func (j *Job) within(outer *Job) bool {
	for ; j != nil; j = j.outer {
		if j == outer {
			return true
		}
	}
	return false
}

// Start starts a job whose process is a child of init.
func (k *Kernel) Start(cmd *Command) (*Job, error) {
	k.mu.Lock()
	parent := k.init
	k.mu.Unlock()
	return parent.Start(cmd)
}

// Serve starts a process of u that runs main, as a child of init. Main should
// leave no job behind; see KillJobs.
func (k *Kernel) Serve(u User, args []string, main Program) (*Process, error) {
	k.mu.Lock()
	parent := k.init
	k.mu.Unlock()
	p := &Process{
		User: u, Args: args, Dir: "/", Umask: 0o022, parent: parent, reaper: true, job: &Job{kernel: k},
		files: make(map[int]*descriptor),
	}
	if err := k.start(p, main); err != nil {
		return nil, err
	}
	return p, nil
}

// KillJobs kills every process of the jobs that p has started, and waits until
// they are gone. It may be called from any goroutine.
func (p *Process) KillJobs() {
	p.kernel.killAll(func(other *Process) bool {
		for j := other.job; j != nil; j = j.outer {
			if j.maker == p {
				return true
			}
		}
		return false
	})
}
