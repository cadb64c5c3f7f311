package container

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/guest/protocol"
)

const (
	keeperUser  = "65532:65532"
	rootUser    = "0:0"
	shmSize     = 16 << 20
	defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
)

// relaxedCapabilities are what a package manager needs, each with its bit in the kernel's sets.
var relaxedCapabilities = map[string]uint{"CHOWN": 0, "DAC_OVERRIDE": 1, "FOWNER": 3, "SETGID": 6, "SETUID": 7}

// user returns whom the workload runs as.
func user(spec *core.Spec) string {
	if spec.Profile == core.Relaxed {
		return rootUser
	}
	return spec.Runtime.User
}

// keeper returns whom PID 1 runs as. It has a user of its own, so that the
// workload cannot reach it; but engines give a program that is started later
// the capabilities of PID 1, so where the workload has some PID 1 must be root too.
func keeper(spec *core.Spec) string {
	if spec.Profile == core.Relaxed {
		return rootUser
	}
	return keeperUser
}

// plan returns the container of a sandbox.
func plan(spec *core.Spec, image string) *Container {
	c := &Container{
		Image: image, Labels: labels(spec),
		User: keeper(spec), Args: []string{guestPath, "keeper"},
		WorkDir: spec.Runtime.WorkDir, Tmp: spec.Limits.Tmp, Shm: shmSize,
		ReadOnly: spec.Profile == core.Strict, Seccomp: seccomp, Network: spec.Network,
		Memory: spec.Limits.Memory, CPUs: spec.Limits.CPUs, PIDs: spec.Limits.PIDs,
	}
	if spec.Profile == core.Relaxed {
		c.Capabilities = slices.Sorted(maps.Keys(relaxedCapabilities))
	}
	if spec.Lease > 0 { // PID 1 ends itself, and the engine removes what is left
		c.Args = append(c.Args, "-lease", (spec.Lease + leaseGrace).String())
		c.AutoRemove = true
	}
	c.Name = "caisson-" + hex.EncodeToString(random(10))
	switch {
	case spec.Workspace != "":
		// Engines keep names unique, so one sandbox at a time has the workspace, whoever starts it.
		c.Name = workspaceName(spec.Owner, spec.Workspace)
		c.Volume, c.VolumeLabels = c.Name, workspaceLabels(spec.Owner, spec.Workspace)
	case spec.Lease == 0:
		c.Volume, c.VolumeLabels = c.Name, c.Labels
	}
	return c
}

// token is a text that nobody else has.
func token() string { return hex.EncodeToString(random(8)) }

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return b
}

// workspaceName is the name on the engine of a workspace and of the sandbox that uses it. It shows nothing of the ids.
func workspaceName(owner, workspace string) string {
	sum := sha256.Sum256([]byte(owner + "\x00" + workspace))
	return "caisson-" + hex.EncodeToString(sum[:16])
}

// The labels beside the bare one and those of the user.
const (
	kindSandbox    = "sandbox"
	kindWorkspace  = "workspace"
	labelOwner     = core.LabelPrefix + ".owner"
	labelWorkspace = core.LabelPrefix + ".workspace"
	labelTarget    = core.LabelPrefix + ".target" // the workspace that a link stands for
	labelLease     = core.LabelPrefix + ".lease"
	labelStart     = core.LabelPrefix + ".start" // random, tells one start from another
	labelSpec      = core.LabelPrefix + ".spec"
	labelUID       = core.LabelPrefix + ".user" // of the workload

	// For who opens the sandbox without its spec.
	labelWorkDir = core.LabelPrefix + ".workdir"
	labelProfile = core.LabelPrefix + ".profile"
	labelNetwork = core.LabelPrefix + ".network"
	labelLimits  = core.LabelPrefix + ".limits" // JSON

	labelUser = core.LabelPrefix + ".label." // and the key
)

