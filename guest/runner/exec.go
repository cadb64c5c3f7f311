package runner

import (
	"context"
	"strings"
	"time"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/guest/protocol"
)

// exec runs a command. When the host cancels the call, every process of the
// command is killed, and the exit says so.
func (s *server) exec(call *protocol.Call, m *protocol.Exec) (protocol.Message, error) {
	cmd := &Command{
		Args: m.Args, Env: mergeEnv(s.cfg.Env, m.Env), Dir: m.Dir,
		Stdout: sender{call, protocol.Stdout}, Stderr: sender{call, protocol.Stderr},
	}
	if cmd.Dir == "" {
		cmd.Dir = s.cfg.WorkDir
	}
	if m.Stdin {
		cmd.Stdin = &content{call: call}
	}
	select {
	case <-call.Context().Done():
		return &protocol.Exit{Reason: core.Canceled, Code: core.NoExitCode}, nil
	default:
	}
	proc, err := s.sys.Start(cmd)
	if err != nil {
		return nil, err
	}
	ended, killed := make(chan struct{}), make(chan error, 1)
	spared := context.AfterFunc(call.Context(), func() {
		err := proc.Kill()
		// The host may have stopped taking output; what is left of it then goes.
		timer := time.AfterFunc(pumpPatience, call.Break)
		defer timer.Stop()
		killed <- err
		<-ended
	})
	exit, err := proc.Wait()
	close(ended)
	if !spared() {
		killErr := <-killed
		exit.Reason, exit.Code = core.Canceled, core.NoExitCode
		exit.Unconfirmed = killErr != nil
		return &exit, nil
	}
	if err != nil {
		return nil, err
	}
	return &exit, nil
}

// mergeEnv returns base with the variables of add, which win.
func mergeEnv(base, add []string) []string {
	env := make([]string, 0, len(base)+len(add))
	at := make(map[string]int, len(base)+len(add))
	for _, list := range [][]string{base, add} {
		for _, kv := range list {
			key, _, _ := strings.Cut(kv, "=")
			if i, ok := at[key]; ok {
				env[i] = kv
				continue
			}
			at[key] = len(env)
			env = append(env, kv)
		}
	}
	return env
}
