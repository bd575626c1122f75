package iam

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// EditStatements returns a policy document with some statements changed or dropped; the rest of the text stays as it is
// written. edit is given each statement, parsed and as JSON, and returns the JSON to put in its place, or nothing to drop it.
// A document that was percent-encoded comes out plain.
func EditStatements(doc []byte, edit func(s *Statement, text []byte) ([]byte, error)) ([]byte, error) {
	parsed, err := Parse(doc)
	if err != nil {
		return nil, err
	}
	if doc, err = decodePercent(doc); err != nil {
		return nil, err
	}
	index := 0
	one := func(text []byte) ([]byte, error) {
		s := &parsed.Statements[index]
		index++
		out, err := edit(s, text)
		if err != nil {
			return nil, fmt.Errorf("policy: %s: %w", s.Name(), err)
		}
		return out, nil
	}
	return mapMembers(doc, func(name string, value jsontext.Value) (jsontext.Value, error) {
		if !strings.EqualFold(name, "Statement") {
			return value, nil
		}
		if value.Kind() == '{' {
			out, err := one(value)
			if err == nil && len(out) == 0 {
				out = []byte("[]")
			}
			return out, err
		}
		return mapItems(value, one)
	})
}

// AddStatement returns a policy document with one statement more, as JSON, at its end; the rest of the text stays as it is
// written. A document that was percent-encoded comes out plain.
func AddStatement(doc, statement []byte) ([]byte, error) {
	if _, err := Parse(doc); err != nil {
		return nil, err
	}
	doc, err := decodePercent(doc)
	if err != nil {
		return nil, err
	}
	added := false
	out, err := mapMembers(doc, func(name string, value jsontext.Value) (jsontext.Value, error) {
		if !strings.EqualFold(name, "Statement") {
			return value, nil
		}
		added = true
		inner := bytes.TrimSpace(value)
		if value.Kind() == '[' {
			inner = bytes.TrimSpace(inner[1 : len(inner)-1])
		}
		if len(inner) > 0 {
			inner = append(slices.Clone(inner), ',')
		}
		return slices.Concat([]byte("["), inner, statement, []byte("]")), nil
	})
	if err == nil && !added {
		return nil, errors.New("policy: it has no statements")
	}
	return out, err
}

// WithoutPrincipal returns a statement, as JSON, without one of its principals of a kind, AWS or Federated for instance, or
// nothing if it names nobody else. Other principals stay as they are written.
func WithoutPrincipal(statement []byte, of, gone string) ([]byte, error) {
	nobody := false
	out, err := mapMembers(statement, func(name string, value jsontext.Value) (jsontext.Value, error) {
		if !strings.EqualFold(name, "Principal") || value.Kind() != '{' {
			return value, nil
		}
		left, err := mapMembers(value, func(kind string, names jsontext.Value) (jsontext.Value, error) {
			if !strings.EqualFold(kind, of) {
				return names, nil
			}
			return withoutName(names, gone)
		})
		nobody = string(left) == "{}"
		return left, err
	})
	if nobody {
		return nil, err
	}
	return out, err
}

// withoutName takes a name out of a value that is one, or a list of them; nothing is left of what holds no other.
func withoutName(names jsontext.Value, gone string) (jsontext.Value, error) {
	is := func(v []byte) bool {
		var s string
		return json.Unmarshal(v, &s) == nil && s == gone
	}
	if names.Kind() != '[' {
		if is(names) {
			return nil, nil
		}
		return names, nil
	}
	out, err := mapItems(names, func(v []byte) ([]byte, error) {
		if is(v) {
			return nil, nil
		}
		return v, nil
	})
	if string(out) == "[]" {
		return nil, err
	}
	return out, err
}

// SetConditions returns a statement, as JSON, without its conditions on some keys, and with conditions that a key has one of
// some values. Conditions on other keys stay. Keys are not case-sensitive.
func SetConditions(statement []byte, drop []string, operator string, set map[string][]string) ([]byte, error) {
	dropped := func(key string) bool {
		return slices.ContainsFunc(drop, func(d string) bool { return strings.EqualFold(d, key) })
	}
	conditions := map[string]map[string]jsontext.Value{}
	var rest jsontext.Value
	var err error
	if rest, err = mapMembers(statement, func(name string, value jsontext.Value) (jsontext.Value, error) {
		if !strings.EqualFold(name, "Condition") {
			return value, nil
		}
		return nil, json.Unmarshal(value, &conditions)
	}); err != nil {
		return nil, err
	}
	for op, keys := range conditions {
		for key := range keys {
			if dropped(key) {
				delete(keys, key)
			}
		}
		if len(keys) == 0 {
			delete(conditions, op)
		}
	}
	into := operator // an operator that is there in other letters is the same one
	for op := range conditions {
		if strings.EqualFold(op, operator) {
			into = op
		}
	}
	if conditions[into] == nil {
		conditions[into] = map[string]jsontext.Value{}
	}
	for key, values := range set {
		for has := range conditions[into] {
			if strings.EqualFold(has, key) {
				return nil, fmt.Errorf("a condition %s on %s stands there already", into, has)
			}
		}
		var v any = values
		if len(values) == 1 {
			v = values[0]
		}
		if conditions[into][key], err = json.Marshal(v); err != nil {
			return nil, err
		}
	}
	text, err := json.Marshal(conditions, json.Deterministic(true))
	if err != nil {
		return nil, err
	}
	rest = bytes.TrimSpace(rest)
	if len(bytes.TrimSpace(rest[1:len(rest)-1])) > 0 {
		text = append([]byte(`,"Condition":`), text...)
	} else {
		text = append([]byte(`"Condition":`), text...)
	}
	return slices.Concat(rest[:len(rest)-1], text, []byte("}")), nil
}

// mapMembers writes an object anew with each value as change returns it; a member for which it returns nothing is left out.
func mapMembers(object []byte, change func(name string, value jsontext.Value) (jsontext.Value, error)) ([]byte, error) {
	d := jsontext.NewDecoder(bytes.NewReader(object))
	if k := d.PeekKind(); k != '{' {
		return nil, errors.New("not an object")
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, err
	}
	out := []byte("{")
	for d.PeekKind() != '}' {
		token, err := d.ReadToken()
		if err != nil {
			return nil, err
		}
		name := token.String()
		value, err := d.ReadValue()
		if err != nil {
			return nil, err
		}
		if value, err = change(name, value.Clone()); err != nil {
			return nil, err
		}
		if len(value) == 0 {
			continue
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		if out, err = jsontext.AppendQuote(out, name); err != nil {
			return nil, err
		}
		out = append(append(out, ':'), value...)
	}
	return append(out, '}'), nil
}

// mapItems writes a list anew with each item as change returns it; those for which it returns nothing are left out.
func mapItems(list []byte, change func([]byte) ([]byte, error)) ([]byte, error) {
	d := jsontext.NewDecoder(bytes.NewReader(list))
	if _, err := d.ReadToken(); err != nil {
		return nil, err
	}
	out := []byte("[")
	for d.PeekKind() != ']' {
		item, err := d.ReadValue()
		if errors.Is(err, io.EOF) {
			return nil, io.ErrUnexpectedEOF
		}
		if err != nil {
			return nil, err
		}
		changed, err := change(item.Clone())
		if err != nil {
			return nil, err
		}
		if len(changed) == 0 {
			continue
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(out, changed...)
	}
	return append(out, ']'), nil
}
