package conformance

import (
	"fmt"
	"strings"

	"github.com/caisson-dev/caisson/core"
)

// globTree is what the glob cases search.
const globTree = `mkdir -p src/a/b .git dir.py 'odd name'; for f in src/x.py src/y.go src/a/z.py src/a/b/deep.py src/a/b/note.txt .git/config.py src/.hidden.py top.py 'odd name/[x].py' dir.py/in.txt; do echo x > "$f"; done; ln -s top.py link.py; ln -s src linked`

// The dialect of Glob, one for all drivers.
func globCases() []Case {
	cases := []Case{
		{ID: "glob/errors", Title: "a malformed pattern is ErrInvalid, a missing root ErrNotFound", Run: func(e *Env) {
			glob := verb[core.Globber](e, core.CapGlob)
			dir, _ := e.tree("mkdir empty; echo x > file")
			for _, p := range []string{"", "[", "{a", "a[", "../*", "a/../../*", "\x00"} {
				_, err := glob.Glob(e.Context(), p, &core.Search{Root: dir})
				wantCode(e, fmt.Sprintf("glob %q", p), err, core.ErrInvalid)
			}
			_, err := glob.Glob(e.Context(), "*", &core.Search{Root: dir + "/missing"})
			wantCode(e, "glob in a missing root", err, core.ErrNotFound)
			got, err := glob.Glob(e.Context(), "*", &core.Search{Root: dir + "/empty"})
			want(e, fmt.Sprintf("glob in an empty directory, error %v", err), err == nil && len(got.Paths) == 0 && !got.Truncated, true)
		}},
		{ID: "glob/max", Title: "Glob stops at the maximum and says so", Run: func(e *Env) {
			glob := verb[core.Globber](e, core.CapGlob)
			dir, _ := e.tree("for i in 1 2 3 4 5; do echo x > f$i; done")
			for limit, truncated := range map[int]bool{4: true, 5: false, 6: false, 0: false} {
				got, err := glob.Glob(e.Context(), "*", &core.Search{Root: dir, Max: limit})
				if err != nil {
					e.Fatalf("glob: %v", err)
				}
				expected := 5
				if limit > 0 {
					expected = min(5, limit)
				}
				want(e, fmt.Sprintf("at most %d of 5: paths", limit), len(got.Paths), expected)
				want(e, fmt.Sprintf("at most %d of 5: truncated", limit), got.Truncated, truncated)
			}
		}},
		{ID: "glob/unreadable", Title: "a directory that cannot be read hides nothing else, and is counted", Run: func(e *Env) {
			glob := verb[core.Globber](e, core.CapGlob)
			dir, abs := e.tree("mkdir locked open; echo x > locked/f; echo x > open/f; chmod 000 locked")
			got, err := glob.Glob(e.Context(), "**/f", &core.Search{Root: dir})
			e.sh(e.Sandbox(), "chmod 755 "+dir+"/locked")
			if err != nil {
				e.Fatalf("glob: %v", err)
			}
			want(e, "paths", strings.Join(got.Paths, " "), abs+"/open/f")
			want(e, "skipped", got.Skipped, 1)
		}},
	}
	for _, c := range []struct{ name, title, pattern, root, found string }{
		{"top", "a pattern without a slash matches at the top only", "*.py", "", "link.py top.py"},
		{"one-level", "a star stays within a name", "src/*.py", "", "src/x.py"},
		{"any-depth", "two stars match zero or more directories", "**/*.py", "", "link.py odd name/[x].py src/a/b/deep.py src/a/z.py src/x.py top.py"},
		{"middle", "two stars work in the middle", "src/**/*.py", "", "src/a/b/deep.py src/a/z.py src/x.py"},
		{"braces", "braces hold alternatives", "src/**/*.{go,txt}", "", "src/a/b/note.txt src/y.go"},
		{"classes", "classes and question marks work", "src/[x-z].?[yo]", "", "src/x.py src/y.go"},
		{"escape", "a backslash takes the meaning from a character", `odd name/\[x].py`, "", "odd name/[x].py"},
		{"root", "the search begins at the root", "*.py", "src/a", "src/a/z.py"},
		{"hidden", "a name with a leading dot matches only a pattern that spells the dot", "**/.*.py", "", "src/.hidden.py"},
		{"hidden-directory", "a hidden directory is entered if the pattern spells it", ".git/*.py", "", ".git/config.py"},
		{"files-only", "directories are not found", "*", "", "link.py top.py"},
	} {
		cases = append(cases, Case{ID: "glob/" + c.name, Title: "Glob: " + c.title, Run: func(e *Env) {
			glob := verb[core.Globber](e, core.CapGlob)
			dir, abs := e.tree(globTree)
			root := strings.TrimSuffix(dir+"/"+c.root, "/")
			got, err := glob.Glob(e.Context(), c.pattern, &core.Search{Root: root})
			if err != nil {
				e.Fatalf("glob %q: %v", c.pattern, err)
			}
			want(e, fmt.Sprintf("glob %q, absolute and sorted", c.pattern), relative(got.Paths, abs), c.found)
		}})
	}
	cases = append(cases, Case{ID: "glob/hidden-option", Title: "Glob: with Hidden a leading dot is a character like others", Run: func(e *Env) {
		glob := verb[core.Globber](e, core.CapGlob)
		dir, abs := e.tree(globTree)
		got, err := glob.Glob(e.Context(), "**/*n*.py", &core.Search{Root: dir, Hidden: true})
		if err != nil {
			e.Fatalf("glob: %v", err)
		}
		want(e, "glob", relative(got.Paths, abs), ".git/config.py link.py src/.hidden.py")
	}})
	return require(core.CapGlob, cases...)
}