func workspaceLabels(owner, workspace string) map[string]string {
	return map[string]string{core.LabelPrefix: kindWorkspace, labelOwner: owner, labelWorkspace: workspace}
}

// isThe reports whether an object has the labels of the sandbox or workspace that want has.
func isThe(labels, want map[string]string) bool {
	for _, label := range []string{core.LabelPrefix, labelOwner, labelWorkspace} {
		if labels[label] != want[label] {
			return false
		}
	}
	return true
}

// labels are on the container of a sandbox, and on a volume that is its alone, from the request that makes it on.
func labels(spec *core.Spec) map[string]string {
	limits, _ := json.Marshal(&spec.Limits) // numbers always marshal
	l := map[string]string{
		core.LabelPrefix: kindSandbox, labelStart: token(), labelSpec: digest(spec),
		labelUID: user(spec), labelWorkDir: spec.Runtime.WorkDir,
		labelProfile: string(spec.Profile), labelNetwork: string(spec.Network), labelLimits: string(limits),
	}
	if spec.Owner != "" {
		l[labelOwner] = spec.Owner
	}
	if spec.Workspace != "" {
		l[labelWorkspace] = spec.Workspace
	}
	if spec.Lease > 0 {
		l[labelLease] = spec.Lease.String()
	}
	for k, v := range spec.Labels {
		l[labelUser+k] = v
	}
	return l
}

// digest identifies what a sandbox was asked to be, without the values of its environment being readable.
func digest(spec *core.Spec) string {
	rt := spec.Runtime
	h := sha256.New()
	fmt.Fprintf(h, "%q %q %q %q %q %q %q %q %q %v %q %q", rt.Image, rt.BaseImage, rt.Packages, rt.PackageManager, rt.SetupCommands,
		rt.WorkDir, rt.User, spec.Profile, spec.Network, spec.Limits, environment(nil, rt), rt.Source.String())
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// config is what the runner of a sandbox is told.
func config(spec *core.Spec, image *Image) protocol.Config {
	return protocol.Config{
		WorkDir: spec.Runtime.WorkDir, Env: environment(image.Env, spec.Runtime),
		OpenFiles: spec.Limits.OpenFiles, FileSize: spec.Limits.FileSize,
	}
}

// environment is that of every command: the image's, then ours, then the runtime's.
func environment(image []string, rt *core.Runtime) []string {
	env := map[string]string{"PATH": defaultPath, "LANG": "C.UTF-8"}
	for _, kv := range image {
		if k, v, ok := strings.Cut(kv, "="); ok {
			env[k] = v
		}
	}
	env["HOME"], env["TMPDIR"] = path.Join(rt.WorkDir, ".home"), "/tmp"
	maps.Copy(env, rt.Env)
	list := make([]string, 0, len(env))
	for _, k := range slices.Sorted(maps.Keys(env)) {
		list = append(list, k+"="+env[k])
	}
	return list
}

// described is the inverse of labels, as far as they describe a sandbox.
func described(labels map[string]string) (*core.Spec, error) {
	spec := &core.Spec{
		Runtime: &core.Runtime{WorkDir: labels[labelWorkDir]},
		Profile: core.Profile(labels[labelProfile]), Network: core.Network(labels[labelNetwork]),
	}
	if err := json.Unmarshal([]byte(labels[labelLimits]), &spec.Limits); err != nil {
		return nil, core.Errorf(core.ErrConflict, "", "the sandbox was started by another version: its label %s: %w", labelLimits, err)
	}
	return spec, nil
}

// info is what is known of a sandbox without looking into it.
func info(spec *core.Spec, image *Image, created time.Time) core.SandboxInfo {
	return core.SandboxInfo{
		Image: image.ID, Profile: spec.Profile, Network: spec.Network, Created: created,
		Limits: core.Limits{Tmp: spec.Limits.Tmp, OpenFiles: spec.Limits.OpenFiles, FileSize: spec.Limits.FileSize},
	}
}
