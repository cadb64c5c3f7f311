package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/sessions"
)

const sessionsLong = `Look after the sessions that programs have on an engine, beside those programs.
A session that lives stays with its program, which does not notice what is
executed, exported or imported meanwhile. One that hibernates gets a sandbox for
as long as that takes, from --image or --runtime.`

// sessionFlags are those of every command on sessions.
type sessionFlags struct {
	driver, owner  string
	image, runtime string // of a sandbox for a session that hibernates
}

func newSessions() *cobra.Command {
	o := new(sessionFlags)
	cmd := &cobra.Command{Use: "sessions", Short: "List, use and remove the sessions of programs", Long: sessionsLong, RunE: onlyBelow}
	f := cmd.PersistentFlags()
	driverFlag(f, &o.driver)
	f.StringVar(&o.owner, "owner", "", "owner of the sessions, as the program names it")
	cmd.AddCommand(newSessionsList(o), newSessionsRemove(o), newSessionsExec(o), newSessionsExport(o), newSessionsImport(o))
	return cmd
}

// with opens the driver and does something on it. A signal ends ctx.
func (o *sessionFlags) with(cmd *cobra.Command, do func(context.Context, core.Driver) error) error {
	ctx, release := catchSignals(cmd.Context(), func() {})
	defer release()
	drv, err := openDriver(ctx, o.driver)
	if err != nil {
		return interrupted(ctx, err)
	}
	return interrupted(ctx, errors.Join(do(ctx, drv), drv.Close()))
}

func (o *sessionFlags) named() error {
	if o.owner == "" {
		return errors.New("name the owner of the session with --owner (caisson sessions ls shows them)")
	}
	return nil
}

// session is one of the answer of `caisson sessions ls --json`. Fields are only ever added.
type session struct {
	Owner   string     `json:"owner"`
	ID      string     `json:"id"`
	State   string     `json:"state"` // running, or hibernating
	Sandbox string     `json:"sandbox,omitempty"`
	Created *time.Time `json:"created,omitempty"`
	LeaseMS float64    `json:"lease_ms,omitempty"`
}

func newSessionsList(o *sessionFlags) *cobra.Command {
	asJSON := false
	cmd := &cobra.Command{
		Use:   "ls",
		Short: "List sessions",
		Long: `List the sessions of --owner, or without it those of every owner that has a
sandbox at present.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.with(cmd, func(ctx context.Context, drv core.Driver) error {
				list, err := o.list(ctx, drv)
				if err != nil {
					return err
				}
				if asJSON {
					enc := json.NewEncoder(cmd.OutOrStdout())
					enc.SetIndent("", "  ")
					return enc.Encode(list)
				}
				return printSessions(cmd.OutOrStdout(), list)
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the list as JSON")
	return cmd
}

func (o *sessionFlags) list(ctx context.Context, drv core.Driver) ([]session, error) {
	owners := []string{o.owner}
	if o.owner == "" {
		var err error
		if owners, err = sessions.Owners(ctx, drv); err != nil {
			return nil, err
		}
	}
	list := []session{} // an empty list, not null
	for _, owner := range owners {
		infos, err := sessions.List(ctx, drv, owner)
		if err != nil {
			return nil, err
		}
		for _, info := range infos {
			s := session{Owner: owner, ID: info.ID, State: "hibernating", Sandbox: info.Sandbox, LeaseMS: milliseconds(info.Lease)}
			if info.Running {
				s.State = "running"
			}
			if !info.Created.IsZero() {
				s.Created = &info.Created
			}
			list = append(list, s)
		}
	}
	return list, nil
}

// printSessions prints a line for each. An id can be any bytes, so one that is no plain word is quoted.
func printSessions(out io.Writer, list []session) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, s := range list {
		created := "-"
		if s.Created != nil {
			created = s.Created.Format(time.RFC3339)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", plain(s.Owner), plain(s.ID), s.State, created, s.Sandbox)
	}
	return w.Flush()
}

func plain(s string) string {
	if quoted := strconv.QuoteToASCII(s); quoted != `"`+s+`"` || strings.Contains(s, " ") {
		return quoted
	}
	return s
}

func newSessionsRemove(o *sessionFlags) *cobra.Command {
	force := false
	cmd := &cobra.Command{
		Use:   "rm ID...",
		Short: "Remove sessions with their files",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, ids []string) error {
			if err := o.named(); err != nil {
				return err
			}
			return o.with(cmd, func(ctx context.Context, drv core.Driver) error { return o.remove(ctx, drv, ids, force) })
		},
	}
	cmd.Flags().BoolVarP(&force, "force", "f", false, "remove those too that have a sandbox, which a program may be using")
	return cmd
}

func (o *sessionFlags) remove(ctx context.Context, drv core.Driver, ids []string, force bool) (err error) {
	list, err := sessions.List(ctx, drv, o.owner)
	if err != nil {
		return err
	}
	running := make(map[string]bool) // by id of all that are there
	for _, info := range list {
		running[info.ID] = info.Running
	}
	m, err := sessions.New(drv, &sessions.Options{Owner: o.owner})
	if err != nil {
		return err
	}
	defer func() {
		_, shutErr := m.Shutdown(ctx)
		err = errors.Join(err, shutErr)
	}()
	var failed []error
	for _, id := range ids {
		runs, found := running[id]
		switch {
		case !found:
			failed = append(failed, core.Errorf(core.ErrNotFound, "remove", "there is no session %q of %q", id, o.owner))
		case runs && !force:
			failed = append(failed, core.Errorf(core.ErrConflict, "remove", "the session %q has a sandbox; --force removes it", id))
		default:
			_, err := m.Release(ctx, id)
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}