// relative joins the paths below a directory; others stay as they are.
func relative(paths []string, abs string) string {
	var list []string
	for _, p := range paths {
		list = append(list, strings.TrimPrefix(p, abs+"/"))
	}
	return strings.Join(list, " ")
}

// The dialect of Grep, one for all drivers.
func grepCases() []Case {
	return require(core.CapGrep,
		Case{ID: "grep/regular", Title: "Grep finds lines by RE2, with path and line number, in order", Run: func(e *Env) {
			grepped(e, `printf 'one\ntwo 22\nthree\n' > b.txt; mkdir a; printf 'x\nfour 4\n' > a/z.txt`, `\w+ \d+|^thr`, core.Search{}, "a/z.txt:2:four 4|b.txt:2:two 22|b.txt:3:three")
		}},
		Case{ID: "grep/literal", Title: "Grep with Literal takes the pattern as plain text", Run: func(e *Env) {
			grepped(e, `printf 'a.b\naxb\n(a|b)*\n' > f`, "a.b", core.Search{Literal: true}, "f:1:a.b")
		}},
		Case{ID: "grep/literal-signs", Title: "Grep with Literal finds signs that mean something elsewhere", Run: func(e *Env) {
			grepped(e, `printf '%s\n' 'a.b' '-e (a|b)* [$x]' > f`, "-e (a|b)* [$x]", core.Search{Literal: true}, "f:2:-e (a|b)* [$x]")
		}},
		Case{ID: "grep/include", Title: "Grep looks only into the files that Include matches", Run: func(e *Env) {
			grepped(e, `mkdir s; for f in a.py b.go s/c.py; do echo hit > $f; done`, "hit", core.Search{Include: "*.py"}, "a.py:1:hit|s/c.py:1:hit")
		}},
		Case{ID: "grep/hidden", Title: "Grep leaves out hidden files unless it is told otherwise", Run: func(e *Env) {
			grepped(e, `mkdir .git; echo hit > .git/f; echo hit > .env; echo hit > f`, "hit", core.Search{}, "f:1:hit")
			grepped(e, "true", "hit", core.Search{Hidden: true}, ".env:1:hit|.git/f:1:hit|f:1:hit")
		}},
		Case{ID: "grep/one-file", Title: "Grep takes a file as its root, a hidden one too, and names with colons", Run: func(e *Env) {
			dir, abs := e.tree("echo hit > .odd:1:name; echo hit > other")
			got, err := verb[core.Grepper](e, core.CapGrep).Grep(e.Context(), "hit", &core.Search{Root: dir + "/.odd:1:name"})
			if err != nil {
				e.Fatalf("grep: %v", err)
			}
			want(e, "matches", found(got, abs), ".odd:1:name:1:hit")
		}},
		Case{ID: "grep/line-ends", Title: "Grep shows lines without their ends, and counts them as editors do", Run: func(e *Env) {
			grepped(e, `printf 'a\r\nhit\r\n\fhit\nlast hit' > f`, "hit", core.Search{}, "f:2:hit|f:3:\fhit|f:4:last hit")
		}},
		Case{ID: "grep/unreadable", Title: "a file that cannot be read or is binary hides no match elsewhere, and is counted", Run: func(e *Env) {
			dir, abs := e.tree(`echo hit > a; printf 'hit\0\n' > binary; echo hit > locked; chmod 000 locked; echo hit > z; mkfifo fifo`)
			got, err := verb[core.Grepper](e, core.CapGrep).Grep(e.Context(), "hit", &core.Search{Root: dir})
			if err != nil {
				e.Fatalf("grep: %v", err)
			}
			want(e, "matches", found(got, abs), "a:1:hit|z:1:hit")
			want(e, "skipped", got.Skipped, 2)
		}},
		Case{ID: "grep/max", Title: "Grep stops at the maximum and says so", Run: func(e *Env) {
			dir, _ := e.tree("for i in 1 2 3 4 5; do echo hit $i; done > f")
			for limit, truncated := range map[int]bool{4: true, 5: false} {
				got, err := verb[core.Grepper](e, core.CapGrep).Grep(e.Context(), "hit", &core.Search{Root: dir, Max: limit})
				if err != nil {
					e.Fatalf("grep: %v", err)
				}
				want(e, fmt.Sprintf("at most %d of 5: matches", limit), len(got.Matches), limit)
				want(e, fmt.Sprintf("at most %d of 5: truncated", limit), got.Truncated, truncated)
			}
		}},
		Case{ID: "grep/errors", Title: "a malformed expression is ErrInvalid, a missing root ErrNotFound, no match no error", Run: func(e *Env) {
			grep := verb[core.Grepper](e, core.CapGrep)
			dir, _ := e.tree("echo x > file")
			for _, p := range []string{"", "(", "a**", `\1`} {
				_, err := grep.Grep(e.Context(), p, &core.Search{Root: dir})
				wantCode(e, fmt.Sprintf("grep %q", p), err, core.ErrInvalid)
			}
			_, err := grep.Grep(e.Context(), "x", &core.Search{Root: dir + "/missing"})
			wantCode(e, "grep in a missing root", err, core.ErrNotFound)
			got, err := grep.Grep(e.Context(), "nothing", &core.Search{Root: dir})
			want(e, fmt.Sprintf("grep without a match, error %v", err), err == nil && len(got.Matches) == 0, true)
		}},
	)
}

