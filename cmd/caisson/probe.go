package main

import (
	"context"
	"errors"
	"io"

	"github.com/caisson-dev/caisson/core"
)

// probe is what the kernel enforces on a sandbox of an engine.
type probe struct {
	UID          int     `json:"uid"`
	GID          int     `json:"gid"`
	Capabilities uint64  `json:"capabilities"` // the union of every set, a bit each
	NoNewPrivs   bool    `json:"no_new_privs"`
	Seccomp      bool    `json:"seccomp"`
	Network      string  `json:"network"`
	Memory       int64   `json:"memory"` // bytes; 0 is no limit, as below
	CPUs         float64 `json:"cpus"`
	PIDs         int64   `json:"pids"`
}

// takeProbe starts a strict sandbox, with the weakenings that the engine says
// it needs, and reads back what is in force. It returns nil for a driver that
// does not isolate.
func takeProbe(ctx context.Context, drv core.Driver, info *core.Info, notices io.Writer) (_ *probe, err error) {
	if info.Isolation.Level == "none" {
		return nil, nil
	}
	rt, err := firstImage(ctx, drv, shellImages(), notices, func(core.Progress) {})
	if err != nil {
		return nil, err
	}
	sb, err := core.Start(ctx, drv, &core.Spec{Runtime: rt, Allow: info.Isolation.Missing, Lease: runLease})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, sb.Stop(ctx)) }()
	informer, ok := core.As[core.Informer](core.Backend(sb), core.CapInfo)
	if !ok {
		return nil, core.Errorf(core.ErrUnsupported, "probe", "the driver cannot look into its sandboxes")
	}
	in, err := informer.Info(ctx)
	if err != nil {
		return nil, err
	}
	return &probe{
		UID: in.UID, GID: in.GID, Capabilities: in.Capabilities, NoNewPrivs: in.NoNewPrivs, Seccomp: in.Seccomp,
		Network: string(in.Network), Memory: in.Limits.Memory, CPUs: in.Limits.CPUs, PIDs: in.Limits.PIDs,
	}, nil
}
