package main

import (
	"context"
	"encoding/json"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/caisson-dev/caisson/core"
)

// diagnosisTimeout bounds the questions to one engine, without the probe.
const diagnosisTimeout = 6 * time.Second

// diagnosis is what doctor finds out about one driver. Fields are only ever added.
type diagnosis struct {
	Driver       string            `json:"driver"` // its URL
	Usable       bool              `json:"usable"`
	Error        *problem          `json:"error,omitempty"` // why it is not
	Engine       string            `json:"engine,omitempty"`
	Version      string            `json:"version,omitempty"`
	APIVersion   string            `json:"api_version,omitempty"`
	Endpoint     string            `json:"endpoint,omitempty"`
	OS           string            `json:"os,omitempty"`
	Arch         string            `json:"arch,omitempty"`
	Isolation    *isolation        `json:"isolation,omitempty"`
	Capabilities []core.Capability `json:"capabilities,omitempty"`
	Probe        *probe            `json:"probe,omitempty"`
	Next         []string          `json:"next"` // what to do, most useful first
}

type isolation struct {
	Level         string           `json:"level"`
	Runtime       string           `json:"runtime,omitempty"`
	Rootless      bool             `json:"rootless"`
	CgroupVersion int              `json:"cgroup_version"`
	Seccomp       bool             `json:"seccomp"`
	LSM           []string         `json:"lsm"`
	Missing       []core.Weakening `json:"missing"`
}

func newDoctor() *cobra.Command {
	var driver string
	var asJSON, start bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say which engines can be used, what isolation they give and what to do next",
		Long: `Ask every driver, or the one of --driver, whether its engine answers, which
version it is and which protections it can enforce. With --probe a strict sandbox
is started on each engine and what the kernel enforces there is read back.

The exit status is 0 if a container engine can be used, else 1.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, release := catchSignals(cmd.Context(), func() {})
			defer release()
			urls := []string{driver}
			if driver == "" {
				urls = nil
				for _, scheme := range core.Schemes() {
					urls = append(urls, scheme+":")
				}
			}
			found := examine(ctx, urls, start)
			if asJSON {
				enc := json.NewEncoder(cmd.OutOrStdout())
				enc.SetIndent("", "  ")
				if err := enc.Encode(map[string]any{"drivers": found}); err != nil {
					return err
				}
			} else if err := printDiagnoses(cmd.OutOrStdout(), found); err != nil {
				return err
			}
			if !slices.ContainsFunc(found, (*diagnosis).isEngine) {
				return status(1)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&driver, "driver", "", "URL of the only driver to ask")
	cmd.Flags().BoolVar(&start, "probe", false, "start a sandbox on each engine and look at it from inside")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// isEngine reports whether it is an engine that can be used and isolates.
func (d *diagnosis) isEngine() bool { return d.Usable && d.Isolation.Level != "none" }

// examine asks all drivers at once.
func examine(ctx context.Context, urls []string, start bool) []*diagnosis {
	found := make([]*diagnosis, len(urls))
	var wg sync.WaitGroup
	for i, url := range urls {
		wg.Go(func() { found[i] = diagnose(ctx, url, start) })
	}
	wg.Wait()
	return found
}

func diagnose(ctx context.Context, url string, start bool) *diagnosis {
	d := &diagnosis{Driver: url}
	if err := d.ask(ctx, url, start); err != nil {
		d.Usable = false
		d.Error = &problem{Code: core.CodeOf(err), Message: oneLine(err)}
		d.Next = d.remedies(err)
		return d
	}
	d.Usable = true
	d.Next = d.suggestions()
	return d
}

func (d *diagnosis) ask(ctx context.Context, url string, start bool) error {
	short, cancel := context.WithTimeout(ctx, diagnosisTimeout)
	defer cancel()
	drv, err := core.Open(short, url)
	if err != nil {
		return err
	}
	defer drv.Close()
	info, err := drv.Info(short)
	if err != nil {
		return err
	}
	d.Engine, d.Version, d.APIVersion, d.Endpoint = info.Engine, info.Version, info.APIVersion, info.Endpoint
	d.OS, d.Arch, d.Capabilities = info.OS, info.Arch, info.Capabilities
	i := info.Isolation
	d.Isolation = &isolation{
		Level: i.Level, Runtime: i.Runtime, Rootless: i.Rootless, CgroupVersion: i.CgroupVersion, Seccomp: i.Seccomp,
		LSM: append([]string{}, i.LSM...), Missing: append([]core.Weakening{}, i.Missing...),
	}
	if start {
		d.Probe, err = takeProbe(ctx, drv, info, io.Discard)
	}
	return err
}
