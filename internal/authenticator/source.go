package authenticator

import (
	"errors"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	yamlv2 "go.yaml.in/yaml/v2"
	yamlv4 "go.yaml.in/yaml/v4"
)

// maxBlock bounds the bytes of one block. The API server refuses a ConfigMap whose data
// exceeds 1 MiB (Kubernetes documentation, "ConfigMaps", 2026-11), so more never was in a cluster.
const maxBlock = 1 << 20

// maxExpanded bounds what a block may grow to when its aliases are expanded, in bytes of text. The
// authenticator has no such bound; beyond it we say that we do not know.
const maxExpanded = 8 << 20

// source is the text of a block with line numbers, read by a YAML reader that keeps them. It is not
// what the authenticator goes by; its zero value knows nothing.
type source struct{ rows []*yamlv4.Node }

// parseSource reads the text's shape and refuses, saying why, text that cannot be evaluated within bounds.
func parseSource(text string) (source, string) {
	if len(text) > maxBlock {
		return source{}, "it is larger than a ConfigMap can be"
	}
	var doc yamlv4.Node
	if err := yamlv4.NewDecoder(strings.NewReader(text)).Decode(&doc); err != nil {
		if growth(text) > maxExpanded && parses(text) {
			return source{}, "the growth of its aliases cannot be bounded"
		}
		return source{}, ""
	}
	if expanded(&doc, map[*yamlv4.Node]int{}) > maxExpanded {
		return source{}, "its aliases expand to more than " + strconv.Itoa(maxExpanded>>20) + " MiB"
	}
	top := &doc
	if top.Kind == yamlv4.DocumentNode && len(top.Content) == 1 {
		top = top.Content[0]
	}
	if top.Kind != yamlv4.SequenceNode {
		return source{}, ""
	}
	return source{top.Content}, ""
}

// growth bounds the size of a text with aliases expanded, knowing only how many asterisks it has: n aliases
// grow it most if they stand in n/e levels of e each, which is e to the n/e times.
func growth(text string) float64 {
	return float64(len(text)) * math.Exp(float64(strings.Count(text, "*"))/math.E)
}

// parses reports whether the authenticator's YAML reader accepts the syntax, without decoding anything.
func parses(text string) bool {
	err := yamlv2.Unmarshal([]byte(text), &struct{}{})
	if err == nil {
		return true
	}
	_, wrongType := errors.AsType[*yamlv2.TypeError](err)
	return wrongType
}

// expanded returns the size of a node with aliases expanded. A node that contains itself counts as
// nothing: the authenticator's reader refuses it.
func expanded(n *yamlv4.Node, known map[*yamlv4.Node]int) int {
	if n == nil {
		return 0
	}
	if size, ok := known[n]; ok {
		return size
	}
	known[n] = 0
	size := len(n.Value) + 1
	if n.Kind == yamlv4.AliasNode {
		size += expanded(n.Alias, known)
	}
	for _, c := range n.Content {
		size = min(size+expanded(c, known), maxExpanded+1)
	}
	known[n] = size
	return size
}

func (s source) len() int { return len(s.rows) }

func (s source) line(i int) int {
	if i >= len(s.rows) {
		return 0
	}
	return s.rows[i].Line
}

// fields returns the row as it is written: scalars untouched, a lone group as a list of one.
func (s source) fields(kind Kind, i int) Fields {
	var f Fields
	pairs := pairs(s.rows[i], 0)
	slices.SortStableFunc(pairs, func(a, b pair) int { return strings.Compare(a.key, b.key) })
	for _, p := range pairs { // the order in which the authenticator reads several spellings
		switch fieldName(kind, p.key) {
		case "rolearn", "userarn":
			f.ARN = scalar(p.value)
		case "username":
			f.Username = scalar(p.value)
		case "groups":
			f.Groups = scalars(p.value)
		case "sso":
			f.SSO = ssoOf(p.value)
		}
	}
	return f
}

// repeated returns the keys that a row has twice in the same spelling.
func (s source) repeated(i int) []string {
	var seen, twice []string
	n := target(s.rows[i])
	if n.Kind != yamlv4.MappingNode {
		return nil
	}
	for k := 0; k+1 < len(n.Content); k += 2 {
		key := n.Content[k].Value
		if slices.Contains(seen, key) {
			twice = append(twice, key)
		}
		seen = append(seen, key)
	}
	return twice
}

type pair struct {
	key   string
	value *yamlv4.Node
}

// pairs lists a mapping's keys and values, merged ones (<<) first so that own keys win.
func pairs(n *yamlv4.Node, depth int) []pair {
	n = target(n)
	if depth > 8 {
		return nil
	}
	var merged, own []pair
	if n.Kind == yamlv4.SequenceNode && depth > 0 { // << takes a list too; the first one wins
		for _, c := range slices.Backward(n.Content) {
			merged = append(merged, pairs(c, depth+1)...)
		}
	}
	if n.Kind != yamlv4.MappingNode {
		return merged
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == "<<" {
			merged = append(merged, pairs(n.Content[i+1], depth+1)...)
			continue
		}
		own = append(own, pair{n.Content[i].Value, n.Content[i+1]})
	}
	return append(merged, own...)
}

func target(n *yamlv4.Node) *yamlv4.Node {
	if n.Kind == yamlv4.AliasNode && n.Alias != nil {
		return n.Alias
	}
	return n
}

// scalar returns a scalar's text; null and anything that is no scalar are empty.
func scalar(n *yamlv4.Node) string {
	n = target(n)
	if n.Kind != yamlv4.ScalarNode {
		return ""
	}
	if n.Style&(yamlv4.SingleQuotedStyle|yamlv4.DoubleQuotedStyle|yamlv4.LiteralStyle|yamlv4.FoldedStyle) == 0 {
		switch n.Value {
		case "~", "null", "Null", "NULL":
			return ""
		}
	}
	return n.Value
}

func scalars(n *yamlv4.Node) []string {
	n = target(n)
	if n.Kind != yamlv4.SequenceNode {
		if s := scalar(n); s != "" {
			return []string{s}
		}
		return nil
	}
	var list []string
	for _, c := range n.Content {
		list = append(list, scalar(c))
	}
	return list
}

func ssoOf(n *yamlv4.Node) *SSO {
	s := &SSO{}
	for _, p := range pairs(n, 0) {
		switch strings.ToLower(p.key) {
		case "permissionsetname":
			s.PermissionSetName = scalar(p.value)
		case "accountid":
			s.AccountID = scalar(p.value)
		case "partition":
			s.Partition = scalar(p.value)
		}
	}
	return s
}

var lineNumber = regexp.MustCompile(`\bline ([0-9]{1,7})\b`)

// lineOf returns the line a YAML error names, or 0.
func lineOf(err error) int {
	m := lineNumber.FindStringSubmatch(err.Error())
	if m == nil {
		return 0
	}
	n, _ := strconv.Atoi(m[1])
	return n
}
