package conformance

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/caisson-dev/caisson/core"
)

// What Upload promises.
func fileCases() []Case {
	return []Case{
		{ID: "files/round-trip", Title: "what is uploaded is read back byte for byte, from nothing to 10 MiB", Level: Core, Run: func(e *Env) {
			sb := e.Sandbox()
			dir := e.Dir(sb)
			for _, size := range []int{0, 1, 4095, 65536, 65537, 10 << 20} {
				name := fmt.Sprintf("%s/file-%d", dir, size)
				e.upload(sb, name, noise(size))
				wantBytes(e, fmt.Sprintf("a file of %d bytes", size), e.read(sb, name, nil), noise(size))
			}
		}},
		{ID: "files/names", Title: "a name may hold whatever Linux allows", Level: Core, Run: fileNames},
		{ID: "files/seen-by-commands", Title: "commands see uploads, Read sees what commands write", Level: Core, Run: func(e *Env) {
			sb := e.Sandbox()
			dir := e.Dir(sb)
			e.upload(sb, dir+"/in", []byte("a,b\n1,2\n"))
			want(e, "cat of an upload", e.sh(sb, "cat "+dir+"/in"), "a,b\n1,2\n")
			e.sh(sb, "tr a-z A-Z < "+dir+"/in > "+dir+"/out")
			want(e, "read of a command's file", string(e.read(sb, dir+"/out", nil)), "A,B\n1,2\n")
		}},
		{ID: "files/tmp", Title: "Upload, commands and Read see the same /tmp", Level: Core, Run: func(e *Env) {
			sb, file := e.Sandbox(), "/tmp/conformance-"+e.Marker
			e.upload(sb, file, []byte("text"))
			want(e, "cat", e.sh(sb, "cat "+file+"; echo more >> "+file), "text")
			want(e, "read", string(e.read(sb, file, nil)), "textmore\n")
			e.sh(sb, "rm "+file)
		}},
		{ID: "files/parents", Title: "missing parents are made", Level: Core, Run: func(e *Env) {
			sb := e.Sandbox()
			dir := e.Dir(sb)
			e.upload(sb, dir+"/a/b c/d/file", []byte("deep"))
			want(e, "cat", e.sh(sb, "cat '"+dir+"/a/b c/d/file'"), "deep")
			want(e, "the parents' mode", e.sh(sb, "stat -c %a "+dir+"/a"), "755\n")
		}},
		{ID: "files/parent-is-file", Title: "a file in place of a parent is ErrExists, and stays", Level: Core, Run: func(e *Env) {
			sb := e.Sandbox()
			dir := e.Dir(sb)
			e.upload(sb, dir+"/file", []byte("text"))
			err := sb.Upload(e.Context(), dir+"/file/below", strings.NewReader("x"), nil)
			wantCode(e, "upload below a file", err, core.ErrExists)
			want(e, "the file", string(e.read(sb, dir+"/file", nil)), "text")
		}},
		{ID: "files/overwrite", Title: "an upload replaces the whole content of a file", Level: Core, Run: func(e *Env) {
			sb := e.Sandbox()
			dir := e.Dir(sb)
			e.upload(sb, dir+"/file", noise(100_000))
			e.upload(sb, dir+"/file", []byte("short"))
			want(e, "read", string(e.read(sb, dir+"/file", nil)), "short")
		}},
		{ID: "files/mode-new", Title: "a new file has the mode that was asked for, else 0644", Level: Core, Run: func(e *Env) {
			sb := e.Sandbox()
			dir := e.Dir(sb)
			for _, mode := range []uint32{0, 0o600, 0o755, 0o666, 0o440} {
				name := fmt.Sprintf("%s/mode-%o", dir, mode)
				if err := sb.Upload(e.Context(), name, strings.NewReader("x"), &core.UploadOptions{Mode: mode}); err != nil {
					e.Errorf("upload with mode %o: %v", mode, err)
					continue
				}
				expected := fmt.Sprintf("%o\n", mode)
				if mode == 0 {
					expected = "644\n"
				}
				want(e, fmt.Sprintf("mode after an upload with %o", mode), e.sh(sb, "stat -c %a "+name), expected)
			}
		}},
		{ID: "files/mode-kept", Title: "a file that is there keeps its mode, unless one is asked for", Level: Core, Run: func(e *Env) {
			sb := e.Sandbox()
			file := e.Dir(sb) + "/script"
			e.sh(sb, "echo old > "+file+"; chmod 751 "+file)
			e.upload(sb, file, []byte("new"))
			want(e, "mode after an upload", e.sh(sb, "stat -c %a "+file), "751\n")
			if err := sb.Upload(e.Context(), file, strings.NewReader("x"), &core.UploadOptions{Mode: 0o600}); err != nil {
				e.Fatalf("upload with a mode: %v", err)
			}
			want(e, "mode after an upload with 600", e.sh(sb, "stat -c %a "+file), "600\n")
		}},
		{ID: "files/owner", Title: "an uploaded file belongs to the user that commands run as", Level: Core, Run: func(e *Env) {
			sb := e.Sandbox()
			dir := e.Dir(sb)
			e.upload(sb, dir+"/sub/file", []byte("x"))
			ids := e.sh(sb, "echo $(id -u):$(id -g)")
			for _, p := range []string{"/sub", "/sub/file"} {
				want(e, "owner of "+p, e.sh(sb, "stat -c %u:%g "+dir+p), ids)
			}
			e.sh(sb, "echo more >> "+dir+"/sub/file && rm "+dir+"/sub/file")
		}},
		{ID: "files/executable", Title: "an uploaded program runs at once", Level: Core, Run: func(e *Env) {
			sb := e.Sandbox()
			dir := e.Dir(sb)
			for i := range 10 {
				e.uploadScript(sb, dir+"/run", fmt.Sprintf("#!/bin/sh\necho run %d\n", i))
				res := e.exec(sb, core.Program("./"+dir+"/run"))
				want(e, "its output", string(res.Stdout.Bytes()), fmt.Sprintf("run %d\n", i))
			}
		}},
		{ID: "files/follows-links", Title: "an upload follows links and leaves them links", Level: Core, Run: followsLinks},
		{ID: "files/link-loop", Title: "a loop of links is an error at once", Level: Core, Run: func(e *Env) {
			sb := e.Sandbox()
			dir := e.Dir(sb)
			e.sh(sb, "cd "+dir+"; ln -s b a; ln -s a b")
			e.within(5*time.Second, "upload through a loop of links", func() {
				want(e, "an error", sb.Upload(e.Context(), dir+"/a", strings.NewReader("x"), nil) != nil, true)
			})
			_, err := readAll(e.Context(), sb, dir+"/a", nil)
			want(e, "an error of Read", err != nil, true)
		}},
		{ID: "files/whole-or-not", Title: "while an upload runs its file has the old content, then at once the new", Level: Core, Run: wholeOrNot},
		{ID: "files/new-whole-or-not", Title: "while an upload runs a new file is not there, and nothing is left of one that fails or is cancelled", Level: Core, Run: newWholeOrNot},
		{ID: "files/source-fails", Title: "when the source fails, the old content stays and nothing else is left", Level: Core, Run: sourceFails},
		{ID: "files/source-panics", Title: "a source that panics fails its own upload only", Level: Gold, Run: sourcePanics},
		{ID: "files/source-let-go", Title: "no Read of the source begins once Upload has returned", Level: Core, Run: sourceLetGo},
		{ID: "files/upload-canceled", Title: "a cancelled upload returns at once, the old content stays and nothing else is left", Level: Core, Run: uploadCanceled},
		{ID: "files/onto-directory", Title: "an upload onto a directory is ErrIsDirectory", Level: Core, Run: func(e *Env) {
			sb := e.Sandbox()
			dir := e.Dir(sb)
			e.sh(sb, "mkdir "+dir+"/sub; ln -s sub "+dir+"/link")
			for _, p := range []string{"/sub", "/link"} {
				wantCode(e, "upload to "+p, sb.Upload(e.Context(), dir+p, strings.NewReader("x"), nil), core.ErrIsDirectory)
			}
			want(e, "what is there", e.sh(sb, "ls -A "+dir+" "+dir+"/sub"), dir+":\nlink\nsub\n\n"+dir+"/sub:\n")
		}},
		{ID: "files/onto-special", Title: "an upload onto a FIFO or a device is ErrNotRegular at once", Level: Core, Run: func(e *Env) {
			sb := e.Sandbox()
			dir := e.Dir(sb)
			e.sh(sb, "mkfifo "+dir+"/fifo")
			for _, p := range []string{dir + "/fifo", "/dev/null"} {
				e.within(5*time.Second, "upload to "+p, func() {
					wantCode(e, "upload to "+p, sb.Upload(e.Context(), p, strings.NewReader("x"), nil), core.ErrNotRegular)
				})
			}
		}},
		{ID: "files/permission", Title: "an upload where the user may not write is ErrPermission", Level: Core, Run: func(e *Env) {
			sb := e.Sandbox()
			dir := e.Dir(sb)
			e.sh(sb, "mkdir "+dir+"/locked; chmod 555 "+dir+"/locked")
			for _, p := range []string{dir + "/locked/file", dir + "/locked/sub/file", "/file-" + e.Marker} {
				wantCode(e, "upload to "+p, sb.Upload(e.Context(), p, strings.NewReader("x"), nil), core.ErrPermission)
			}
		}},
		{ID: "files/big", Title: "256 MiB go in and out unchanged", Level: Gold, Timeout: 2 * time.Minute, Serial: true, Run: bigFile},
	}
}

