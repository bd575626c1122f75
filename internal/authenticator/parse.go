package authenticator

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	yamlv2 "go.yaml.in/yaml/v2"
)

const (
	mapRoles    = "mapRoles"
	mapUsers    = "mapUsers"
	mapAccounts = "mapAccounts"
)

// ParseConfigMap reads the data of the ConfigMap kube-system/aws-auth as the authenticator does
// and keeps what was written beside it. It never fails: whatever is wrong is among the problems.
// Nil data is a ConfigMap that holds nothing, or does not exist; both map nobody.
func ParseConfigMap(data map[string]string) *AWSAuth {
	p := parser{&AWSAuth{}}
	p.keys(data)
	p.block(KindRole, data[mapRoles])
	p.block(KindUser, data[mapUsers])
	p.accounts(data[mapAccounts])
	settle(p.AWSAuth)
	return p.AWSAuth
}

type parser struct{ *AWSAuth }

func (p parser) problem(block string, index, line int, format string, args ...any) {
	p.Problems = append(p.Problems, Problem{block, index, line, fmt.Sprintf(format, args...)})
}

func (p parser) unread(block, why string) {
	p.Unread = block + " was not evaluated: " + why
	p.problem(block, -1, 0, "not evaluated: %s", why)
}

// keys reports ConfigMap keys that nobody reads. The top-level keys, unlike those within a row, are
// case-sensitive.
func (p parser) keys(data map[string]string) {
	for _, key := range slices.Sorted(maps.Keys(data)) {
		switch {
		case key == mapRoles || key == mapUsers || key == mapAccounts:
		case strings.EqualFold(key, mapRoles), strings.EqualFold(key, mapUsers), strings.EqualFold(key, mapAccounts):
			p.problem(key, -1, 0, "the key is ignored because its case differs")
		default:
			p.problem(key, -1, 0, "the key is ignored: only mapRoles, mapUsers and mapAccounts are read")
		}
	}
}

// skippable reports text that the authenticator takes for an empty block.
func skippable(text string) bool {
	t := strings.TrimSpace(text)
	return t == "" || t == "``" || t == `""` || t == "''"
}

// block reads mapRoles or mapUsers.
func (p parser) block(kind Kind, text string) {
	if skippable(text) {
		return
	}
	src, why := parseSource(text)
	if why != "" {
		p.unread(kind.Block(), why)
		return
	}
	items, err := decodeItems(text)
	if err != nil {
		p.problem(kind.Block(), -1, lineOf(err), "nothing of the block is read: %v", err)
		for i := range src.len() {
			p.Rows = append(p.Rows, Row{
				Kind: kind, Index: i, Line: src.line(i), Written: src.fields(kind, i),
				Effective: Effective{State: Dropped, Why: "the block does not parse"},
			})
		}
		return
	}
	if src.len() != len(items) {
		src = source{} // the two YAML readers disagree: better no line than a wrong one
	}
	for i, raw := range items {
		p.row(kind, i, raw, src)
	}
}

// decodeItems turns a block into one JSON value per row, on the authenticator's way: YAML 1.1 to JSON,
// then encoding/json.
func decodeItems(text string) ([]json.RawMessage, error) {
	var tree any
	if err := yamlv2.Unmarshal([]byte(text), &tree); err != nil {
		return nil, err
	}
	tree, err := jsonable(tree)
	if err != nil {
		return nil, err
	}
	raw, err := json.Marshal(tree)
	if err != nil {
		return nil, err
	}
	var items []json.RawMessage
	if err := json.Unmarshal(raw, &items); err != nil {
		var value any
		_ = json.Unmarshal(raw, &value) // it was just written
		return nil, fmt.Errorf("a list of rows is expected, not %s", typeName(value))
	}
	return items, nil
}

// row reads one item. A value of the wrong type leaves its field empty and does not drop the row.
func (p parser) row(kind Kind, index int, raw json.RawMessage, src source) {
	r := Row{Kind: kind, Index: index, Line: src.line(index), Read: readFields(kind, raw)}
	var loose map[string]any
	_ = json.Unmarshal(raw, &loose) // leaves nil for anything but a mapping, which drops the row below
	r.Written = looseFields(kind, loose)
	if index < src.len() {
		r.Written = src.fields(kind, index)
		for _, key := range src.repeated(index) {
			p.problem(kind.Block(), index, r.Line, "%s stands twice: the last one is read", key)
		}
	}
	p.values(kind, index, r.Line, loose)
	if why := invalid(kind, r.Read); why != "" {
		if loose == nil {
			why = "it is not a mapping"
		}
		r.Effective = Effective{State: Dropped, Why: why}
		p.problem(kind.Block(), index, r.Line, "the row is dropped: %s", why)
	}
	p.Rows = append(p.Rows, r)
}

// values reports keys and values that read otherwise than they look.
func (p parser) values(kind Kind, index, line int, loose map[string]any) {
	seen := map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(loose)) {
		name := fieldName(kind, key)
		if name == "" {
			p.problem(kind.Block(), index, line, "the key %q is ignored", key)
			continue
		}
		if key != name {
			p.problem(kind.Block(), index, line, "the key %q is read as %s", key, name)
		}
		if other, twice := seen[name]; twice {
			p.problem(kind.Block(), index, line, "%s is given as %q and as %q: the latter is read", name, other, key)
		}
		seen[name] = key
		p.value(kind, index, line, name, loose[key])
	}
}

func (p parser) value(kind Kind, index, line int, name string, v any) {
	list, isList := v.([]any)
	switch {
	case v == nil:
	case name == "sso":
		p.problem(kind.Block(), index, line, "sso matches nobody unless the feature gate SSORoleMatch is on; whether EKS sets it is not published")
	case name == "groups" && !isList:
		p.problem(kind.Block(), index, line, "groups is %s, not a list: read as no groups", typeName(v))
	case name == "groups":
		for i, g := range list {
			if _, ok := g.(string); !ok {
				p.problem(kind.Block(), index, line, "group %d is %s, not text: read as empty", i+1, typeName(g))
			}
		}
	default:
		if _, ok := v.(string); !ok {
			p.problem(kind.Block(), index, line, "%s is %s, not text: read as empty", name, typeName(v))
		}
	}
}

// typeName says what YAML made of a value.
func typeName(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "a boolean"
	case float64:
		return "a number"
	case []any:
		return "a list"
	case map[string]any:
		return "a mapping"
	}
	return "text"
}

// accounts reads mapAccounts, which the authenticator decodes straight from YAML: unquoted digits
// stay as they are written.
func (p parser) accounts(text string) {
	if skippable(text) {
		return
	}
	src, why := parseSource(text)
	if why != "" {
		p.unread(mapAccounts, why)
		return
	}
	var ids []string
	if err := yamlv2.Unmarshal([]byte(text), &ids); err != nil {
		p.problem(mapAccounts, -1, lineOf(err), "not all of the block is read: %v", err)
	}
	for i, id := range ids {
		a := Account{ID: id, Valid: isAccountID(id)}
		if src.len() == len(ids) {
			a.Line = src.line(i)
		}
		if !a.Valid {
			p.problem(mapAccounts, i, a.Line, "%q is not an account ID of twelve digits and never matches", id)
		}
		p.Accounts = append(p.Accounts, a)
	}
}
