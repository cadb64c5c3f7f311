package conformance

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/caisson-dev/caisson/core"
)

// verb returns the optional interface that belongs to a declared capability.
func verb[V any](e *Env, c core.Capability) V {
	e.Helper()
	v, ok := core.As[V](e.Sandbox(), c)
	if !ok {
		e.Fatalf("%s: expected the backend to have it, as the driver declares", c)
	}
	return v
}

// tree makes files in the case's directory and returns its relative and its absolute path.
func (e *Env) tree(script string) (dir, abs string) {
	e.Helper()
	sb := e.Sandbox()
	dir = e.Dir(sb)
	abs = strings.TrimSpace(e.sh(sb, "pwd")) + "/" + dir
	e.sh(sb, "cd "+dir+" && "+script)
	return dir, abs
}

func require(c core.Capability, cases ...Case) []Case {
	for i := range cases {
		cases[i].Level, cases[i].Requires = Extended, c
	}
	return cases
}

// The verbs that look: list and stat.
func listCases() []Case {
	return slices.Concat(require(core.CapList,
		Case{ID: "list/children", Title: "List gives the direct children, hidden ones too, by name, and what they are", Run: listChildren},
		Case{ID: "list/names", Title: "List gives every name as it is", Run: func(e *Env) {
			list := verb[core.Lister](e, core.CapList)
			dir, abs := e.tree("true")
			names := []string{"-rf", "a -> b", "new\nline", "two  spaces", "ünï", "\xff"}
			for _, n := range names {
				e.upload(e.Sandbox(), dir+"/"+n, []byte("x"))
			}
			files, err := list.List(e.Context(), dir)
			want(e, "error", err, nil)
			var got []string
			for _, f := range files {
				got = append(got, strings.TrimPrefix(f.Path, abs+"/"))
			}
			slices.Sort(names)
			want(e, "names", fmt.Sprintf("%q", got), fmt.Sprintf("%q", names))
		}},
		Case{ID: "list/errors", Title: "an error of List is an error, never an empty list", Run: func(e *Env) {
			list := verb[core.Lister](e, core.CapList)
			dir, _ := e.tree("echo x > file; mkdir empty locked; chmod 000 locked")
			for path, code := range map[string]core.Code{"/missing": core.ErrNotFound, "/file": core.ErrNotRegular, "/locked": core.ErrPermission} {
				files, err := list.List(e.Context(), dir+path)
				wantCode(e, "list "+path, err, code)
				want(e, "list "+path+": files", len(files), 0)
			}
			files, err := list.List(e.Context(), dir+"/empty")
			want(e, "list an empty directory: error", err, nil)
			want(e, "list an empty directory: files", len(files), 0)
			_, err = list.List(e.Context(), "../x")
			wantCode(e, "list ../x", err, core.ErrInvalid)
		}},
	), require(core.CapStat,
		Case{ID: "stat/file", Title: "Stat describes a file", Run: func(e *Env) {
			stat := verb[core.Stater](e, core.CapStat)
			dir, abs := e.tree("printf 12345 > file; chmod 640 file; mkdir sub")
			f, err := stat.Stat(e.Context(), dir+"/file", false)
			if err != nil {
				e.Fatalf("stat: %v", err)
			}
			want(e, "Path", f.Path, abs+"/file")
			want(e, "Size", f.Size, 5)
			want(e, "Mode", f.Mode, 0o640)
			want(e, "owner", fmt.Sprintf("%d:%d\n", f.UID, f.GID), e.sh(e.Sandbox(), "echo $(id -u):$(id -g)"))
			want(e, "ModTime is now, within a day", time.Since(f.ModTime).Abs() < 24*time.Hour, true)
			d, err := stat.Stat(e.Context(), dir+"/sub", false)
			want(e, fmt.Sprintf("a directory, error %v", err), err == nil && d.IsDir(), true)
		}},
		Case{ID: "stat/links", Title: "Stat describes a link, or with follow what it leads to", Run: func(e *Env) {
			stat := verb[core.Stater](e, core.CapStat)
			dir, _ := e.tree("printf 12345 > file; ln -s file link; ln -s nothing dangling")
			f, err := stat.Stat(e.Context(), dir+"/link", false)
			want(e, fmt.Sprintf("the link itself, error %v", err), err == nil && f.Mode.Type() == fs.ModeSymlink && f.Link == "file", true)
			f, err = stat.Stat(e.Context(), dir+"/link", true)
			want(e, fmt.Sprintf("what it leads to, error %v", err), err == nil && f.Mode.IsRegular() && f.Size == 5, true)
			_, err = stat.Stat(e.Context(), dir+"/dangling", false)
			want(e, "a dangling link itself: error", err, nil)
			_, err = stat.Stat(e.Context(), dir+"/dangling", true)
			wantCode(e, "what it leads to", err, core.ErrNotFound)
		}},
		Case{ID: "stat/errors", Title: "Stat of what is not there is ErrNotFound", Run: func(e *Env) {
			stat := verb[core.Stater](e, core.CapStat)
			dir, _ := e.tree("echo x > file")
			for _, p := range []string{"/missing", "/file/below", "/missing/below"} {
				_, err := stat.Stat(e.Context(), dir+p, true)
				wantCode(e, "stat "+p, err, core.ErrNotFound)
			}
		}},
	))
}