func grepped(e *Env, script, pattern string, search core.Search, expected string) {
	e.Helper()
	dir, abs := e.tree(script)
	search.Root = dir
	got, err := verb[core.Grepper](e, core.CapGrep).Grep(e.Context(), pattern, &search)
	if err != nil {
		e.Fatalf("grep %q: %v", pattern, err)
	}
	want(e, fmt.Sprintf("grep %q", pattern), found(got, abs), expected)
}

func found(m *core.Matches, abs string) string {
	var list []string
	for _, f := range m.Matches {
		list = append(list, fmt.Sprintf("%s:%d:%s", strings.TrimPrefix(f.Path, abs+"/"), f.Line, f.Text))
	}
	return strings.Join(list, "|")
}

// Edit is literal, atomic, and knows CRLF.
func editCases() []Case {
	return require(core.CapEdit,
		Case{ID: "edit/once", Title: "Edit replaces the one place of a text, and keeps the mode", Run: func(e *Env) {
			edited(e, "one two three", "two", "2", false, "one 2 three", 1, "")
			dir := "case-" + e.Marker
			want(e, "mode", e.sh(e.Sandbox(), "stat -c %a "+dir+"/file; ls -A "+dir), "751\nfile\n")
		}},
		Case{ID: "edit/literal", Title: "Edit takes both texts as they are", Run: func(e *Env) {
			edited(e, "a.*b [$1] axxb", ".*b [$1]", "\\1$&%s", false, "a\\1$&%s axxb", 1, "")
		}},
		Case{ID: "edit/several", Title: "a text that occurs several times is ErrConflict, or replaced everywhere", Run: func(e *Env) {
			edited(e, "x y x", "x", "z", false, "x y x", 0, core.ErrConflict)
			edited(e, "x y x", "x", "zz", true, "zz y zz", 2, "")
		}},
		Case{ID: "edit/no-match", Title: "a text that does not occur is ErrNotFound, and the file stays", Run: func(e *Env) {
			edited(e, "text", "other", "z", false, "text", 0, core.ErrNotFound)
			edited(e, "text", "other", "z", true, "text", 0, core.ErrNotFound)
		}},
		Case{ID: "edit/crlf", Title: "a text with LF ends matches a file with CRLF ends, and the new text gets CRLF", Run: func(e *Env) {
			edited(e, "one\r\ntwo\r\nthree\r\n", "one\ntwo\n", "1\n2\n", false, "1\r\n2\r\nthree\r\n", 1, "")
		}},
		Case{ID: "edit/bytes", Title: "Edit leaves bytes that are not UTF-8 as they are", Run: func(e *Env) {
			edited(e, "\xff\x00 old \xfe", "old", "new", false, "\xff\x00 new \xfe", 1, "")
		}},
		Case{ID: "edit/errors", Title: "Edit of a missing file is ErrNotFound, of a directory ErrIsDirectory, of an empty text ErrInvalid", Run: func(e *Env) {
			ed := verb[core.Editor](e, core.CapEdit)
			dir, _ := e.tree("echo x > file")
			_, err := ed.Edit(e.Context(), dir+"/missing", "x", "y", false)
			wantCode(e, "edit a missing file", err, core.ErrNotFound)
			_, err = ed.Edit(e.Context(), dir, "x", "y", false)
			wantCode(e, "edit a directory", err, core.ErrIsDirectory)
			_, err = ed.Edit(e.Context(), dir+"/file", "", "y", false)
			wantCode(e, "replace an empty text", err, core.ErrInvalid)
			_, err = ed.Edit(e.Context(), "../x", "x", "y", false)
			wantCode(e, "edit ../x", err, core.ErrInvalid)
		}},
	)
}

// edited edits a file of mode 751 and compares what comes of it.
func edited(e *Env, before, old, text string, all bool, after string, n int, code core.Code) {
	e.Helper()
	sb := e.Sandbox()
	file := e.Dir(sb) + "/file"
	if err := sb.Upload(e.Context(), file, strings.NewReader(before), &core.UploadOptions{Mode: 0o751}); err != nil {
		e.Fatalf("upload: %v", err)
	}
	got, err := verb[core.Editor](e, core.CapEdit).Edit(e.Context(), file, old, text, all)
	done := fmt.Sprintf("edit %q in %q", old, before)
	if code != "" {
		wantCode(e, done, err, code)
	} else {
		want(e, done+": error", err, nil)
		want(e, done+": replacements", got, n)
	}
	want(e, done+": content", string(e.read(sb, file, nil)), after)
}
