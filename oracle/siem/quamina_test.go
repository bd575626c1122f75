package oracle

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"quamina.net/go/quamina"
)

// errOther says that a pattern uses operators of EventBridge that Quamina does not have.
var errOther = errors.New("an operator that Quamina does not have")

// bridge runs one event pattern in Quamina. EventBridge's comparisons without case become comparisons of lower-case texts.
type bridge struct {
	q     *quamina.Quamina
	lower bool
}

func newBridge(pattern string) (*bridge, error) {
	var p struct {
		Detail map[string]any `json:"detail"`
	}
	d := json.NewDecoder(strings.NewReader(pattern))
	d.UseNumber()
	if err := d.Decode(&p); err != nil {
		return nil, err
	}
	q, err := quamina.New()
	if err != nil {
		return nil, err
	}
	b := &bridge{q: q}
	cased, folded := kinds(p.Detail)
	if cased && folded {
		return nil, errOther
	}
	b.lower = folded
	for _, one := range alternatives(p.Detail) {
		plain, err := b.plain(one)
		if err != nil {
			return nil, err
		}
		text, err := json.Marshal(plain)
		if err != nil {
			return nil, err
		}
		if err := q.AddPattern("x", string(text)); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// alternatives writes $or as several patterns.
func alternatives(p map[string]any) []map[string]any {
	or, _ := p["$or"].([]any)
	shared := map[string]any{}
	for k, v := range p {
		if k != "$or" {
			shared[k] = v
		}
	}
	if or == nil {
		return []map[string]any{shared}
	}
	var out []map[string]any
	for _, o := range or {
		out = append(out, join(shared, o.(map[string]any)))
	}
	return out
}

func join(a, b map[string]any) map[string]any {
	out := map[string]any{}
	for k, v := range a {
		out[k] = v
	}
	for k, v := range b {
		if x, ok := out[k].(map[string]any); ok {
			out[k] = join(x, v.(map[string]any))
		} else {
			out[k] = v
		}
	}
	return out
}

// kinds says whether a pattern compares letters with case, and whether it compares some without.
func kinds(x any) (cased, folded bool) {
	switch x := x.(type) {
	case map[string]any:
		for k, v := range x {
			if k == "equals-ignore-case" {
				folded = true
				continue
			}
			c, f := kinds(v)
			cased, folded = cased || c, folded || f
		}
	case []any:
		for _, v := range x {
			c, f := kinds(v)
			cased, folded = cased || c, folded || f
		}
	case string:
		return strings.ToLower(x) != strings.ToUpper(x), false
	}
	return cased, folded
}

// plain writes a pattern in Quamina's operators.
func (b *bridge) plain(p map[string]any) (map[string]any, error) {
	out := map[string]any{}
	for k, v := range p {
		switch v := v.(type) {
		case map[string]any:
			inner, err := b.plain(v)
			if err != nil {
				return nil, err
			}
			out[k] = inner
		case []any:
			var list []any
			for _, w := range v {
				one, err := b.value(w)
				if err != nil {
					return nil, err
				}
				list = append(list, one)
			}
			out[k] = list
		}
	}
	return out, nil
}

func (b *bridge) value(w any) (any, error) {
	o, ok := w.(map[string]any)
	if !ok {
		return w, nil
	}
	for kind, v := range o {
		switch text, _ := folded(v); {
		case kind == "exists":
			return o, nil
		case kind == "equals-ignore-case":
			return strings.ToLower(v.(string)), nil
		case kind == "prefix" && text != "":
			return map[string]any{"prefix": text}, nil
		case kind == "suffix" && text != "":
			return map[string]any{"wildcard": "*" + strings.NewReplacer(`\`, `\\`, `*`, `\*`).Replace(text)}, nil
		case kind == "wildcard":
			return o, nil
		case kind == "anything-but":
			if list, ok := v.([]any); ok {
				if slices.ContainsFunc(list, func(x any) bool { _, text := x.(string); return !text }) {
					return nil, errOther
				}
				return map[string]any{"anything-but": list}, nil
			}
			if list, ok := v.(map[string]any)["equals-ignore-case"]; ok {
				all, isList := list.([]any)
				if !isList {
					all = []any{list}
				}
				var low []any
				for _, s := range all {
					low = append(low, strings.ToLower(s.(string)))
				}
				return map[string]any{"anything-but": low}, nil
			}
			if one, ok := v.(string); ok {
				return map[string]any{"anything-but": []any{one}}, nil
			}
		}
	}
	return nil, errOther
}

// folded is the text of a prefix or suffix, in lower case if it is compared so.
func folded(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, false
	case map[string]any:
		s, _ := v["equals-ignore-case"].(string)
		return strings.ToLower(s), true
	}
	return "", false
}

func (b *bridge) matches(t testing.TB, r record) bool {
	t.Helper()
	var v any
	d := json.NewDecoder(bytes.NewReader(r.line))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	if b.lower {
		v = lower(v)
	}
	line, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	found, err := b.q.MatchesForEvent(line)
	if err != nil {
		t.Fatal(err)
	}
	return len(found) > 0
}

// lower writes all texts, not the names, in lower case.
func lower(v any) any {
	switch v := v.(type) {
	case string:
		return strings.ToLower(v)
	case []any:
		for i := range v {
			v[i] = lower(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = lower(v[k])
		}
	}
	return v
}