func listChildren(e *Env) {
	list := verb[core.Lister](e, core.CapList)
	dir, abs := e.tree("printf 123 > b; mkdir a; echo x > a/below; ln -s b link; echo h > .hidden; mkfifo z; chmod 640 b; ln -s a dirlink")
	files, err := list.List(e.Context(), dir)
	if err != nil {
		e.Fatalf("list: %v", err)
	}
	var got []string
	for _, f := range files {
		got = append(got, strings.TrimPrefix(f.Path, abs+"/")+" "+f.Mode.Type().String()[:1]+" "+f.Link)
	}
	want(e, "children", strings.Join(got, "\n"), ".hidden - \na d \nb - \ndirlink L a\nlink L b\nz p ")
	for _, f := range files {
		if f.Name() == "b" {
			want(e, "size and mode of b", fmt.Sprint(f.Size, " ", f.Mode), "3 -rw-r-----")
		}
	}
	files, err = list.List(e.Context(), dir+"/dirlink")
	want(e, fmt.Sprintf("list through a link, error %v", err), err == nil && len(files) == 1, true)
}

// The verbs that change: remove, mkdir and rename.
func changeCases() []Case {
	return slices.Concat(require(core.CapRemove,
		Case{ID: "remove/file", Title: "Remove takes a file, a link itself, or an empty directory", Run: func(e *Env) {
			rm := verb[core.Remover](e, core.CapRemove)
			dir, _ := e.tree("mkdir empty full; echo x > full/file; echo x > file; ln -s full/file link; ln -s full dirlink")
			for _, p := range []string{"/file", "/empty", "/link", "/dirlink"} {
				want(e, "remove "+p, rm.Remove(e.Context(), dir+p, false), nil)
			}
			want(e, "what is left", e.sh(e.Sandbox(), "cd "+dir+"; find . | sort"), ".\n./full\n./full/file\n")
		}},
		Case{ID: "remove/tree", Title: "a directory that is not empty is ErrConflict, and goes with recursive", Run: func(e *Env) {
			rm := verb[core.Remover](e, core.CapRemove)
			dir, _ := e.tree("mkdir -p tree/a/b other; echo x > tree/a/b/file; echo x > other/kept; ln -s ../other tree/link")
			wantCode(e, "remove a full directory", rm.Remove(e.Context(), dir+"/tree", false), core.ErrConflict)
			want(e, "remove it with all in it", rm.Remove(e.Context(), dir+"/tree", true), nil)
			want(e, "what is left", e.sh(e.Sandbox(), "cd "+dir+"; find . | sort"), ".\n./other\n./other/kept\n")
		}},
		Case{ID: "remove/errors", Title: "Remove of what is not there is ErrNotFound, of what may not be removed ErrPermission", Run: func(e *Env) {
			rm := verb[core.Remover](e, core.CapRemove)
			dir, _ := e.tree("mkdir locked; echo x > locked/file; chmod 555 locked")
			for _, recursive := range []bool{false, true} {
				wantCode(e, "remove /missing", rm.Remove(e.Context(), dir+"/missing", recursive), core.ErrNotFound)
				wantCode(e, "remove /locked/file", rm.Remove(e.Context(), dir+"/locked/file", recursive), core.ErrPermission)
				wantCode(e, "remove ..", rm.Remove(e.Context(), "..", recursive), core.ErrInvalid)
				wantCode(e, "remove the work directory", rm.Remove(e.Context(), ".", recursive), core.ErrInvalid)
			}
			want(e, "the file that may not be removed", e.sh(e.Sandbox(), "cat "+dir+"/locked/file; chmod 755 "+dir+"/locked"), "x\n")
		}},
	), require(core.CapMkdir,
		Case{ID: "mkdir/parents", Title: "Mkdir makes a directory and its parents; one that is there is no error", Run: func(e *Env) {
			mk := verb[core.DirMaker](e, core.CapMkdir)
			dir, _ := e.tree("mkdir there; echo x > there/kept")
			for _, p := range []string{"/a/b c/d", "/a/b c/d", "/there"} {
				want(e, "mkdir "+p, mk.Mkdir(e.Context(), dir+p), nil)
			}
			want(e, "what is there", e.sh(e.Sandbox(), "cd "+dir+"; find . | sort"), ".\n./a\n./a/b c\n./a/b c/d\n./there\n./there/kept\n")
		}},
		Case{ID: "mkdir/errors", Title: "Mkdir over a file is ErrExists, where the user may not write ErrPermission", Run: func(e *Env) {
			mk := verb[core.DirMaker](e, core.CapMkdir)
			dir, _ := e.tree("echo x > file; mkdir locked; chmod 555 locked")
			wantCode(e, "mkdir /file", mk.Mkdir(e.Context(), dir+"/file"), core.ErrExists)
			wantCode(e, "mkdir /locked/sub", mk.Mkdir(e.Context(), dir+"/locked/sub"), core.ErrPermission)
			wantCode(e, "mkdir ../x", mk.Mkdir(e.Context(), "../x"), core.ErrInvalid)
		}},
	), require(core.CapRename,
		Case{ID: "rename/file", Title: "Rename moves a file, replaces one that is there and makes parents", Run: func(e *Env) {
			mv := verb[core.Renamer](e, core.CapRename)
			dir, _ := e.tree("echo 1 > a; echo 2 > b; chmod 751 a; echo 3 > c; ln -s c link")
			want(e, "rename /a to /b", mv.Rename(e.Context(), dir+"/a", dir+"/b"), nil)
			want(e, "rename /c to /new/sub/c", mv.Rename(e.Context(), dir+"/c", dir+"/new/sub/c"), nil)
			want(e, "rename a link", mv.Rename(e.Context(), dir+"/link", dir+"/moved"), nil)
			want(e, "what is there", e.sh(e.Sandbox(), "cd "+dir+"; cat b new/sub/c; stat -c %a b; readlink moved; ls -A"), "1\n3\n751\nc\nb\nmoved\nnew\n")
		}},
		Case{ID: "rename/directory", Title: "Rename moves a directory with all in it", Run: func(e *Env) {
			mv := verb[core.Renamer](e, core.CapRename)
			dir, _ := e.tree("mkdir -p d/sub; echo 1 > d/sub/file")
			want(e, "rename /d to /e/f", mv.Rename(e.Context(), dir+"/d", dir+"/e/f"), nil)
			want(e, "what is there", e.sh(e.Sandbox(), "cd "+dir+"; find . | sort"), ".\n./e\n./e/f\n./e/f/sub\n./e/f/sub/file\n")
		}},
		Case{ID: "rename/errors", Title: "Rename of what is not there is ErrNotFound, onto a directory an error, and nothing moves", Run: func(e *Env) {
			mv := verb[core.Renamer](e, core.CapRename)
			dir, _ := e.tree("echo 1 > file; mkdir full; echo 2 > full/file")
			wantCode(e, "rename /missing", mv.Rename(e.Context(), dir+"/missing", dir+"/x"), core.ErrNotFound)
			wantCode(e, "rename /file to /full", mv.Rename(e.Context(), dir+"/file", dir+"/full"), core.ErrIsDirectory, core.ErrConflict, core.ErrExists)
			wantCode(e, "rename /full into itself", mv.Rename(e.Context(), dir+"/full", dir+"/full/sub"), core.ErrInvalid)
			wantCode(e, "rename to ../x", mv.Rename(e.Context(), dir+"/file", "../x"), core.ErrInvalid)
			want(e, "what is there", e.sh(e.Sandbox(), "cd "+dir+"; find . | sort"), ".\n./file\n./full\n./full/file\n")
		}},
	))
}
