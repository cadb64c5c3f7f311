package guest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/guest/binary"
)

// A helper is the runner that a Files starts through the Backend's own methods.
type helper struct {
	backend core.Backend

	mu      sync.Mutex
	program string // where the helper is in the sandbox, once that is known
	gone    error  // why the sandbox is of no use any more
}

// helperDirs are where the helper is put: /tmp is not part of anybody's files, the work directory is always there.
var helperDirs = []string{"/tmp", ""}

// Exit codes of a program that is missing, and of one that cannot be executed.
const (
	exitMissing = 127
	exitNoExec  = 126
)

// errProgram marks the error that what is at a place cannot be executed there.
var errProgram = errors.New("the helper cannot be executed")

// open starts a runner, putting it in place first if need be.
func (h *helper) open(ctx context.Context) (io.ReadWriteCloser, error) {
	h.mu.Lock()
	program := h.program
	h.mu.Unlock()
	if program == "" || h.try(ctx, program) != nil { // what is in the work directory can be removed
		var err error
		if program, err = h.place(ctx); err != nil {
			return nil, err
		}
		h.mu.Lock()
		h.program = program
		h.mu.Unlock()
	}
	return h.start(ctx, program), nil
}

// place finds a place where the helper of one of the architectures runs.
func (h *helper) place(ctx context.Context) (program string, err error) {
	archs := binary.Archs()
	if i := slices.Index(archs, runtime.GOARCH); i > 0 { // the likely one first
		archs[0], archs[i] = archs[i], archs[0]
	}
	var last error
	for _, dir := range helperDirs {
		for _, arch := range archs {
			program, last = h.placeIn(ctx, dir, arch)
			if last == nil || !placeable(last) {
				return program, last
			}
		}
	}
	return "", core.Errorf(core.ErrUnsupported, "", "the file verbs need a helper in the sandbox: %w", last)
}

// placeable reports whether another place can help against an error.
func placeable(err error) bool {
	switch core.CodeOf(err) {
	case core.ErrPermission, core.ErrNotFound, core.ErrNotRegular, core.ErrIsDirectory, core.ErrExists, core.ErrResource:
		return true
	default:
		return errors.Is(err, errProgram) || errors.Is(err, errMissing)
	}
}

// placeIn puts the helper in a directory, unless it is there, and returns its
// path. Its name says what it is, so one of another version is not in its way.
func (h *helper) placeIn(ctx context.Context, dir, arch string) (string, error) {
	digest, err := binary.Digest(arch)
	if err != nil {
		return "", err
	}
	file := path.Join(dir, ".caisson", "helper-"+digest[:16])
	program := file
	if dir == "" {
		program = "./" + file // not one to look up in the PATH
	}
	if err := h.try(ctx, program); !errors.Is(err, errMissing) {
		return program, err
	}
	data, err := binary.Load(arch)
	if err != nil {
		return "", err
	}
	if err := h.backend.Upload(ctx, file, bytes.NewReader(data), &core.UploadOptions{Mode: 0o755}); err != nil {
		return "", err
	}
	return program, h.try(ctx, program)
}

// errMissing is what try returns for a program that is not there.
var errMissing = errors.New("no such program")

// try runs the helper without input, with which it ends at once.
func (h *helper) try(ctx context.Context, program string) error {
	res, err := h.backend.Execute(ctx, &core.Command{Args: []string{program, "runner"}, Timeout: helloTimeout, OutputLimit: maxComplaint})
	switch {
	case err != nil:
		return err
	case res.Success():
		return nil
	case res.Reason == core.Exited && res.ExitCode == exitMissing:
		return errMissing
	case res.Reason == core.Exited && res.ExitCode == exitNoExec:
		return core.Errorf(core.ErrUnsupported, "", "%w: %s", errProgram, complaint(res))
	default:
		return core.Errorf(core.ErrUnavailable, "", "the helper ends with %s %d: %s", res.Reason, res.ExitCode, complaint(res))
	}
}

// maxComplaint is how many bytes of what the helper says are kept.
const maxComplaint = 1 << 10

func complaint(res *core.Result) string { return strings.TrimSpace(res.Stderr.String()) }

// start runs the helper and returns its standard input and output as one stream.
func (h *helper) start(ctx context.Context, program string) io.ReadWriteCloser {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stdin, toStdin := io.Pipe()
	fromStdout, stdout := io.Pipe()
	s := &stream{PipeReader: fromStdout, PipeWriter: toStdin, cancel: cancel, ended: make(chan struct{})}
	go func() {
		defer close(s.ended)
		res, err := h.backend.Execute(ctx, &core.Command{
			Args: []string{program, "runner"}, Stdin: stdin, Stdout: stdout, OutputLimit: maxComplaint,
		})
		if err == nil && !res.Success() {
			err = core.Errorf(core.ErrUnavailable, "", "the helper ended with %s %d: %s", res.Reason, res.ExitCode, complaint(res))
		}
		h.note(err)
		_ = stdin.CloseWithError(io.ErrClosedPipe)
		_ = stdout.CloseWithError(err) // nil is the end of the file
	}()
	return s
}

// note remembers an error that means the end of the sandbox.
func (h *helper) note(err error) {
	if code := core.CodeOf(err); code == core.ErrStopped || code == core.ErrLost {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.gone = err
	}
}

// alive returns why the sandbox is gone; see Options.
func (h *helper) alive(context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.gone
}

// stream is the input and the output of a command that runs.
type stream struct {
	*io.PipeReader
	*io.PipeWriter
	cancel context.CancelFunc
	ended  chan struct{} // the command has
}

// Close ends the helper: by the end of its input, else by a kill. It waits for that.
func (s *stream) Close() error {
	_ = s.PipeWriter.Close()
	_ = s.PipeReader.Close() // wakes a Read, and lets the command write no more
	timer := time.NewTimer(killPatience)
	defer timer.Stop()
	select {
	case <-s.ended:
	case <-timer.C:
	}
	s.cancel()
	<-s.ended
	return nil
}
