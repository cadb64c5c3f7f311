package container

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"strings"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/guest/binary"
	"github.com/caisson-dev/caisson/runtimes"
)

const (
	// guestPath is where the helper is in a sandbox.
	guestPath = "/.caisson/guest"
	// uploadsDir is where users expect uploaded files; it leads into the work directory, which is writable.
	uploadsDir = "/uploads"
	// layerRepository is the name of every image that holds the helper. The host part keeps engines from looking elsewhere.
	layerRepository = "localhost/caisson/guest"
	// seccompLabel is where Podman looks for a profile that comes with an image.
	seccompLabel = "io.containers.seccomp.profile"
)

// What Docker shows a sandbox without a network, so that Podman's has the same.
// Podman's own hosts file would hold names and addresses that the engine's host knows.
const (
	hosts = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n" +
		"fe00::0\tip6-localnet\nff00::0\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n"
	resolver = "nameserver " + NoResolver + "\n"
)

// layer returns img with the helper, the work directory and /uploads on top.
// The image is made once: its tag is a digest over all that goes into it.
func (d *Driver) layer(ctx context.Context, img *Image, workDir, user string) (*prepared, error) {
	guest, err := binary.Digest(img.Arch)
	if err != nil {
		return nil, err
	}
	file := func(build string) string { return dockerfile(img.ID, workDir, user, build) }
	// Volumes that are declared would be writable and without a bound, whatever the profile says.
	parts := append([]string{"2", img.ID, guest, layerContext(file(""), nil, workDir).String(), seccomp}, img.Volumes...)
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	tag := layerRepository + ":" + hex.EncodeToString(sum[:16])
	done := d.layers.DoChan(tag, func() (any, error) {
		// Whoever asked first may give up; the others still want it.
		ctx, cancel := within(context.WithoutCancel(ctx), layerTimeout)
		defer cancel()
		return d.makeLayer(ctx, tag, file, img, workDir)
	})
	select {
	case res := <-done:
		if res.Err != nil {
			return nil, res.Err
		}
		p := *res.Val.(*prepared) // which others have as well
		with := *p.Image
		with.Env = img.Env
		p.Image = &with
		return &p, nil
	case <-ctx.Done():
		return nil, core.Ended(ctx)
	}
}

func (d *Driver) makeLayer(ctx context.Context, tag string, file func(build string) string, img *Image, workDir string) (*prepared, error) {
	have, err := d.engine.Image(ctx, tag)
	if err == nil {
		return &prepared{Image: have, tag: tag}, nil
	}
	if core.CodeOf(err) != core.ErrNotFound {
		return nil, err
	}
	guest, err := binary.Load(img.Arch)
	if err != nil {
		return nil, err
	}
	id := rand.Text()
	err = d.engineBuild(ctx, layerContext(file(id), guest, workDir), &Build{Tag: tag, Mark: runtimes.LabelBuild + "=" + id, Labels: map[string]string{
		core.LabelPrefix:   kindLayer,
		runtimes.LabelBase: img.ID,
		seccompLabel:       seccomp,
	}, NoVolumes: len(img.Volumes) > 0})
	if err != nil {
		return nil, err
	}
	have, err = d.engine.Image(ctx, tag)
	return &prepared{Image: have, tag: tag, built: true}, err
}

// dockerfile adds two trees to an image. It runs nothing, so it needs nothing of
// the image. What is made on the way has the label of the build, and no longer
// that of a whole image, which the image below may have.
func dockerfile(id, workDir, user, build string) string {
	_, hexID, found := strings.Cut(id, ":")
	if !found {
		hexID = id
	}
	into := path.Dir(workDir)
	if into != "/" {
		into += "/"
	}
	// The numeric owner needs no user database. The work directory is copied as
	// an entry of its parent, so that one which is there already changes its owner.
	return fmt.Sprintf("FROM %s\nLABEL %s=%q %s=\"\"\nCOPY root/ /\nCOPY --chown=%s work/ %s\n", hexID, runtimes.LabelBuild, build, core.LabelPrefix, user, into)
}

// layerContext returns the build context. Equal input gives equal bytes.
func layerContext(file string, guest []byte, workDir string) *bytes.Buffer {
	buf := new(bytes.Buffer)
	w := tar.NewWriter(buf)
	work := "work/" + path.Base(workDir) + "/"
	for _, e := range []struct {
		name, link string
		mode       int64
		data       []byte
	}{
		{name: "Dockerfile", mode: 0o644, data: []byte(file)},
		{name: "root/", mode: 0o755},
		{name: "root/.caisson/", mode: 0o755},
		{name: "root" + guestPath, mode: 0o555, data: guest},
		{name: "root/.dockerenv", mode: 0o755},
		{name: "root/etc/", mode: 0o755},
		{name: "root/etc/hosts", mode: 0o644, data: []byte(hosts)},
		{name: "root/etc/resolv.conf", mode: 0o644, data: []byte(resolver)},
		{name: "root" + uploadsDir, link: path.Join(workDir, ".uploads"), mode: 0o777},
		{name: "work/", mode: 0o755},
		{name: work, mode: 0o755},
		{name: work + ".uploads/", mode: 0o755},
	} {
		h := &tar.Header{Name: e.name, Linkname: e.link, Mode: e.mode, Size: int64(len(e.data)), Typeflag: tar.TypeReg, Format: tar.FormatUSTAR}
		switch {
		case e.link != "":
			h.Typeflag = tar.TypeSymlink
		case strings.HasSuffix(e.name, "/"):
			h.Typeflag = tar.TypeDir
		}
		_ = w.WriteHeader(h) // a buffer takes everything
		_, _ = w.Write(e.data)
	}
	_ = w.Close()
	return buf
}
