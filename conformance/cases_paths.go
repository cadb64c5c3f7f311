package conformance

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/caisson-dev/caisson/core"
)

// Which paths files have.
func pathCases() []Case {
	return []Case{
		{ID: "paths/refused", Title: "a path that is empty, malformed, leaves the work directory or lies in a kernel tree is ErrInvalid", Level: Core, Run: func(e *Env) {
			sb := e.Sandbox()
			dir := e.Dir(sb)
			for _, p := range []string{
				"", ".", "./", "..", "../x", "a/../../x", dir + "/../../x", "./..", "a\x00b", strings.Repeat("x/", 2100), "/proc/self/environ", "/proc/1/root/etc/passwd", "/sys/kernel/x", "//proc/self/mem", "/tmp/../proc/version",
			} {
				wantCode(e, fmt.Sprintf("upload to %.40q", p), sb.Upload(e.Context(), p, strings.NewReader("x"), nil), core.ErrInvalid)
				_, err := sb.Read(e.Context(), p, nil)
				wantCode(e, fmt.Sprintf("read %.40q", p), err, core.ErrInvalid)
			}
			want(e, "what was written", e.sh(sb, "ls -A "+dir), "")
		}},
		{ID: "paths/trailing-slash", Title: "a path that ends with a slash is that of a directory", Level: Core, Run: func(e *Env) {
			sb := e.Sandbox()
			dir := e.Dir(sb)
			wantCode(e, "upload", sb.Upload(e.Context(), dir+"/file/", strings.NewReader("x"), nil), core.ErrIsDirectory)
			_, err := sb.Read(e.Context(), dir+"/", nil)
			wantCode(e, "read", err, core.ErrIsDirectory)
		}},
		{ID: "paths/relative", Title: "a relative path starts at the work directory, and an absolute one is the same file", Level: Core, Run: func(e *Env) {
			sb := e.Sandbox()
			dir := e.Dir(sb)
			work := strings.TrimSpace(e.sh(sb, "pwd"))
			e.upload(sb, dir+"/relative", []byte("1"))
			want(e, "its absolute path", string(e.read(sb, work+"/"+dir+"/relative", nil)), "1")
			e.upload(sb, work+"/"+dir+"/absolute", []byte("2"))
			want(e, "its relative path", string(e.read(sb, dir+"/absolute", nil)), "2")
		}},
		{ID: "paths/cleaned", Title: "dots and doubled slashes in a path mean what they mean to Linux", Level: Core, Run: func(e *Env) {
			sb := e.Sandbox()
			dir := e.Dir(sb)
			e.upload(sb, "./"+dir+"//a/./b/../file", []byte("x"))
			want(e, "read", string(e.read(sb, dir+"/a/file", nil)), "x")
			want(e, "what is there", e.sh(sb, "ls -A "+dir+"/a"), "file\n")
		}},
		{ID: "paths/no-expansion", Title: "nothing in a path is expanded", Level: Core, Run: func(e *Env) {
			sb := e.Sandbox()
			dir := e.Dir(sb)
			e.sh(sb, "cd "+dir+"; echo a > a; echo b > b")
			for _, p := range []string{"~", "*", "$HOME", "{a,b}", "[ab]", "%61"} {
				_, err := readAll(e.Context(), sb, dir+"/"+p, nil)
				wantCode(e, "read "+p, err, core.ErrNotFound)
			}
		}},
		{ID: "paths/host-file", Title: "a link to a file of the caller's host does not lead there", Level: Extended, Requires: core.CapIsolation, Run: func(e *Env) {
			host, err := os.MkdirTemp("", "conformance-")
			if err != nil {
				e.broken("make a directory on this host", err)
			}
			defer os.RemoveAll(host)
			secret := filepath.Join(host, "secret")
			if err := os.WriteFile(secret, []byte("old"), 0o666); err != nil {
				e.broken("make a file on this host", err)
			}
			sb := e.Sandbox()
			dir := e.Dir(sb)
			e.sh(sb, "ln -s "+secret+" "+dir+"/link")
			if data, err := readAll(e.Context(), sb, dir+"/link", nil); err == nil {
				e.Errorf("read through a link out: expected an error, got %q", data)
			}
			_ = sb.Upload(e.Context(), dir+"/link", strings.NewReader("new"), nil) // may work inside the sandbox
			data, err := os.ReadFile(secret)
			want(e, fmt.Sprintf("the host's file, error %v", err), string(data), "old")
		}},
	}
}
