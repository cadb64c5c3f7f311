package runner

import (
	"bytes"
	"strings"

	"github.com/caisson-dev/caisson/core"
)

// A textSpan is a place in a content where the old text stands.
type textSpan struct {
	from, to int
	crlf     bool // its lines end with CRLF although those of the old text end with LF
}

// substitute returns content with old replaced by the new text and the number
// of replacements. Its errors do not quote any of the texts.
func substitute(content []byte, old, text string, all bool) ([]byte, int, error) {
	spans := findText(content, old)
	switch {
	case len(spans) == 0:
		return nil, 0, core.Errorf(core.ErrNotFound, "", "the text to replace does not occur in the file")
	case len(spans) > 1 && !all:
		return nil, 0, core.Errorf(core.ErrConflict, "", "the text to replace occurs %d times; replace all or give more of what is around it", len(spans))
	}
	crlfFile, crlfText := endsCRLF(content), toCRLF(text)
	longest := int64(max(len(text), len(crlfText)))
	if size := int64(len(content)) + int64(len(spans))*(longest-int64(len(old))); size > maxEdit {
		return nil, 0, tooLarge("", size, maxEdit)
	}
	var edited bytes.Buffer
	end := 0
	for _, s := range spans {
		edited.Write(content[end:s.from])
		if s.crlf || crlfFile {
			edited.WriteString(crlfText)
		} else {
			edited.WriteString(text)
		}
		end = s.to
	}
	edited.Write(content[end:])
	return edited.Bytes(), len(spans), nil
}

// findText returns where old stands in content, from left to right and without
// overlaps: as it is or, if its lines end with LF, with CRLF in their place.
func findText(content []byte, old string) []textSpan {
	exact := newNeedle(content, old)
	windows := newNeedle(content, "")
	if strings.Contains(old, "\n") && !strings.Contains(old, "\r\n") {
		windows = newNeedle(content, toCRLF(old))
	}
	var spans []textSpan
	for at := 0; ; {
		a, b := exact.from(at), windows.from(at)
		switch {
		case a < 0 && b < 0:
			return spans
		case b < 0 || a >= 0 && a < b:
			spans = append(spans, textSpan{from: a, to: a + len(exact.text)})
		default:
			spans = append(spans, textSpan{from: b, to: b + len(windows.text), crlf: true})
		}
		at = spans[len(spans)-1].to
	}
}

// A needle finds one text again and again, looking at each byte of the content once.
type needle struct {
	content, text []byte
	next          int // where the text stands next; before the start of a search it is stale, -1 means nowhere
}

func newNeedle(content []byte, text string) *needle {
	n := &needle{content: content, text: []byte(text), next: -1}
	if text != "" {
		n.next = bytes.Index(content, n.text)
	}
	return n
}

// from returns the first place at or after at, or -1.
func (n *needle) from(at int) int {
	if n.next >= 0 && n.next < at {
		if i := bytes.Index(n.content[at:], n.text); i >= 0 {
			n.next = at + i
		} else {
			n.next = -1
		}
	}
	return n.next
}

// endsCRLF reports whether there are lines and all of them end with CRLF.
func endsCRLF(content []byte) bool {
	n := bytes.Count(content, []byte("\n"))
	return n > 0 && n == bytes.Count(content, []byte("\r\n"))
}

func toCRLF(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\n", "\r\n")
}
