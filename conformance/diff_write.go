package conformance

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// WriteText writes the comparison for people, one difference after the other.
func (c *Comparison) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "A  %s\nB  %s\n%s\n", c.A.name(), c.B.name(), c.summary())
	for _, d := range c.Differences {
		fmt.Fprintf(&b, "\n%s\n  A  %s\n  B  %s\n", d.What, shown(d.A), shown(d.B))
		if d.Why != "" {
			fmt.Fprintf(&b, "  %s\n", d.Why)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// summary is the comparison in one line.
func (c *Comparison) summary() string {
	if len(c.Differences) == 0 {
		return fmt.Sprintf("alike in all %d observations", c.Seen)
	}
	known := 0
	for _, d := range c.Differences {
		if d.Why != "" {
			known++
		}
	}
	text := fmt.Sprintf("%d of %d observations differ", len(c.Differences), c.Seen)
	if known > 0 {
		text += fmt.Sprintf(", %d of them for a known reason", known)
	}
	return text
}

func shown(value string) string {
	switch value {
	case "":
		return "(empty)"
	case Absent:
		return "(absent)"
	}
	return value
}

// WriteMarkdown writes the comparison as a table.
func (c *Comparison) WriteMarkdown(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "| What | %s | %s | Why |\n| --- | --- | --- | --- |\n", c.A.name(), c.B.name())
	for _, d := range c.Differences {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", cell(d.What), cell(shown(d.A)), cell(shown(d.B)), cell(d.Why))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// WriteJSON writes the comparison in the form that DiffSchema names.
func (c *Comparison) WriteJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(c)
}

func (e *Engine) name() string { return strings.TrimSpace(e.Engine + " " + e.Version) }

// cell is a text as a table has room for it.
func cell(s string) string {
	const most = 500
	if len(s) > most {
		s = s[:most] + " ..."
	}
	return strings.NewReplacer("|", `\|`, "\n", " ").Replace(strings.ToValidUTF8(s, "\ufffd"))
}
