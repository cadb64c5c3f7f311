package guest

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/guest/protocol"
)

// Execute sends the command to the runner and gathers what comes back.
func (b *backend) Execute(ctx context.Context, cmd *core.Command) (*core.Result, error) {
	e := &execution{backend: b, cmd: cmd, start: time.Now(), out: newOutputs(cmd), reason: core.Unknown}
	res, err := e.run(ctx)
	if err != nil {
		return res, b.fail("execute", "", err)
	}
	return res, nil
}

// execution is one command on its way.
type execution struct {
	backend *backend
	cmd     *core.Command
	start   time.Time
	out     *outputs
	link    *link
	call    *protocol.Call
	sent    bool        // standard input went out with the request
	reason  core.Reason // TimedOut or Canceled once the host has ended the command
}

func (e *execution) run(ctx context.Context) (*core.Result, error) {
	if e.cmd.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, e.cmd.Timeout, errTimeout)
		defer cancel()
	}
	if err := e.open(ctx); err != nil {
		return e.unopened(ctx, err)
	}
	defer e.call.Forget()
	var unread chan error // says why Stdin could not be read
	if e.cmd.Stdin != nil && !e.sent {
		in := newInput(e.cmd.Stdin)
		defer in.end()
		unread = make(chan error, 1)
		go e.sendStdin(in, unread) // not waited for: a Read of the caller's may block for ever
	}
	received := make(chan error, 1)
	go func() {
		defer close(received)
		received <- e.out.receive(e.call)
	}()
	select {
	case err := <-received:
		switch {
		case e.out.failed():
			drained := make(chan error)
			go func() { defer close(drained); _ = discard(e.call) }()
			return e.abandon(ctx, drained, "writer of the output", err)
		case err == nil || ctx.Err() == nil:
			return e.finish(ctx, err)
		}
	case err := <-unread:
		return e.abandon(ctx, received, "reader of the input", err)
	case <-ctx.Done():
	}
	return e.kill(ctx, received)
}

var errTimeout = errors.New("timeout")

// open sends the request, on a new link if the present one turns out to be dead before anything was sent.
func (e *execution) open(ctx context.Context) error {
	req := &protocol.Exec{Args: e.cmd.Argv(), Env: envList(e.cmd.Env), Dir: e.cmd.Dir, Stdin: e.cmd.Stdin != nil}
	var err error
	e.link, e.call, e.sent, err = e.backend.call(ctx, protocol.OpExec, req, e.cmd.Stdin)
	if e.link != nil && err != nil && ctx.Err() != nil {
		// Others kept it waiting. The next command must not fare the same.
		if stuck := e.backend.unblock(ctx, e.link); stuck != nil {
			return stuck
		}
	}
	return err
}

// unopened is the end of a command that no call was opened for: it has timed out
// if that is why, and not if something else would have kept it from running anyway.
func (e *execution) unopened(ctx context.Context, err error) (*core.Result, error) {
	code := core.CodeOf(err)
	if !errors.Is(context.Cause(ctx), errTimeout) || code != core.ErrCanceled && code != core.ErrLost {
		return nil, err
	}
	res := e.result(&protocol.Exit{Reason: core.TimedOut, Code: core.NoExitCode})
	if code == core.ErrLost {
		return res, err
	}
	res.Restarted = errors.Is(err, errRestarted)
	return res, nil
}

// finish makes the result of a command of which all that will come has come.
func (e *execution) finish(ctx context.Context, err error) (*core.Result, error) {
	var exit protocol.Exit
	if err == nil {
		select {
		case <-e.call.Over():
		case <-ctx.Done(): // all output has come, but no end
			all := make(chan error)
			close(all)
			return e.kill(ctx, all)
		}
		err = e.call.Answer(&exit)
	}
	if err == nil && (!plausible(&exit) || exit.Reason == core.Canceled) {
		err = core.Errorf(core.ErrProtocol, "", "an end of a command that cannot be")
	}
	if err == nil {
		return e.result(&exit), nil
	}
	if e.link.Err() == nil {
		return nil, err // an answer that says why nothing ran
	}
	res := e.result(&protocol.Exit{Reason: core.Unknown, Code: core.NoExitCode})
	res.Restarted = errors.Is(err, errRestarted)
	err = e.backend.broken(err)
	if core.CodeOf(err) == core.ErrIndeterminate && !res.Restarted {
		// A runner ends with its sandbox, a moment before the engine knows that.
		if gone := e.backend.sweep(); core.CodeOf(gone) == core.ErrLost {
			err = gone
		}
	}
	return res, err
}

