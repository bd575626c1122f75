package report

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"go.yaml.in/yaml/v4"

	"drawbridge/internal/finding"
)

// writeYAML writes the JSON as YAML, with the same keys in the same order.
func writeYAML(w io.Writer, r *finding.Result, _ Options) error { return encodeYAML(w, r) }

// encodeYAML writes v as encodeJSON does, in YAML.
func encodeYAML(w io.Writer, v any) error {
	var text bytes.Buffer
	if err := encodeJSON(&text, v); err != nil {
		return err
	}
	dec := jsontext.NewDecoder(&text)
	node, escape, err := yamlNode(dec)
	if err != nil {
		return fmt.Errorf("turn JSON into YAML: %w", err)
	}
	out, err := yaml.Dump(node, yaml.WithV4Defaults(), yaml.WithUnicode(!escape), yaml.WithLineWidth(-1))
	if err != nil {
		return fmt.Errorf("encode YAML: %w", err)
	}
	_, err = w.Write(out)
	return err
}

// yamlNode is the next JSON value, and whether hidden characters are in it: then all but ASCII is written as escapes,
// because YAML allows some of them raw.
func yamlNode(dec *jsontext.Decoder) (*yaml.Node, bool, error) {
	token, err := dec.ReadToken()
	if err != nil {
		return nil, false, err
	}
	node := &yaml.Node{Kind: yaml.ScalarNode, Value: token.String()}
	switch token.Kind() {
	case '{':
		node = &yaml.Node{Kind: yaml.MappingNode}
	case '[':
		node = &yaml.Node{Kind: yaml.SequenceNode}
	case '"':
		node.Tag = "!!str"
		if strings.ContainsFunc(node.Value, odd) {
			node.Style = yaml.DoubleQuotedStyle
			return node, true, nil
		}
		return node, false, nil
	default:
		return node, false, nil
	}
	anyOdd := false
	for kind := dec.PeekKind(); kind != '}' && kind != ']'; kind = dec.PeekKind() {
		child, childOdd, err := yamlNode(dec)
		if err != nil {
			return nil, false, err
		}
		node.Content = append(node.Content, child)
		anyOdd = anyOdd || childOdd
	}
	_, err = dec.ReadToken()
	return node, anyOdd, err
}
