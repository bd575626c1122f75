package authenticator

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	yamlv4 "go.yaml.in/yaml/v4"
)

// CutRow cuts one row, counted from 0, out of the text of a block of aws-auth, and returns it with the text that is left. The
// lines of other rows, and comments, stay as they are where the text can be cut by lines; a list on one line is written anew. The
// text that is left reads as the old one does but for that row; where none can be found that does, that is an error. A row that
// reads by itself is cut also out of text that is broken elsewhere. Of its Effective nothing is said: it depends on the others.
func CutRow(kind Kind, block string, index int) (*Row, string, error) {
	if row, rest, ok := cutPlain(kind, block, index); ok {
		return row, rest, nil
	}
	rows, problems := rowsOf(kind, block)
	if index < 0 || index >= len(rows) {
		return nil, "", fmt.Errorf("the block has %d rows", len(rows))
	}
	rest, err := withoutRow(kind, block, index, rows, problems)
	rows[index].Effective = Effective{}
	return &rows[index], rest, err
}

// withoutRow tries to cut a row out and looks at how what is left reads.
func withoutRow(kind Kind, block string, index int, rows []Row, problems int) (string, error) {
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

// cutPlain cuts a row out of text in which rows stand one after the other and have nothing to do with each other, and reads that
// row alone. Whether the text is of that kind is told from its letters: emptying a long block row by row would take minutes if
// the whole of it were read each time.
func cutPlain(kind Kind, block string, index int) (*Row, string, bool) {
	if len(block) > maxBlock {
		return nil, "", false
	}
	indent, n, start, end := -1, -1, 0, 0
	for at := 0; at < len(block); {
		stop := at + strings.IndexByte(block[at:], '\n') + 1
		if stop == at {
			stop = len(block)
		}
		line := block[at:stop]
		text := strings.TrimLeft(line, " ")
		depth := len(line) - len(text)
		text = strings.TrimRight(text, "\n")
		item := text == "-" || strings.HasPrefix(text, "- ")
		if item && indent < 0 {
			indent = depth
		}
		switch {
		case text == "" || text[0] == '#':
		case !standsAlone(text) || depth < indent || indent < 0 || depth == indent && !item:
			return nil, "", false
		case depth == indent:
			if n++; n == index {
				start = at
			}
			fallthrough
		default:
			if n == index {
				end = stop // comments after it speak of what follows
			}
		}
		at = stop
	}
	if index < 0 || n < index {
		return nil, "", false
	}
	rows, problems := rowsOf(kind, block[start:end])
	if len(rows) != 1 || problems > 0 {
		return nil, "", false
	}
	row := rows[0]
	row.Index, row.Effective = index, Effective{}
	if row.Line > 0 {
		row.Line += strings.Count(block[:start], "\n")
	}
	rest := block[:start] + block[end:]
	if strings.TrimSpace(rest) == "" {
		rest = "[]\n"
	}
	return &row, rest, true
}

// standsAlone says whether a line cannot open what another one closes, nor refer to another one: no anchors, aliases, tags,
// directives and block scalars, quotes and brackets in pairs, quotes of one kind only.
func standsAlone(line string) bool {
	if strings.ContainsAny(line, "&*!|>%?@`\\") || !isPrintable(line) {
		return false
	}
	single, double := strings.Count(line, "'"), strings.Count(line, `"`)
	return single%2 == 0 && double%2 == 0 && (single == 0 || double == 0) &&
		strings.Count(line, "[") == strings.Count(line, "]") && strings.Count(line, "{") == strings.Count(line, "}")
}

// isPrintable says whether a line is of plain letters: the rest is for the real readers.
func isPrintable(line string) bool {
	for i := range len(line) {
		if line[i] < ' ' || line[i] > '~' {
			return false
		}
	}
	return true
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
