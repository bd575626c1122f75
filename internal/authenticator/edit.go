package authenticator

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	yamlv4 "go.yaml.in/yaml/v4"
)

// WithoutRow returns the text of a block of aws-auth without one row, counted from 0. The lines of other rows, and comments,
// stay as they are where the text can be cut by lines; a list on one line is written anew. The text that is returned reads as
// the old one does but for that row; where none can be found that does, that is an error.
func WithoutRow(kind Kind, block string, index int) (string, error) {
	rows, problems := rowsOf(kind, block)
	if index < 0 || index >= len(rows) {
		return "", fmt.Errorf("the block has %d rows", len(rows))
	}
	want := slices.Delete(slices.Clone(rows), index, index+1)
	for _, cut := range []func(string, int) (string, bool){cutLines, cutNode} {
		text, ok := cut(block, index)
		if !ok {
			continue
		}
		if strings.TrimSpace(text) == "" {
			text = "[]\n"
		}
		if got, more := rowsOf(kind, text); sameRows(got, want) && more <= problems {
			return text, nil
		}
	}
	return "", errors.New("a row that is part of the text of others, or text that is not understood")
}

// rowsOf reads the rows of a block, and counts the problems that concern the whole of it.
func rowsOf(kind Kind, block string) (rows []Row, problems int) {
	a := ParseConfigMap(map[string]string{kind.Block(): block})
	for _, p := range a.Problems {
		if p.Index < 0 {
			problems++
		}
	}
	return a.Rows, problems
}

// sameRows compares what rows say, wherever they stand.
func sameRows(a, b []Row) bool {
	return slices.EqualFunc(a, b, func(a, b Row) bool {
		return reflect.DeepEqual(a.Written, b.Written) && reflect.DeepEqual(a.Read, b.Read)
	})
}

// cutLines takes out the lines of one item of a list that is written one item after the other.
func cutLines(block string, index int) (string, bool) {
	src, why := parseSource(block)
	if why != "" || index >= src.len() {
		return "", false
	}
	lines := strings.SplitAfter(block, "\n")
	start, ok := dashOf(lines, src.rows[index])
	if !ok {
		return "", false
	}
	end := len(lines)
	if index+1 < src.len() {
		if end, ok = dashOf(lines, src.rows[index+1]); !ok || end <= start {
			return "", false
		}
	}
	for end > start+1 && isComment(lines[end-1]) {
		end-- // it speaks of what follows
	}
	return strings.Join(slices.Delete(lines, start, end), ""), true
}

// dashOf is the line, from 0, of the dash that begins an item.
func dashOf(lines []string, n *yamlv4.Node) (int, bool) {
	for i := min(n.Line, len(lines)) - 1; i >= 0; i-- {
		if text := strings.TrimLeft(lines[i], " "); strings.HasPrefix(text, "-") && len(lines[i])-len(text) < n.Column-1 {
			return i, true
		}
	}
	return 0, false
}

func isComment(line string) bool {
	text := strings.TrimSpace(line)
	return text == "" || strings.HasPrefix(text, "#")
}

// cutNode takes one item out of a list and writes the list anew.
func cutNode(block string, index int) (string, bool) {
	var doc yamlv4.Node
	if err := yamlv4.NewDecoder(strings.NewReader(block)).Decode(&doc); err != nil || len(doc.Content) != 1 {
		return "", false
	}
	list := doc.Content[0]
	if list.Kind != yamlv4.SequenceNode || index >= len(list.Content) {
		return "", false
	}
	list.Content = slices.Delete(list.Content, index, index+1)
	text, err := yamlv4.Dump(&doc, yamlv4.WithV4Defaults(), yamlv4.WithLineWidth(-1))
	return string(text), err == nil
}
