package runtimes

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// jsonNode reads JSON into the nodes of YAML, each with its place.
func jsonNode(text []byte) (*yaml.Node, error) {
	if err := json.Unmarshal(text, new(json.RawMessage)); err != nil {
		syntax, ok := errors.AsType[*json.SyntaxError](err)
		if !ok {
			return nil, err
		}
		line, column := place(text, syntax.Offset-1) // of the character after which it was noticed
		return nil, at(line, column, errors.New(syntax.Error()))
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	return (&jsonReader{text: text, dec: dec}).value()
}

// maxDepth bounds how deep lists and mappings may lie in each other. Two are enough for a runtime.
const maxDepth = 16

type jsonReader struct {
	text  []byte
	dec   *json.Decoder
	depth int
}

func (r *jsonReader) value() (*yaml.Node, error) {
	n := new(yaml.Node)
	n.Line, n.Column = place(r.text, r.next())
	token, err := r.dec.Token()
	if err != nil {
		return nil, err
	}
	n.Kind = yaml.ScalarNode
	switch v := token.(type) {
	case json.Delim:
		if r.depth++; r.depth > maxDepth {
			return nil, at(n.Line, n.Column, errors.New("too many lists in lists"))
		}
		n.Kind = yaml.SequenceNode
		if v == '{' {
			n.Kind = yaml.MappingNode
		}
		for r.dec.More() {
			// Keys are tokens of their own, in turn with their values.
			child, err := r.value()
			if err != nil {
				return nil, err
			}
			n.Content = append(n.Content, child)
		}
		if _, err := r.dec.Token(); err != nil {
			return nil, err
		}
		r.depth--
	case string:
		n.Tag, n.Value = "!!str", v
	case json.Number:
		n.Tag, n.Value = "!!float", v.String()
	case bool:
		n.Tag, n.Value = "!!bool", strconv.FormatBool(v)
	case nil:
		n.Tag = "!!null"
	}
	return n, nil
}

// next returns the offset at which the next token begins.
func (r *jsonReader) next() int64 {
	offset := r.dec.InputOffset()
	for offset < int64(len(r.text)) && strings.IndexByte(" \t\r\n,:", r.text[offset]) >= 0 {
		offset++
	}
	return offset
}

// place returns the line and the column of an offset, both from 1.
func place(text []byte, offset int64) (line, column int) {
	before := text[:max(0, min(offset, int64(len(text))))]
	return bytes.Count(before, []byte("\n")) + 1, len(before) - bytes.LastIndexByte(before, '\n')
}
