package runtimes

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/caisson-dev/caisson/core"
)

// Prompt returns the section of a model's system prompt that describes rt, in
// Markdown. It names the environment variables and never shows their values.
// It is empty for nil.
func Prompt(rt *core.Runtime) string {
	if rt == nil {
		return ""
	}
	rt = rt.WithDefaults()
	var b strings.Builder
	b.WriteString("## Runtime Environment\n\n")
	if rt.Name != "" {
		fmt.Fprintf(&b, "**Name:** %s\n", rt.Name)
	}
	if text := oneLine(rt.Description); text != "" {
		fmt.Fprintf(&b, "**Description:** %s\n", text)
	}
	fmt.Fprintf(&b, "**Working directory:** %s\n", rt.WorkDir)
	writeList(&b, "**Pre-installed packages** (use directly without installation):", rt.Packages)
	writeList(&b, "**Environment variables** (set; values not shown):", slices.Sorted(maps.Keys(rt.Env)))
	return b.String()
}

func writeList(b *strings.Builder, title string, items []string) {
	if len(items) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s\n", title)
	for _, item := range items {
		fmt.Fprintf(b, "- %s\n", item)
	}
}

// oneLine keeps a text from beginning a section of its own.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