// abandon ends a command that is of no use any more, since what the caller gave for its input or output failed.
func (e *execution) abandon(ctx context.Context, received <-chan error, what string, cause error) (*core.Result, error) {
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	res, err := e.kill(ctx, received)
	if core.CodeOf(err) == core.ErrLost {
		return res, err
	}
	return res, core.Errorf(core.ErrInvalid, "", what+": %w", cause)
}

// kill ends the command: by the runner, else by a restart, else by removing the sandbox.
func (e *execution) kill(ctx context.Context, received <-chan error) (*core.Result, error) {
	e.reason = core.Canceled
	if errors.Is(context.Cause(ctx), errTimeout) {
		e.reason = core.TimedOut
	}
	e.call.Cancel()
	timer := time.NewTimer(killPatience)
	defer timer.Stop()
	exit := &protocol.Exit{Reason: e.reason, Code: core.NoExitCode}
	var lost error
	select {
	case <-e.call.Over():
		var got protocol.Exit
		err := e.call.Answer(&got)
		switch {
		case err == nil && plausible(&got):
			exit = &got
		case errors.Is(err, errRestarted): // to end another command, and this one with it
			exit.Unconfirmed = true
		case e.link.Err() != nil:
			if !e.backend.owns() || e.backend.stopped.Load() || e.backend.sweep() != nil {
				return e.finish(ctx, err)
			}
			// The runner died, and the next one began by killing what this one had started.
		default: // an error says that nothing ran, if it is one that a runner has
			exit.Unconfirmed = err == nil || core.CodeOf(err) == core.ErrProtocol
		}
	case <-timer.C:
		exit.Unconfirmed = true
	}
	if exit.Unconfirmed {
		lost = e.backend.revive(e.link)
	}
	select {
	case <-received:
	case <-time.After(outputPatience): // a writer of the caller's hangs; its goroutine ends with it
	}
	res := e.result(exit)
	res.Restarted = exit.Unconfirmed && lost == nil
	switch {
	case lost != nil:
		return res, lost
	case exit.Reason == core.Canceled && e.reason == core.Canceled:
		return res, core.Ended(ctx)
	}
	return res, nil
}

func (e *execution) result(exit *protocol.Exit) *core.Result {
	res := &core.Result{
		ExitCode: exit.Code, Signal: exit.Signal, Reason: exit.Reason, Usage: exit.Usage,
		Duration: time.Since(e.start),
	}
	if exit.Reason == core.Canceled && e.reason != core.Unknown {
		res.Reason = e.reason
	}
	e.out.fill(res)
	return res
}

// plausible reports whether an exit can have been.
func plausible(exit *protocol.Exit) bool {
	switch exit.Reason {
	case core.Exited, core.OutOfMemory:
		return exit.Code >= core.NoExitCode && exit.Code <= 255
	case core.Signaled, core.Canceled:
		return exit.Code == core.NoExitCode
	default:
		return false
	}
}

// sendStdin copies the caller's input, and reports if that cannot be read.
func (e *execution) sendStdin(in *input, unread chan<- error) {
	_, err := io.CopyBuffer(struct{ io.Writer }{sendWriter{e.call}}, in, make([]byte, 32<<10))
	switch {
	case err == nil:
		_ = e.call.CloseSend()
	case in.err != nil:
		unread <- in.err
	}
}

// sendWriter writes the content of a call.
type sendWriter struct{ call *protocol.Call }

func (w sendWriter) Write(p []byte) (int, error) {
	if err := w.call.Send(protocol.Content, p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// sweep opens a new runner after one died: it begins by killing what the dead one has left.
func (b *backend) sweep() error {
	ctx, cancel := context.WithTimeout(context.Background(), restartTimeout)
	defer cancel()
	_, err := b.connect(ctx)
	return err
}

func envList(env map[string]string) []string {
	list := make([]string, 0, len(env))
	for k, v := range env {
		list = append(list, k+"="+v)
	}
	return list
}