func fileNames(e *Env) {
	sb := e.Sandbox()
	dir := e.Dir(sb)
	names := []string{
		"plain", "two words", " leading", "trailing ", "new\nline", "tab\t", "-rf", "--help", "$(x)", "`x`", "$HOME", "'quote'", `"quotes"`, `back\slash`, "*", "?", "[a]",
		"ünï→", "\xff\xfe", ".hidden", "..dots", "...", "a..b", "~", "#", "%s", ":", strings.Repeat("n", 255),
	}
	for _, name := range names {
		e.upload(sb, dir+"/"+name, []byte("content of "+name))
		if got := string(e.read(sb, dir+"/"+name, nil)); got != "content of "+name {
			e.Errorf("round trip of %q: expected %q, got %q", name, "content of "+name, got)
		}
		res := e.exec(sb, core.Program("cat", "--", dir+"/"+name))
		want(e, fmt.Sprintf("cat of %.40q", name), string(res.Stdout.Bytes()), "content of "+name)
	}
	want(e, "number of files", strings.TrimSpace(e.sh(sb, "cd "+dir+"; n=0; for f in * .[!.]* ..?*; do n=$((n + 1)); done; echo $n")), fmt.Sprint(len(names)))
}

func followsLinks(e *Env) {
	sb := e.Sandbox()
	dir := e.Dir(sb)
	e.sh(sb, "cd "+dir+"; mkdir sub; echo old > sub/target; ln -s sub/target link; ln -s link chain; ln -s sub dirlink; ln -s sub/fresh dangling")
	for path, target := range map[string]string{"link": "sub/target", "chain": "sub/target", "dirlink/below": "sub/below", "dangling": "sub/fresh"} {
		e.upload(sb, dir+"/"+path, []byte("by "+path))
		want(e, "content behind "+path, e.sh(sb, "cat "+dir+"/"+target), "by "+path)
	}
	want(e, "the links", e.sh(sb, "cd "+dir+"; for l in link chain dirlink dangling; do readlink $l; done"), "sub/target\nlink\nsub\nsub/fresh\n")
}

func bigFile(e *Env) {
	const size = 256 << 20
	sb := e.Sandbox()
	file := e.Dir(sb) + "/big"
	e.Cleanup(func() { _, _ = sb.Execute(context.WithoutCancel(e.Context()), core.Program("rm", "-f", file)) })
	block := noise(1 << 20)
	if err := sb.Upload(e.Context(), file, io.LimitReader(&repeated{block: block}, size), nil); err != nil {
		e.Fatalf("upload 256 MiB: %v", err)
	}
	r, err := sb.Read(e.Context(), file, nil)
	if err != nil {
		e.Fatalf("read 256 MiB: %v", err)
	}
	defer r.Close()
	got := make([]byte, len(block))
	for i := range size / len(block) {
		if _, err := io.ReadFull(r, got); err != nil || !bytes.Equal(got, block) {
			e.Fatalf("read 256 MiB: MiB %d: expected what was uploaded, error %v", i, err)
		}
	}
	if n, err := r.Read(got); n != 0 || err != io.EOF { //nolint:errorlint // Read returns it bare
		e.Errorf("after 256 MiB: expected the end, got %d bytes and %v", n, err)
	}
}
